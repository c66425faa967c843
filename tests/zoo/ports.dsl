// Touches no memory: ports and PCI's registers, from methods of a second root bus.
DefinitionBlock ("", "SSDT", 2, "EVIL", "PORTS", 1)
{
    Include ("common.asl")
    Scope (\_SB)
    {
        Device (PCIE)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_UID, 77)
            OperationRegion (CFG, PCI_Config, 0, 0x100)
            Field (CFG, DWordAcc, NoLock, Preserve) { VID, 32, CMD, 16 }
            Method (_STA) { PUTS ("\r\n[ran: ports]\r\n") Return (15) }
        }
    }
}
