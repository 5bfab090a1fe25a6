"""Patterns of file names."""

from __future__ import annotations

import pytest

from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.files.globs import matcher


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a.txt", ["a.txt"], ["x/a.txt", "axtxt"]),
        ("*.txt", ["a.txt", ".txt"], ["x/a.txt", "a.txt.gz"]),
        ("out/*", ["out/a"], ["out/x/a", "out"]),
        ("out/**", ["out/a", "out/x/a"], ["a"]),
        ("**/*.sql", ["a.sql", "x/y/a.sql"], ["a.sq"]),
        ("./a?.{csv,t[!x]t}", ["ab.csv", "ab.tyt"], ["a.csv", "ab.txt", "a/.csv"]),
        ("[a-c]/\\*", ["b/*"], ["d/*", "b/x"]),
        ("glob:a", ["a"], ["b"]),
    ],
)
def test_a_pattern_matches_paths(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = matcher([pattern])
    assert [path for path in matching + others if matches(path)] == matching


def test_a_pattern_may_match_below_any_folder() -> None:
    matches = matcher(["*.py", "/ignore/**"], anywhere=True)
    paths = ["a.py", "x/y/a.py", "ignore/x", "x/ignore/x"]
    assert [path for path in paths if matches(path)] == ["a.py", "x/y/a.py", "ignore/x"]


def test_what_is_no_pattern_is_told_of() -> None:
    with pytest.raises(TaskFailure, match="left open"):
        matcher(["{a,b"])
