"""Verdicts on files: those of the command line, to the byte, and no verdict on nonsense.

CHRYSALIS_TOOLS: the folder of `chrysalis`.
"""

import datetime
import importlib.util
import json
import pathlib
import subprocess
import sys
import threading
import unittest

import questions

import chrysalis
from chrysalis import _native

WORDS = ("trusted", "genuine", "verified", "rejected")


class Verify(unittest.TestCase):
    def found(self, question: questions.Question) -> str:
        """The verdict, or "" where there is none."""
        try:
            found = _native.verdict(*question.parts())
        except chrysalis.Unusable as error:
            self.assertGreater(len(str(error)), 10)
            return ""
        self.assertIn(json.loads(found)["verdict"], WORDS)
        return found

    def same(self, question: questions.Question, said: object) -> str:
        """The verdict, which has to be what the command line said, to the byte; or neither has one."""
        found = self.found(question)
        self.assertEqual(found + "\n" if found else None, said)
        return json.loads(found)["verdict"] if found else "none"

    def test_every_vector_is_judged_as_by_the_command_line_to_the_byte(self) -> None:
        said = questions.all_said()
        words = dict.fromkeys((*WORDS, "none"), 0)
        for question in questions.vectors():
            if question.name in questions.WITHOUT_WORDS:
                continue
            with self.subTest(question.name):
                assert question.expected is not None
                if question.name in questions.BEYOND:
                    found = json.loads(self.found(question))
                    self.assertEqual((found["verdict"], found["code"]), (question.expected["verdict"], question.expected["code"]))
                    continue
                word = self.same(question, said[question.name])
                words[word] += 1
                self.assertIn(word, (question.expected["verdict"], "none"))
        print("vectors:", words, file=sys.stderr)
        self.assertGreater(sum(words.values()), 300, words)
        self.assertGreater(min(words["trusted"], words["rejected"]), 5, words)
        # Those that the command line does not read to their ends.
        self.assertLess(words["none"], 5, words)

    def test_evidence_of_real_machines_is_judged_as_by_the_command_line(self) -> None:
        said = questions.all_said()
        words = dict.fromkeys((*WORDS, "none"), 0)
        for question in questions.real():
            with self.subTest(question.name):
                words[self.same(question, said[question.name])] += 1
        print("real:", words, file=sys.stderr)
        self.assertGreater(sum(words.values()), 10, words)
        self.assertGreater(words["genuine"], 5, words)

    def test_the_function_asks_the_same(self) -> None:
        chosen = {"snp/honest", "tdx/honest", "nvidia/honest", "bundle/snp", "bundle/certificate", "snp/azure"}
        wanted = [question for question in questions.vectors() if question.name in chosen]
        self.assertEqual(len(wanted), len(chosen))
        several = {"cert", "crl", "rim", "ocsp", "statement", "without", "accept_broken"}
        for question in wanted:
            with self.subTest(question.name):
                given: dict[str, object] = {}
                for name, files in question.files.items():
                    given[name] = files if name in several else files[0]
                for name, words in question.words.items():
                    as_bytes = name in ("nonce", "spki", "exporter", "report_data")
                    given[name] = words if name in several else bytes.fromhex(words[0]) if as_bytes else words[0]
                given["policy"] = question.files["policy"][0].decode()
                first = {"snp": "report", "tdx": "quote", "nvidia": "report"}.get(question.kind) or ("bundle" if "bundle" in given else "certificate")
                for bytes_like in (bytes, bytearray, memoryview):
                    file = bytes_like(question.files[first][0])
                    more = {name: value for name, value in given.items() if name != first}
                    found = chrysalis.verify(file, kind=question.kind, at=question.moment, **more)  # type: ignore[call-overload]
                    assert question.expected is not None
                    self.assertEqual((found.verdict, found.code), (question.expected["verdict"], question.expected["code"]))
                    self.assertEqual(found.json + "\n", questions.all_said()[question.name])
                    self.assertEqual(bool(found), found.verdict != "rejected")

    def test_a_refusal_has_its_code_and_its_hint(self) -> None:
        found = chrysalis.verify(b"\xa1\x63cpu\xf6")
        self.assertFalse(found)
        self.assertEqual(found.code, "bundle_item")
        self.assertTrue(found.hint)
        self.assertEqual(repr(found), "<Verdict rejected: bundle_item>")
        self.assertEqual(found, chrysalis.Verdict(found.json))

    def test_a_receipt_has_a_verdict_of_its_own(self) -> None:
        policy = next(it for it in questions.vectors() if it.name == "bundle/snp").files["policy"][0].decode()
        found = chrysalis.verify(b"\xa4\x63job\x41", kind="receipt", policy=policy)
        self.assertIsInstance(found, chrysalis.ReceiptVerdict)
        self.assertFalse(found)
        self.assertTrue(found.code and found.hint)
        self.assertIsNone(found.receipt)
        self.assertEqual(repr(found), f"<ReceiptVerdict rejected: {found.code}>")

    def test_what_makes_no_sense_is_no_verdict(self) -> None:
        for why, ask in [
            ("this is no evidence", lambda: chrysalis.verify(b"hello")),
            ("not an SEV-SNP report", lambda: chrysalis.verify(b"<SoftwareIdentity>", kind="snp")),
            ("cannot be used", lambda: chrysalis.verify(b"hello", kind="snp", policy="version = 1\nnonsense = 2\n")),
            ("a question `snp` has no `chain`", lambda: chrysalis.verify(b"", kind="snp", chain=b"")),
            ("no question has a file `raport`", lambda: chrysalis.verify(b"", kind="snp", raport=b"")),
            ("report was given more than 1 times", lambda: chrysalis.verify(b"", kind="snp", report=b"")),
            ("there is no question `sgx`", lambda: chrysalis.verify(b"", kind="sgx")),
            ("write nonce as 64 hex digits", lambda: chrysalis.verify(b"hello", kind="nvidia", nonce="00")),
            ("nothing to verify without `policy`", lambda: chrysalis.verify(b"", kind="receipt")),
            ("`nonce` goes with `spki`", lambda: chrysalis.verify(b"", nonce=bytes(32))),
            ("nothing goes without `crl`", lambda: chrysalis.verify(b"hello", kind="tdx", collateral=b"hello", without=["crl"])),
        ]:
            with self.subTest(why), self.assertRaisesRegex(chrysalis.Unusable, why):
                ask()  # type: ignore[no-untyped-call]
        for wrong in (
            lambda: chrysalis.verify("evidence.cbor"),  # type: ignore[call-overload]
            lambda: chrysalis.verify(b"", kind="snp", cert=b"one"),  # type: ignore[arg-type]
            lambda: chrysalis.verify(b"", without="crl"),
            lambda: chrysalis.verify(b"", kind="snp", at=1),  # type: ignore[call-overload]
        ):
            with self.assertRaises((TypeError, AttributeError)):
                wrong()
        with self.assertRaisesRegex(ValueError, "time zone"):
            chrysalis.verify(b"", at=datetime.datetime(2026, 12, 1))

    def test_other_threads_run_meanwhile(self) -> None:
        """The interpreter's lock is released: with it held, nobody could count between a call and its return."""
        question = next(it for it in questions.vectors() if it.name == "nvidia/honest").parts()
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
            _native.verdict(*question)
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
