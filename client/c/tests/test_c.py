"""A C program, compiled by gcc against the static and the shared library: the verdicts of the command line, to the byte, and clean memory.

CHRYSALIS_C: the folder of libchrysalis_verify.a and .so. CHRYSALIS_TOOLS: that of `chrysalis`.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from typing import Optional

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "python" / "tests"))

import hostile  # noqa: E402
import questions  # noqa: E402

LIBRARIES = pathlib.Path(os.environ.get("CHRYSALIS_C", str(questions.ROOT / "target" / "debug")))
# What the Rust standard library calls.
SYSTEM = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]


class C(unittest.TestCase):
    folder: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        if not (LIBRARIES / "libchrysalis_verify.a").exists():
            raise unittest.SkipTest(f"no libchrysalis_verify.a in {LIBRARIES}: cargo build -p chrysalis-c")
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def program(self, name: str, *more: str, shared: bool = False) -> str:
        path = self.folder / name
        library = ["-L", str(LIBRARIES), "-lchrysalis_verify", f"-Wl,-rpath,{LIBRARIES}"]
        if not shared:
            library = [str(LIBRARIES / "libchrysalis_verify.a"), *SYSTEM]
        compile_it = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-g", *more, "-I", str(HERE.parent / "include"), str(HERE / "verify.c")]
        subprocess.run([*compile_it, "-o", str(path), *library], check=True)
        return str(path)

    def answers(self, program: list[str], asked: list[bytes], **environment: str) -> list[str]:
        ran = subprocess.run(
            program, input=b"".join(line + b"\n" for line in asked), capture_output=True, check=False, env={**os.environ, **environment}
        )
        self.assertEqual(ran.returncode, 0, ran.stderr.decode(errors="replace")[-4000:])
        answers = ran.stdout.decode().splitlines()
        self.assertEqual(len(answers), len(asked))
        return answers

    def same(self, answer: str, said: Optional[str]) -> str:
        """The verdict, which has to be what the command line said, to the byte; or neither has one."""
        found = json.loads(answer)
        if "error" in found:
            self.assertEqual(list(found), ["error"])
            self.assertNotIn("bug", found["error"])
            self.assertIsNone(said, found["error"])
            return "none"
        self.assertEqual(answer + "\n", said)
        word: str = found["verdict"]
        return word

    def test_all_evidence_is_judged_as_by_the_command_line_to_the_byte(self) -> None:
        said = questions.all_said()
        chosen = [it for it in (*questions.vectors(), *questions.real()) if it.name not in questions.WITHOUT_WORDS]
        asked = [question.json() for question in chosen]
        for shared in (False, True):
            answers = self.answers([self.program(f"verify-{shared}", shared=shared)], asked)
            words = {"trusted": 0, "genuine": 0, "rejected": 0, "none": 0}
            for question, answer in zip(chosen, answers):
                with self.subTest(question.name):
                    if question.name in questions.BEYOND:
                        assert question.expected is not None
                        self.assertEqual(json.loads(answer)["code"], question.expected["code"])
                        continue
                    words[self.same(answer, said[question.name])] += 1
            print(words, file=sys.stderr)
            self.assertGreater(sum(words.values()), 310, words)
            self.assertGreater(min(words["trusted"], words["genuine"], words["rejected"]), 5, words)

    def test_hostile_bytes_end_in_an_answer_and_leave_memory_clean(self) -> None:
        """Questions with damaged files, files made to break programs, and no questions at all."""
        asked = [b"{}", b"[" * 100_000, b"\xff\xfe", b'{"kind":' * 50_000, b'{"kind":"bundle","files":{"bundle":7}}', b'{"kind":"snp","words":{"without":["' + b'crl","' * 1_000_000 + b'"]}}']
        asked += [question.json() for question in questions.damaged(random.Random(21), 0.08)]
        self.assertGreater(len(asked), 100)
        made_to = list(hostile.asked())
        program = self.program("verify-asan", "-fsanitize=address,undefined", "-fno-omit-frame-pointer")
        answers = self.answers([program], [*asked, *(question.json() for question in made_to)], ASAN_OPTIONS="detect_leaks=1:abort_on_error=0")
        for answer in answers[: len(asked)]:
            found = json.loads(answer)
            self.assertTrue("error" in found or found["verdict"] in ("trusted", "genuine", "verified", "rejected"), found)
            self.assertNotIn("bug", found.get("error", ""))
        for question, answer in zip(made_to, answers[len(asked) :]):
            with self.subTest(question.name):
                self.same(answer, questions.said(question))

    def test_valgrind_finds_nothing(self) -> None:
        if shutil.which("valgrind") is None:
            self.skipTest("no valgrind here")
        chosen = {"bundle/snp", "snp/report-length", "bundle/bundle-malformed"}
        asked = [question.json() for question in questions.vectors() if question.name in chosen]
        self.assertEqual(len(asked), len(chosen))
        valgrind = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", self.program("verify-valgrind")]
        self.answers(valgrind, [*asked, b"{}"])


if __name__ == "__main__":
    unittest.main()
