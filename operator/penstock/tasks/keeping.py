"""Keeping the files that a script made, by name and pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from penstock.tasks.beneath import open_beneath
from penstock.tasks.contract import TaskFailure
from penstock.tasks.globs import is_pattern, matcher
from penstock.tasks.working_files import file_errors, found

Upload = Callable[[str, Path], str]
"""Keeps a file under a name; its URI."""


@dataclass
class Kept:
    """What was kept, and what was not."""

    files: dict[str, str] = field(default_factory=dict)
    """URIs by name."""
    notes: list[str] = field(default_factory=list)
    """What is worth telling."""
    unmatched: list[str] = field(default_factory=list)
    """Patterns that no file matched."""

    def check_names(self, *, strict: bool) -> None:
        """Tell of what was asked for and is not there.

        In Kestra (`FilesService.outputFiles`) a pattern may match nothing. So it may here, and a
        note says so; but a file that is asked for by its whole name has to be there.

        Raises :class:`TaskFailure` where ``strict``.
        """
        names = [item for item in self.unmatched if not is_pattern(item)]
        patterns = [item for item in self.unmatched if is_pattern(item)]
        if names:
            missing = ", ".join(f"`{name}`" for name in names)
            words = f"property `outputFiles`: the task made no file {missing}"
            if strict:
                raise TaskFailure(f"{words} in its working directory")
            self.notes.append(words)
        if patterns:
            listed = ", ".join(f"`{pattern}`" for pattern in patterns)
            self.notes.append(f"property `outputFiles`: no file matches {listed}")


def keep_beneath(directory: Path, wanted: Iterable[str], upload: Upload, kept: Kept) -> None:
    """Keep the files that match. Raises :class:`TaskFailure` and what the upload raises."""
    wanted = list(wanted)
    files = list(found(directory, wanted))
    for pattern in wanted:
        matches = matcher([pattern])
        if not any(matches(name) for name, _ in files):
            kept.unmatched.append(pattern)
    for name, _ in files:
        with file_errors(name), open_beneath(directory, name) as file:
            kept.files[name] = upload(name, Path(f"/proc/self/fd/{file.fileno()}"))
