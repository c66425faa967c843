"""Hostile files in every place of a question: what the command line says of them, within bounds, and nothing worse.

CHRYSALIS_TOOLS: the folder of `chrysalis`.
"""

import json
import random
import resource
import sys
import unittest

import hostile
import questions

import chrysalis
from chrysalis import _native


class Hostile(unittest.TestCase):
    def found(self, question: questions.Question) -> "str | None":
        """The verdict; None where there is none."""
        try:
            return _native.verdict(*question.parts()) + "\n"
        except chrysalis.Unusable as error:
            self.assertGreater(len(str(error)), 10)
            return None

    def test_every_hostile_file_is_judged_as_by_the_command_line(self) -> None:
        refused, unusable = 0, 0
        for question in hostile.asked():
            with self.subTest(question.name):
                found = self.found(question)
                self.assertEqual(found, questions.said(question))
                refused += found is not None
                unusable += found is None
        print(f"{refused} refused, {unusable} unusable", file=sys.stderr)
        self.assertGreater(min(refused, unusable), 50)

    def test_damaged_files_end_in_a_verdict_or_in_no_verdict(self) -> None:
        """Every vector's files, cut, overwritten and blown up."""
        asked = judged = 0
        for question in questions.damaged(random.Random(20), 0.25):
            found = self.found(question)
            asked += 1
            judged += found is not None
            if found is not None:
                self.assertIn(json.loads(found)["verdict"], ("trusted", "genuine", "rejected"))
        self.assertGreater(asked, 500)
        self.assertGreater(judged, 100)

    def test_what_is_too_long_is_not_judged(self) -> None:
        with self.assertRaisesRegex(chrysalis.Unusable, r"bundle has more than \d+ bytes"):
            chrysalis.verify(bytes(64 << 20))

    @classmethod
    def tearDownClass(cls) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert peak < 300 * 1024, f"{peak} KiB"


if __name__ == "__main__":
    unittest.main()
