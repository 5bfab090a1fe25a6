"""Keeps the files that a script made, by name and pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.tasks.contract.services import Files
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.files.beneath import open_beneath
from penstock.tasks.files.globs import is_pattern, matcher
from penstock.tasks.files.input_files import file_errors, found

Upload = Callable[[str, Path], str]
"""Keeps a file under a name, and gives its URI."""


def upload_to(files: Files) -> Upload:
    """The upload that keeps files as those of a task run."""

    def upload(name: str, path: Path) -> str:
        with path.open("rb") as source:
            return files.put(name, source)

    return upload


@dataclass
class Kept:
    """The files that were kept, and the patterns that matched none."""

    files: dict[str, str] = field(default_factory=dict)
    """The URIs of the files by name."""
    notes: list[str] = field(default_factory=list)
    """Notes for the author of the flow."""
    unmatched: list[str] = field(default_factory=list)
    """Patterns that no file matched."""

    def check_names(self, *, strict: bool) -> None:
        """Note the names and patterns that matched no file.

        In Kestra (`FilesService.outputFiles`) a pattern may match nothing. So it may here, and a
        note says so; but a file that is named in full has to exist.

        With ``strict`` it raises :class:`TaskFailure` for such a file.
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


def keep_made(
    work: Path,
    output: Path,
    wanted: Iterable[str],
    upload: Upload,
    kept: Kept,
    *,
    all_output: bool,
    strict: bool,
) -> None:
    """Keep what a script made: the files that match in its working directory and in its output
    directory, or all files of the latter. Of two files of one name the working directory's counts.

    Raises :class:`TaskFailure`, with ``strict`` for a missing file too, and what the upload raises.
    """
    wanted = list(wanted)
    places = {name: output for name, _ in found(output, ["**"] if all_output else wanted)}
    places |= {name: work for name, _ in found(work, wanted)}
    _keep(places, wanted, upload, kept)
    kept.check_names(strict=strict)


def keep_beneath(directory: Path, wanted: Iterable[str], upload: Upload, kept: Kept) -> None:
    """Keep the files that match. Raises :class:`TaskFailure` and what the upload raises."""
    wanted = list(wanted)
    places = {name: directory for name, _ in found(directory, wanted)}
    _keep(places, wanted, upload, kept)


def _keep(places: Mapping[str, Path], wanted: Iterable[str], upload: Upload, kept: Kept) -> None:
    """Keep files by name, each from its directory; note the patterns that match none of them."""
    for pattern in wanted:
        matches = matcher([pattern])
        if not any(map(matches, places)):
            kept.unmatched.append(pattern)
    for name, directory in places.items():
        with file_errors(name), open_beneath(directory, name) as file:
            kept.files[name] = upload(name, Path(f"/proc/self/fd/{file.fileno()}"))
