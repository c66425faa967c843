"""The files of tests/e2e/hostile_files.rs in every place of a question: what the command line says of them, within bounds, and nothing worse.

CHRYSALIS_TOOLS: the folder of `chrysalis`.
"""

import base64
import json
import pathlib
import resource
import tempfile
import unittest
from typing import Iterator, Optional

import questions

import chrysalis
from chrysalis import _native

MIB = 1024 * 1024
HONEST = ("snp/honest", "snp/azure", "tdx/honest", "nvidia/honest", "bundle/snp", "bundle/certificate")


def hostile() -> Iterator[tuple[str, bytes]]:
    """Text that nests or repeats as far as it may, and lengths that lie."""
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


class Hostile(unittest.TestCase):
    def test_every_hostile_file_is_judged_as_by_the_command_line(self) -> None:
        honest = [(folder, request) for name, folder, request in questions.vectors() if name in HONEST]
        self.assertEqual(len(honest), len(HONEST))
        refused, unusable = 0, 0
        with tempfile.TemporaryDirectory() as room:
            for name, content in hostile():
                path = pathlib.Path(room) / name
                path.write_bytes(content)
                for folder, request in honest:
                    for place in [key for key in request if key in questions.FILES | {"policy"}]:
                        if place == "policy" and max(content) > 127:
                            # A policy is text: this is none, and JSON cannot say it.
                            continue
                        value = request[place]
                        asked = {**request, place: [str(path), *value[1:]] if isinstance(value, list) else str(path)}
                        said = questions.said(folder, asked)
                        found: Optional[str] = None
                        try:
                            found = _native.verdict(json.dumps(questions.question(folder, asked)).encode()) + "\n"
                            refused += 1
                        except chrysalis.Unusable as error:
                            self.assertTrue(str(error))
                            unusable += 1
                        if place == "bundle" and said is None and found is not None:
                            # The command line reads no file as long; here its length is what is wrong with it.
                            self.assertEqual(json.loads(found)["code"], "bundle_too_large", name)
                            continue
                        self.assertEqual(found, said, (name, request["kind"], place))
        self.assertGreater(refused, 50)
        self.assertGreater(unusable, 50)
        print(f"{refused} refused, {unusable} unusable")
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 300 * 1024, "KiB")


if __name__ == "__main__":
    unittest.main()
