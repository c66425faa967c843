"""Verdicts on files: those of the command line, to the byte, and no verdict on nonsense.

CHRYSALIS_TOOLS: the folder of `chrysalis`.
"""

import base64
import datetime
import importlib.util
import json
import pathlib
import random
import resource
import subprocess
import sys
import threading
import unittest

import questions

import chrysalis
from chrysalis import _native


class Verify(unittest.TestCase):
    def test_every_vector_is_judged_as_by_the_command_line_to_the_byte(self) -> None:
        said = questions.all_said()
        words = {"trusted": 0, "genuine": 0, "rejected": 0}
        for name, folder, request in questions.vectors():
            if name in questions.BEYOND:
                continue
            question = questions.question(folder, request)
            with self.subTest(name):
                self.assertIsNotNone(said[name])
                found = _native.verdict(json.dumps(question).encode())
                self.assertEqual(found + "\n", said[name])
                words[json.loads(found)["verdict"]] += 1
        self.assertGreater(sum(words.values()), 300, words)
        self.assertGreater(min(words["trusted"], words["rejected"]), 5, words)
        print(words, file=sys.stderr)

    def test_the_function_asks_the_same(self) -> None:
        wanted = {}
        for name, folder, request in questions.vectors():
            if name in ("snp/honest", "tdx/honest", "nvidia/honest", "bundle/snp", "bundle/certificate", "snp/azure"):
                wanted[name] = (folder, request)
        self.assertEqual(len(wanted), 6, wanted.keys())
        main = {"snp": "report", "tdx": "quote", "nvidia": "report"}
        for name, (folder, request) in wanted.items():
            with self.subTest(name):
                kind = request["kind"]
                given = {}
                for key, value in request.items():
                    if key in ("kind", "shows", "ocsp_nonce"):
                        continue
                    if key in questions.FILES:
                        given[key] = [questions.content(folder, one) for one in value] if isinstance(value, list) else questions.content(folder, value)
                    elif key == "policy":
                        given[key] = questions.content(folder, value).decode()
                    else:
                        given[key] = bytes.fromhex(value) if key in questions.HEX else value
                evidence = given.pop(main.get(kind, "bundle" if "bundle" in request else "certificate"))
                at = datetime.datetime.fromisoformat(given.pop("at").replace("Z", "+00:00"))
                found = chrysalis.verify(evidence, kind=kind, at=at, **given)
                expected = json.loads((folder / "expected.json").read_text())
                self.assertEqual((found.verdict, found.code), (expected["verdict"], expected["code"]))
                self.assertEqual(found.json + "\n", questions.said(folder, request))
                self.assertEqual(bool(found), found.verdict != "rejected")

    def test_a_refusal_has_its_code_and_its_hint(self) -> None:
        found = chrysalis.verify(b"\xa1\x63cpu\xf6")
        self.assertFalse(found)
        self.assertEqual(found.code, "bundle_item")
        self.assertTrue(found.hint)
        self.assertEqual(repr(found), "<Verdict rejected: bundle_item>")
        self.assertEqual(found, chrysalis.Verdict(found.json))

    def test_what_makes_no_sense_is_no_verdict(self) -> None:
        for why, ask in [
            ("this is no evidence", lambda: chrysalis.verify(b"hello")),
            ("not an SEV-SNP report", lambda: chrysalis.verify(b"<SoftwareIdentity>", kind="snp")),
            ("cannot be used", lambda: chrysalis.verify(b"hello", kind="snp", policy="version = 1\nnonsense = 2\n")),
            ("unknown field", lambda: chrysalis.verify(b"", kind="snp", chain=b"")),
            ("unknown variant", lambda: chrysalis.verify(b"", kind="sgx")),
            ("missing field `nonce`", lambda: chrysalis.verify(b"", kind="nvidia")),
            ("without", lambda: chrysalis.verify(b"", kind="tdx", without=["crl"])),
        ]:
            with self.subTest(why), self.assertRaisesRegex(chrysalis.Unusable, why):
                ask()
        with self.assertRaises(TypeError):
            chrysalis.verify("evidence.cbor")  # type: ignore[call-overload]
        with self.assertRaisesRegex(ValueError, "time zone"):
            chrysalis.verify(b"", at=datetime.datetime(2026, 12, 1))

    def test_hostile_bytes_end_in_a_verdict_or_in_no_verdict_within_bounds(self) -> None:
        """Every vector's files, cut, overwritten and blown up."""
        chance = random.Random(20)
        asked = 0
        for name, folder, request in questions.vectors():
            if name in questions.BEYOND or chance.random() > 0.25:
                continue
            question = questions.question(folder, request)
            for key in [key for key in question if key in questions.FILES]:
                value = question[key]
                for damage in range(4):
                    kind = damage % 4
                    text = value[0] if isinstance(value, list) and value else value
                    if not isinstance(text, str):
                        continue
                    data = bytearray(base64.b64decode(text))
                    at = chance.randrange(len(data) + 1)
                    if kind == 0:
                        del data[at:]
                    elif kind == 1 and data:
                        data[at % len(data)] ^= 1 << chance.randrange(8)
                    elif kind == 2:
                        data[at:] = b"\xff" * (len(data) - at)
                    else:
                        data[at:at] = b"9" * 100_000
                    changed = base64.b64encode(data).decode()
                    hostile = {**question, key: [changed, *value[1:]] if isinstance(value, list) else changed}
                    asked += 1
                    try:
                        found = json.loads(_native.verdict(json.dumps(hostile).encode()))
                    except chrysalis.Unusable as error:
                        self.assertTrue(str(error))
                    else:
                        self.assertIn(found["verdict"], ("trusted", "genuine", "rejected"))
        self.assertGreater(asked, 500)
        for nonsense in (b"", b"\xff", b"[" * 100_000, b'{"kind":' * 50_000, b'{"kind":"snp","report":"' + b"A" * (33 << 20) + b'"}'):
            with self.assertRaises(chrysalis.Unusable):
                _native.verdict(nonsense)
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 400 * 1024, "KiB")

    def test_other_threads_run_meanwhile(self) -> None:
        """The interpreter's lock is released: with it held, nobody could count between a call and its return."""
        _, folder, request = next(it for it in questions.vectors() if it[0] == "nvidia/honest")
        question = json.dumps(questions.question(folder, request)).encode()
        over = threading.Event()
        count = 0

        def work() -> None:
            nonlocal count
            while not over.is_set():
                count += 1

        worker = threading.Thread(target=work)
        worker.start()
        counted = []
        for _ in range(40):
            before = count
            _native.verdict(question)
            counted.append(count - before > 10)
        over.set()
        worker.join()
        self.assertGreater(sum(counted), 20, counted)

    def test_the_types_hold(self) -> None:
        try:
            import mypy  # noqa: F401
        except ImportError:
            self.skipTest("no mypy here")
        modules = ["chrysalis", *(f"chrysalis.{name}" for name in ("httpx", "httpx2", "openai") if importlib.util.find_spec(name))]
        command = [sys.executable, "-m", "mypy", "--strict", *(word for module in modules for word in ("-m", module))]
        checked = subprocess.run(command, cwd=pathlib.Path(__file__).parent, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


if __name__ == "__main__":
    unittest.main()
