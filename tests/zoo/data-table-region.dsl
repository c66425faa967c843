// Finds itself as a data table, writes a longer length into its own header, and reads what lies behind it.
DefinitionBlock ("", "SSDT", 2, "EVIL", "TABLE", 1)
{
    Include ("common.asl")
    DataTableRegion (DT01, "SSDT", "EVIL", "TABLE")
    Field (DT01, DWordAcc, NoLock, Preserve) { SIG0, 32, LEN0, 32 }
    PUTS ("\r\n[ran: data table region]\r\n")
    Method (GROW, 0, Serialized) { LEN0 = 0x7FFFFFFF }
    GROW ()
}
