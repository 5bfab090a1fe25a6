"""The archived logs in the internal storage, below the folder of their execution:

    …/executions/<id>/logs/<uid>/<task run>.<attempt>.00000.log
    …/executions/<id>/logs/<uid>/<task run>.<attempt>.00001.log     as the task runs on
    …/executions/<id>/logs/<uid>/<task run>.<attempt>.end.log       when it has ended

The uid is that of the Execution, so that a later one of its name has other logs; what versions
before wrote without that folder is read as it is. A part begins with a line of JSON that says whose
log it is; after it stand the kubelet's own lines, with their times. They are no files of the
execution: no URI leads to them.
"""

from __future__ import annotations

import heapq
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from penstock.kubernetes.logs.lines import Line, LineReader, Source, entry
from penstock.storage.errors import FileMissing
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace, checked, own_part

_FOLDER = "logs/"
_NAME = re.compile(r"(?P<run>.+)\.(?P<attempt>\d{1,6})\.(?P<part>\d{5}|end)\.log")
_END = "end"
_MAX_OPEN = 16
"""The most logs that are read at once. A bucket's files take some MiB of memory each while they are
read."""

Key = tuple[str, int]
"""A task run's id, and the attempt's number."""


@dataclass(frozen=True)
class Part:
    """The first line of a part: whose log it is, and how far it goes."""

    source: Source
    first: str
    """When the first line of the part was printed."""
    last: str
    """When the last line of the part was printed."""
    size: int
    """The bytes of all parts up to this one, itself included."""

    def to_json(self) -> dict[str, Any]:
        source = self.source
        return {
            "log": 1,
            "task": source.task,
            "taskRun": source.task_run,
            "attempt": source.attempt,
            "value": source.value,
            "levels": source.levels,
            "first": self.first,
            "last": self.last,
            "size": self.size,
        }

    @classmethod
    def from_json(cls, text: bytes) -> Part:
        """Read the first line of a part. Raises ``ValueError``."""
        try:
            found = json.loads(text)
            source = Source(
                str(found["task"]),
                str(found["taskRun"]),
                int(found["attempt"]),
                found["value"],
                bool(found["levels"]),
            )
            return cls(source, str(found["first"]), str(found["last"]), int(found["size"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no part of a log begins like this: {error!r}") from None


class LogArchive:
    """The archived logs of one execution."""

    def __init__(self, storage: Storage, place: ExecutionPlace, owner: str | None = None) -> None:
        """``owner`` is the uid of the Execution. Without it the logs of each that has had the name
        are read, and none are written."""
        self._storage = storage
        self._folder = f"{place.folder}{_FOLDER}"
        self._owner = None if owner is None else own_part(owner)

    def write(self, part: Part, number: int | None, lines: BinaryIO) -> None:
        """Keep lines as a part of a log; without a number they are the last part."""
        key = (part.source.task_run, part.source.attempt)
        self.rewrite(self._path(key, number), part, lines)

    def has_ended(self, key: Key) -> bool:
        """Whether the whole log of an attempt is archived."""
        return self._storage.exists(self._path(key, None))

    def parts(self, key: Key) -> tuple[int, Part | None]:
        """The number of parts of a log that has not ended, and the first line of the last one."""
        count = 0
        while self._storage.exists(self._path(key, count)):
            count += 1
        return count, self._part(self._path(key, count - 1)) if count else None

    def delete(self) -> None:
        """Delete all logs of the Execution."""
        for path in list(self._storage.list(self._own_folder)):
            self._storage.delete(path)

    def ended(self) -> Iterator[list[str]]:
        """Yield the paths of the parts of each log that is archived to its end, in order."""
        return (paths for _, paths in self._paths() if paths[-1].endswith(f".{_END}.log"))

    @contextmanager
    def open(self, path: str) -> Iterator[tuple[Part, BinaryIO]]:
        """Open a part: gives its first line and the rest. Raises ``FileMissing``, also for a file
        that is no part."""
        with self._storage.open(path) as file:
            try:
                part = Part.from_json(file.readline())
            except ValueError as error:
                raise FileMissing(f"{path}: {error}") from None
            yield part, file

    def rewrite(self, path: str, part: Part, lines: BinaryIO) -> None:
        """Replace the lines of a part."""
        with self._storage.writing(path) as file:
            file.write(json.dumps(part.to_json()).encode() + b"\n")
            shutil.copyfileobj(lines, file)

    def remove(self, path: str) -> None:
        """Delete a part."""
        self._storage.delete(path)

    def attempts(self) -> dict[Key, bool]:
        """The attempts that have archived logs; for each, whether the whole log is archived."""
        return {key: _END in parts for key, parts in self._found()}

    def entries(self, wanted: Callable[[Key], bool]) -> Iterator[dict[str, Any]]:
        """The entries of the wanted attempts, in the order of time: see :func:`entry`.

        Where too many logs run side by side, the entries of those that began last come a little
        late.
        """
        waiting = [
            (part.first, key, part.source, paths)
            for key, paths in self._paths()
            if wanted(key) and (part := self._part(paths[0])) is not None
        ]
        logs = (
            (first, key, source, self._lines(source, paths))
            for first, key, source, paths in sorted(waiting, key=lambda item: item[:2])
        )
        return merged(logs)

    def _lines(self, source: Source, paths: list[str]) -> Iterator[Line]:
        return LineReader(source.levels).read_all(
            line for path in paths for line in self._raw(path)
        )

    def _raw(self, path: str) -> Iterator[bytes]:
        try:
            with self._storage.open(path) as file:
                file.readline()
                yield from file
        except FileMissing:  # purged while it is read
            return

    def _paths(self) -> Iterator[tuple[Key, list[str]]]:
        for key, parts in self._found():
            yield key, [parts[name] for name in sorted(parts)]

    def _found(self) -> Iterator[tuple[Key, dict[str, str]]]:
        """Yield each log that is archived with the paths of its parts, by name; the name of the
        last part sorts last."""
        found: dict[tuple[str, Key], dict[str, str]] = {}
        for path in self._storage.list(self._folder):
            owner, _, name = path.removeprefix(self._folder).rpartition("/")
            match = _NAME.fullmatch(name)
            if match is not None and (self._owner is None or owner in ("", self._owner)):
                key = (match["run"], int(match["attempt"]))
                found.setdefault((owner, key), {})[match["part"]] = path
        begun_anew = {key for owner, key in found if owner}
        for (owner, key), parts in found.items():
            if owner or key not in begun_anew:
                yield key, parts

    def _part(self, path: str) -> Part | None:
        try:
            with self.open(path) as (part, _):
                return part
        except FileMissing:
            return None

    def _path(self, key: Key, number: int | None) -> str:
        run, attempt = key
        part = _END if number is None else f"{number:05}"
        return checked(f"{self._own_folder}{run}.{attempt}.{part}.log")

    @property
    def _own_folder(self) -> str:
        if self._owner is None:
            raise ValueError("logs are written for an Execution that is known by its uid")
        return f"{self._folder}{self._owner}/"


def merged(
    logs: Iterable[tuple[str, Key, Source, Iterator[Line]]], limit: int = _MAX_OPEN
) -> Iterator[dict[str, Any]]:
    """Merge logs into entries in the order of time. The logs come in the order of their beginnings,
    the first item of each; no more than ``limit`` are read at once.
    """
    open_: list[tuple[str, Key, int, Line, Source, Iterator[Line]]] = []
    to_come = iter(logs)
    waiting = next(to_come, None)
    number = 0
    while open_ or waiting is not None:
        while waiting is not None and (
            not open_ or (len(open_) < limit and waiting[0] <= open_[0][0])
        ):
            _, key, source, lines = waiting
            waiting = next(to_come, None)
            number += 1
            line = next(lines, None)
            if line is not None:
                heapq.heappush(open_, (line.at, key, number, line, source, lines))
        if not open_:
            continue
        _, key, order, line, source, lines = open_[0]
        yield entry(source, line)
        following = next(lines, None)
        if following is None:
            heapq.heappop(open_)
        else:
            heapq.heapreplace(open_, (following.at, key, order, following, source, lines))
