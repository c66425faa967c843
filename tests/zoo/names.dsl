// Bears the names of the guest's own table.
DefinitionBlock ("", "SSDT", 2, "CHRYSA", "GUEST", 1)
{
    Include ("common.asl")
    PUTS ("\r\n[ran: names]\r\n")
    POKE (CANARY, 0x50)
}
