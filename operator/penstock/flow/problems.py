"""The problems of a flow file, in words for the person who wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

Location = tuple[str | int, ...]
"""A place in a document: keys and list indexes from the top."""

MAX_PROBLEMS = 1000
"""The most problems of a flow that are told, and the most warnings. A flow with more is wrong in
one way many times, or was made to be."""
_MORE = "; and 999999999 more"


def format_location(location: Location) -> str:
    """A location as people write it: ``("tasks", 2, "message")`` as ``tasks[2].message``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def shortened(text: str, length: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a flow, and where."""

    location: Location
    message: str
    code: str = "invalid"
    line: int | None = None
    """The line in the file, counted from 1; None where the document did not come from text."""
    warning: bool = False
    """Whether the problem is a warning: people are told, and the flow is not refused."""
    type_name: str | None = None
    """The type that is wrong or not served, for a problem with a type. It may come from a
    default."""
    stands_for: int = 1
    """How many problems it tells of; more than one for the line behind those that are told."""

    @property
    def path(self) -> str:
        return format_location(self.location)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.location else self.message

    def at_line(self, line: int | None) -> Problem:
        return replace(self, line=line)


def bounded(problems: Sequence[Problem], most: int = MAX_PROBLEMS) -> list[Problem]:
    """The first problems, at most so many; the last one tells how many more there are."""
    if len(problems) <= most:
        return list(problems)
    first, rest = problems[: most - 1], problems[most - 1 :]
    count = sum(problem.stands_for for problem in rest)
    kind = "warnings" if rest[0].warning else "problems"
    message = f"and {count} more {kind}"
    more = Problem((), message, "more", rest[0].line, rest[0].warning, stands_for=count)
    return [*first, more]


def problems_text(
    problems: Sequence[Problem], most: int, words: Callable[[Problem], str] = str
) -> str:
    """Problems in one line of at most so many characters, which tells how many more there are."""
    left, shown = most - len(_MORE), list[str]()
    for problem in problems:
        text = shortened(words(problem), left)
        if (shown and len(text) + 2 > left) or problem.stands_for > 1:
            break
        shown.append(text)
        left -= len(text) + 2
    more = sum(problem.stands_for for problem in problems[len(shown) :])
    return "; ".join([*shown, f"and {more} more"] if more else shown)


class InvalidFlow(Exception):
    """A flow can't be accepted. The error carries every problem, not only the first."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        """The warnings beside the problems."""
