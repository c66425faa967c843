// Reads memory as the kernel loads the table, and tells the host.
DefinitionBlock ("", "SSDT", 2, "EVIL", "READ", 1)
{
    Include ("common.asl")
    PUTS ("\r\n[ran: read] ")
    LEAK (CANARY, 32)
    PUTS ("\r\n")
}
