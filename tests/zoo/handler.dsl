// Brings a handler of an event, a device, and methods of it that the kernel calls to see what it is.
DefinitionBlock ("", "SSDT", 2, "EVIL", "HANDLER", 1)
{
    Include ("common.asl")
    Scope (\_GPE) { Method (_L05) { PUTS ("\r\n[ran: handler]\r\n") POKE (CANARY, 0x50) } }
    Device (\_SB.EVD0)
    {
        Name (_HID, "EVIL0001")
        Method (_STA) { PUTS ("\r\n[ran: handler _STA]\r\n") Return (15) }
        Method (_INI) { PUTS ("\r\n[ran: handler _INI]\r\n") POKE (CANARY, 0x50) }
    }
}
