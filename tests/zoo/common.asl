// What each hostile table uses: words to the serial port, and a byte of memory read or written at any address. CANARY, which the
// test defines, is where the initrd lies.
    OperationRegion (UART, SystemIO, 0x3F8, 8)
    Field (UART, ByteAcc, NoLock, Preserve) { TXB, 8, Offset (5), LSR, 8 }
    Method (PUTC, 1, Serialized)
    {
        Local0 = 1000
        While (Local0) { If (LSR & 0x20) { Break } Local0-- }
        TXB = Arg0
    }
    Method (PUTS, 1, Serialized)
    {
        Local7 = SizeOf (Arg0)
        Name (BUFF, Buffer (128) {})
        BUFF = Arg0
        Local6 = 0
        While (Local6 < Local7) { PUTC (DerefOf (BUFF [Local6])) Local6++ }
    }
    Method (PEEK, 1, Serialized)
    {
        OperationRegion (MEMR, SystemMemory, Arg0, 1)
        Field (MEMR, ByteAcc, NoLock, Preserve) { BYT0, 8 }
        Return (BYT0)
    }
    Method (LEAK, 2, Serialized)
    {
        Local0 = 0
        While (Local0 < Arg1) { PUTC (PEEK (Arg0 + Local0)) Local0++ }
    }
    Method (POKE, 2, Serialized)
    {
        OperationRegion (MEMW, SystemMemory, Arg0, 1)
        Field (MEMW, ByteAcc, NoLock, Preserve) { BYTW, 8 }
        BYTW = Arg1
    }
