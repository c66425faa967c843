// Writes to memory as the kernel loads the table.
DefinitionBlock ("", "SSDT", 2, "EVIL", "WRITE", 1)
{
    Include ("common.asl")
    PUTS ("\r\n[ran: write]\r\n")
    POKE (CANARY, 0x50) POKE (CANARY + 1, 0x57) POKE (CANARY + 2, 0x4E)
}
