"""The files of tests/e2e/hostile_files.rs in every place of a question: text that nests or repeats as far as it may, and lengths that lie."""

import base64
from collections.abc import Iterator

import questions

MIB = 1024 * 1024
HONEST = ("snp/honest", "snp/azure", "tdx/honest", "nvidia/honest", "bundle/snp", "bundle/certificate")


def files() -> Iterator[tuple[str, bytes]]:
    certificate = (questions.VECTORS / "common" / "snp" / "vcek.der").read_bytes()
    pem = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(certificate).decode() + "\n-----END CERTIFICATE-----\n"
    text = [
        ("xml-deep", "", "<a>", 64 * 1024),
        ("xml-deeper", "", "<a>", MIB),
        ("xml-attributes", "<a", ' b=""', 64 * 1024),
        ("json-arrays", "", "[", 4 * MIB),
        ("json-objects", "", '{"tcb_info":', 4 * MIB),
        ("json-gpus", "[", '{"certificate":"","evidence":""},', 512 * 1024),
        ("pem-empty", "", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", MIB),
        ("pem-many", "", pem, MIB),
        ("pem-open", "", "-----BEGIN CERTIFICATE-----\n", MIB),
        ("pem-long", "-----BEGIN CERTIFICATE-----\n", "A", MIB),
        ("pem-huge", "-----BEGIN CERTIFICATE-----\n", "AAAAAAAAAAAAAAAA\n", 8 * MIB),
        ("hex", "", "30", MIB),
        ("toml-dotted", "a", ".a", 256 * 1024),
        ("toml-head", "[a", ".a", 256 * 1024),
        ("toml-arrays", "a=", "[", 256 * 1024),
        ("toml-numbers", "a=[", "1,", 256 * 1024),
        ("toml-tables", "", "[[a]]\n", 256 * 1024),
    ]
    for name, start, unit, size in text:
        yield name, (start + unit * ((size - 1 - len(start)) // len(unit))).encode()
    bytes_ = [
        ("cbor-deep", b"", b"\x81", 256 * 1024),
        ("cbor-tags", b"", b"\xc0", 256 * 1024),
        ("cbor-numbers", b"\x9a\x00\x03\xff\xfb", b"\x00", 256 * 1024),
        ("cbor-arrays", b"\x9a\x00\x03\xff\xfb", b"\x80", 256 * 1024),
        ("cbor-map", b"\xbb\x7f" + b"\xff" * 7, b"\x00", 1000),
        ("cbor-text", b"\x7b\x7f" + b"\xff" * 7, b"\x00", 1000),
        ("der-long", b"\x30\x84" + b"\xff" * 4, b"\x00", 1000),
        ("der-longer", b"\x30\x88" + b"\xff" * 8, b"\x00", 1000),
        ("der-open", b"\x30\x80", b"\x30\x80", MIB),
        ("der-wide", b"\x30\x84\x00\x0f\xff\xfa", b"\x05\x00", MIB),
        ("spdm", b"\x11\xe0\x01\xff", b"\xff", 5000),
        ("quote", b"\x04\x00\x02\x00\x81\x00\x00\x00", b"\xff", 50_000),
        ("table", b"\x01" * 16, b"\xff" * 8, 1000),
        ("wrapped", b"HCLA\x02\x00\x00\x00", b"\xff", MIB),
    ]
    for name, start, unit, size in bytes_:
        yield name, start + unit * ((size - len(start)) // len(unit))


def asked() -> Iterator[questions.Question]:
    """Honest vectors, each with one of those files in one place, and receipts."""
    honest = {question.name: question for question in questions.vectors() if question.name in HONEST}
    assert len(honest) == len(HONEST)
    policy = honest["bundle/snp"].files["policy"]
    for name, content in files():
        for question in honest.values():
            for place in question.files:
                hostile = question.with_file(place, content)
                hostile.name = f"{name} as {place} of {question.name}"
                yield hostile
        for place in ("receipt", "policy", "evidence"):
            parts = {"receipt": [content], "policy": policy, place: [content]}
            yield questions.Question(f"{name} as {place} of a receipt", "receipt", "2026-12-01T12:00:00Z", parts, {})
