"""The files of a folder that are left out, by `.penstockignore` or by patterns of the command line.

Patterns are those of `.gitignore`. A file named `.penstockignore` counts for its own folder and all
below it; the one that stands nearest to a file decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".penstockignore"
_MAX_BYTES = 100_000


class FolderProblem(Exception):
    """A folder can't be searched; the text tells the person who named it why."""


@dataclass(frozen=True)
class Patterns:
    """Patterns, and the folder to which they are relative."""

    folder: Path
    """The absolute path of the folder."""
    spec: GitIgnoreSpec

    def verdict(self, path: Path, *, is_folder: bool) -> bool | None:
        """Whether a path is left out; None where no pattern says anything of it."""
        try:
            below = _absolute(path).relative_to(self.folder).as_posix()
        except ValueError:
            return None
        return self.spec.check_file(f"{below}/" if is_folder else below).include


def excluded(patterns: Iterable[str], folder: Path) -> list[Patterns]:
    """The patterns of the command line, relative to the named folder and to the working directory.

    Raises :class:`FolderProblem`.
    """
    lines = list(patterns)
    if not lines:
        return []
    spec = _spec(lines, "--exclude")
    return [Patterns(_absolute(folder), spec), Patterns(Path.cwd(), spec)]


def ignore_files_above(folder: Path) -> list[Patterns]:
    """The `.penstockignore` of the folders from the working directory down to this one's parent."""
    here = Path.cwd()
    above = [parent for parent in _absolute(folder).parents if parent.is_relative_to(here)]
    return [found for parent in reversed(above) for found in ignore_file_in(parent)]


def ignore_file_in(folder: Path) -> Iterator[Patterns]:
    """The patterns of a folder's own `.penstockignore`, if it has one."""
    file = folder / IGNORE_FILE
    try:
        if not file.is_file():
            return
        with file.open("rb") as opened:
            text = opened.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise FolderProblem(f"{file} can't be read: {error.strerror}") from error
    yield Patterns(_absolute(folder), _spec(text.splitlines(), str(file)))


def is_left_out(path: Path, rules: Iterable[Patterns], *, is_folder: bool) -> bool:
    """Whether the last of the rules that says anything of a path leaves it out."""
    verdicts = (rule.verdict(path, is_folder=is_folder) for rule in rules)
    said = [verdict for verdict in verdicts if verdict is not None]
    return bool(said) and said[-1]


def _absolute(path: Path) -> Path:
    """The absolute path without `..`, which patterns do not understand."""
    return Path(os.path.abspath(path))


def _spec(lines: list[str], source: str) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise FolderProblem(f"{source}: {error}; write patterns as in .gitignore") from error
