"""The page on security names, for each attack that once succeeded, tests that are there."""

from __future__ import annotations

import re

import pytest

from e2e.bench.hostile.__main__ import ATTACKS
from tests.unit.docs.snippets import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [
    (number, tests)
    for number, tests in re.findall(r"^\| H(\d+) \| [^|]+ \| (.+) \|$", PAGE, re.MULTILINE)
]
TESTS = re.compile(r"\[([\w/.]+)\]\(\.\./\1\): ((?:`\w+`(?:, )?)+)")


def test_no_number_is_left_out() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 17))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"H{row[0]}")
def test_the_tests_of_an_attack_are_there(row: tuple[str, str]) -> None:
    found = TESTS.findall(row[1])
    assert found
    for file, names in found:
        text = (ROOT / file).read_text()
        missing = [name for name in re.findall(r"`(\w+)`", names) if f"def {name}(" not in text]
        assert not missing, file


def test_what_the_bench_does_by_number_is_told() -> None:
    numbers = {re.match(r"h(\d+)", attack.name) for attack in ATTACKS}
    known = {number for number, _ in ROWS}
    assert {found[1] for found in numbers if found is not None} <= known
