"""The problems of a flow file, in words for the person who wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Location = tuple[str | int, ...]
"""Where in a document: keys and list indexes from the top."""


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

    @property
    def path(self) -> str:
        return format_location(self.location)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.location else self.message

    def at_line(self, line: int | None) -> Problem:
        return replace(self, line=line)


class InvalidFlow(Exception):
    """A flow can't be accepted. The error carries every problem, not only the first."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        """What its author should know besides."""
