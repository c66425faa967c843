// Never ends.
DefinitionBlock ("", "SSDT", 2, "EVIL", "LOOP", 1)
{
    Include ("common.asl")
    PUTS ("\r\n[ran: loop]\r\n")
    While (One) { Local0 = One }
}
