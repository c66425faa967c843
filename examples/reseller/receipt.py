"""What a receipt says was owed. Its signature was checked by `chrysalis proxy`, which hands on no other; docs/spec/receipt.md has the rest."""

import base64


def amount_of_text(text: str) -> int:
    """The nano that a receipt (base64url, as in a header or an event) says its job cost. ValueError: it is none."""
    return amount_of_bytes(base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), altchars=b"-_", validate=True))


def amount_of_bytes(receipt: bytes) -> int:
    """The same of a receipt's bytes, or of a file that the proxy kept."""
    try:
        amount = _read(_read(receipt)["job"])["amount"]
    except (IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError("not a receipt") from error
    if not isinstance(amount, int) or amount < 0:
        raise ValueError("not a receipt")
    return amount


def _read(data: bytes):
    """CBOR (RFC 8949), as far as receipts use it: integers, bytes, texts, arrays, maps, null. All of `data` is one value."""
    value, end = _item(data, 0)
    if end != len(data):
        raise ValueError("bytes after the value")
    return value


def _item(data: bytes, at: int):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if (major, info) == (7, 22):
        return None, at
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    if info > 27 or major > 5 or at + size > len(data):
        raise ValueError("not in this subset of CBOR")
    number = int.from_bytes(data[at : at + size], "big") if size else info
    at += size
    if major < 2:
        return (-1 - number if major else number), at
    if number > len(data):
        raise ValueError("longer than its bytes")
    if major < 4:
        # One that is cut off ends behind its bytes, which `_read` refuses.
        text = data[at : at + number]
        return (text.decode() if major == 3 else text), at + number
    items = []
    for _ in range(number * (major - 3)):
        item, at = _item(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at
