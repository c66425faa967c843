"""CBOR, as much of it as the demos and tests need."""


def head(kind, length):
    """The head of a CBOR item."""
    for size, mark in ((24, None), (1 << 8, 24), (1 << 16, 25), (1 << 32, 26)):
        if length < size:
            return bytes([kind << 5 | (length if mark is None else mark)]) + (b"" if mark is None else length.to_bytes(1 << (mark - 24), "big"))


def read(data, at=0):
    """One CBOR item: (value, where it ends)."""
    kind, info = data[at] >> 5, data[at] & 31
    at += 1
    if info >= 24:
        size = 1 << (info - 24)
        info, at = int.from_bytes(data[at:at + size], "big"), at + size
    if kind in (2, 3):
        return (data[at:at + info] if kind == 2 else data[at:at + info].decode()), at + info
    if kind in (4, 5):
        items = []
        for _ in range(info * (kind - 3)):
            item, at = read(data, at)
            items.append(item)
        return (items if kind == 4 else dict(zip(items[::2], items[1::2]))), at
    return (info if kind == 0 else -1 - info), at
