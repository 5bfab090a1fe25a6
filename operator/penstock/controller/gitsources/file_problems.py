"""What is wrong with the files of a commit: counted, and as much in words as a status holds."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.controller.gitsources.sourcefiles import LONGEST_PROBLEM
from penstock.flow.problems import Problem
from penstock.resources.gitsource import MAX_PROBLEMS, FileProblem

_MOST_BYTES = 256 * 1024
_IN_MESSAGE = 10
"""Problems that a condition names."""


class FileProblems:
    """The problems of a commit, as they are found: all are counted, and the first ones kept."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._count = 0
        self._kept: list[tuple[FileProblem, int]] = []
        """The first ones, each with the number of problems that it stands for."""
        self._left_out: FileProblem | None = None
        """The first one that is not kept."""
        self._room = _MOST_BYTES

    def add(self, path: str, problems: Iterable[Problem]) -> None:
        """Take problems of a file."""
        for item in problems:
            message = str(item)[:LONGEST_PROBLEM]
            problem = FileProblem(path=path, line=item.line, message=message)
            self._add(problem, item.stands_for)

    def add_told(self, problems: Iterable[FileProblem]) -> None:
        """Take problems that are in words already."""
        for problem in problems:
            self._add(problem, 1)

    @property
    def files(self) -> int:
        """How many files have one."""
        return len(self._paths)

    def listed(self) -> list[FileProblem]:
        """The first ones. Where there are more, the last line says how many."""
        return self._first(MAX_PROBLEMS)

    def text(self) -> str:
        """A few of them in one line, which says how many more there are."""
        return "; ".join(map(format_problem, self._first(_IN_MESSAGE)))

    def _first(self, most: int) -> list[FileProblem]:
        kept = [problem for problem, _ in self._kept]
        if len(kept) <= most and self._left_out is None:
            return kept
        shown = min(len(kept), most - 1)
        more = self._count - sum(count for _, count in self._kept[:shown])
        next_one = kept[shown] if shown < len(kept) else self._left_out
        assert next_one is not None
        return [*kept[:shown], next_one.model_copy(update={"message": f"and {more} more problems"})]

    def _add(self, problem: FileProblem, stands_for: int) -> None:
        self._paths.add(problem.path)
        self._count += stands_for
        if self._left_out is not None:
            return
        self._room -= len(format_problem(problem).encode("utf-8", "surrogatepass"))
        if len(self._kept) < MAX_PROBLEMS and self._room >= 0:
            self._kept.append((problem, stands_for))
        else:
            self._left_out = problem


def format_problem(problem: FileProblem) -> str:
    """A problem as `file:line: message`."""
    line = f":{problem.line}" if problem.line is not None else ""
    return f"{problem.path}{line}: {problem.message}"
