// Calls itself newer than any.
DefinitionBlock ("", "SSDT", 255, "EVIL", "REVISION", 0xFFFFFFFF)
{
    Include ("common.asl")
    PUTS ("\r\n[ran: revision]\r\n")
    POKE (CANARY, 0x50)
}
