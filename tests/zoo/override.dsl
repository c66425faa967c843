// Gives a device of the other table a method that the kernel calls.
DefinitionBlock ("", "SSDT", 2, "EVIL", "OVERRIDE", 1)
{
    Include ("common.asl")
    External (\_SB.PCI0, DeviceObj)
    Scope (\_SB.PCI0) { Method (_INI) { PUTS ("\r\n[ran: override]\r\n") POKE (CANARY, 0x50) } }
}
