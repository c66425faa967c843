// The only ACPI bytecode that the guest's kernel runs. It holds data: no method, no region, so nothing to execute.
//
// One root bus, the one at which QEMU and OVMF put every device of ours. Its windows leave out what either of them keeps
// for PCI's registers (B000_0000 and E000_0000) and AMD's hole below 1 TB; memory and what is reserved, the kernel cuts
// out by itself. Interrupts are messages, so there is no routing table.
DefinitionBlock ("", "DSDT", 2, "CHRYSA", "GUEST", 1)
{
    Name (\_S5, Package (4) { 0, 0, 0, 0 })     // power off: QEMU's sleep type 0

    Device (\_SB.PCI0)
    {
        Name (_HID, EisaId ("PNP0A08"))         // PCI Express
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, 0)
        Name (_SEG, 0)
        Name (_BBN, 0)
        Name (_CCA, 1)
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                0, 0, 0xFF, 0, 0x100)
            WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                0, 0x0000, 0x0CF7, 0, 0x0CF8)
            WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                0, 0x0D00, 0xFFFF, 0, 0xF300)
            DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0x80000000, 0xAFFFFFFF, 0, 0x30000000)
            DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
            DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0xF0000000, 0xFEBFFFFF, 0, 0x0EC00000)
            QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                0, 0x0000000100000000, 0x000000FCFFFFFFFF, 0, 0x000000FC00000000)
            QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                0, 0x0000010000000000, 0x000FFFFFFFFFFFFF, 0, 0x000FFF0000000000)
        })
    }
}
