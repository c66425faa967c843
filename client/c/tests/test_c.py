"""A C program, compiled by gcc against the static and the shared library: the verdicts of the command line, to the byte, and clean memory.

CHRYSALIS_C: the folder of libchrysalis_verify.a and .so. CHRYSALIS_TOOLS: that of `chrysalis`.
"""

import base64
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "python" / "tests"))

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

    def test_every_vector_is_judged_as_by_the_command_line_to_the_byte(self) -> None:
        said = questions.all_said()
        chosen = [(name, folder, request) for name, folder, request in questions.vectors() if name not in questions.BEYOND]
        asked = [json.dumps(questions.question(folder, request)).encode() for _, folder, request in chosen]
        for shared in (False, True):
            answers = self.answers([self.program(f"verify-{shared}", shared=shared)], asked)
            for (name, _, _), answer in zip(chosen, answers):
                with self.subTest(name):
                    self.assertEqual(answer + "\n", said[name])

    def hostile(self) -> list[bytes]:
        """Questions with damaged files, and no questions at all."""
        chance = random.Random(21)
        asked = [b"{}", b"[" * 100_000, b"\xff\xfe", b'{"kind":"snp","report":"' + b"QUJD" * 400_000 + b'"}', b'{"kind":"bundle","evidence":7}']
        for name, folder, request in questions.vectors():
            if name in questions.BEYOND or chance.random() > 0.15:
                continue
            question = questions.question(folder, request)
            for key in [key for key in question if key in questions.FILES]:
                value = question[key]
                data = bytearray(base64.b64decode(value[0] if isinstance(value, list) else value))
                at = chance.randrange(len(data) + 1)
                if chance.random() < 0.5:
                    del data[at:]
                elif data:
                    data[at % len(data)] ^= 1 << chance.randrange(8)
                changed = base64.b64encode(data).decode()
                asked.append(json.dumps({**question, key: [changed, *value[1:]] if isinstance(value, list) else changed}).encode())
        return asked

    def test_hostile_bytes_end_in_an_answer_and_leave_memory_clean(self) -> None:
        asked = self.hostile()
        self.assertGreater(len(asked), 100)
        program = self.program("verify-asan", "-fsanitize=address,undefined", "-fno-omit-frame-pointer")
        for answer in self.answers([program], asked, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0"):
            found = json.loads(answer)
            self.assertTrue("error" in found or found["verdict"] in ("trusted", "genuine", "rejected"), found)
            self.assertNotIn("bug", found.get("error", ""))

    def test_valgrind_finds_nothing(self) -> None:
        if shutil.which("valgrind") is None:
            self.skipTest("no valgrind here")
        chosen = {"bundle/snp", "snp/report-length", "bundle/bundle-malformed"}
        asked = [json.dumps(questions.question(folder, request)).encode() for name, folder, request in questions.vectors() if name in chosen]
        valgrind = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", self.program("verify-valgrind")]
        self.answers(valgrind, [*asked, b"{}"])


if __name__ == "__main__":
    unittest.main()
