"""`python -m e2e.suite`: the end-to-end tests, side by side where they may be, the others alone.

A test has a namespace of its own, so most of them share the cluster without noticing each other.
Those marked `alone` take something from all others (the controller, a server) and run after them,
one by one. Both parts always run. What is given goes to pytest: `-k retry -x`, or `-n 3` for other
than the usual number of workers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

ROOT = "e2e/tests"
WORKERS = 5
"""How many tests run at once: one alone leaves two cores idle three quarters of its time."""

_GOOD = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


@dataclass(frozen=True)
class Part:
    """Some of the tests, and how pytest runs them."""

    title: str
    marked: str
    """An expression over markers, which says which tests they are."""
    before: tuple[str, ...] = ()
    """Options that what is given may replace."""
    after: tuple[str, ...] = ()
    """Options that stay."""

    def arguments(self, given: Sequence[str]) -> list[str]:
        """pytest's arguments, with what a person gave; their `-m` selects among these tests."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("-m", dest="marked")
        found, others = parser.parse_known_args(given)
        marked = f"({found.marked}) and {self.marked}" if found.marked else self.marked
        return [ROOT, *self.before, *others, "-m", marked, *self.after]


PARTS = (
    Part("side by side", "not alone", before=("-n", str(WORKERS))),
    Part("alone", "alone", after=("-n", "0")),
)


def main(given: Sequence[str]) -> int:
    """Run all parts, and say how long each took; the exit status of the first that failed."""
    statuses, told = [], []
    for part in PARTS:
        print(f"--- end-to-end tests, {part.title}", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", *part.arguments(given)]
        status = subprocess.run(command, check=False).returncode
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        statuses.append(status)
        told.append(f"{part.title}: {_in_words(status)} after {minutes} min {seconds} s")
    print("--- end-to-end tests, " + "; ".join(told), flush=True)
    return combined(statuses)


def combined(statuses: Sequence[int]) -> int:
    """The exit status of all parts. One without a test is good where another had some."""
    for status in statuses:
        if status not in _GOOD:
            return status
    return min(statuses)


def _in_words(status: int) -> str:
    return {0: "passed", 5: "no test selected"}.get(status, f"failed (exit status {status})")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
