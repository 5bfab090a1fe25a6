"""Logs in the internal storage, below the folder of their execution:

    …/executions/<id>/logs/<task run>.<attempt>.00000.log
    …/executions/<id>/logs/<task run>.<attempt>.00001.log     as the task runs on
    …/executions/<id>/logs/<task run>.<attempt>.end.log       when it has ended

A part begins with a line of JSON that says whose log it is; after it stand the kubelet's own lines,
with their times. Nothing of this is a file of the execution: no URI leads to it.
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
from penstock.storage.uris import ExecutionPlace, checked

_FOLDER = "logs/"
_NAME = re.compile(r"(?P<run>.+)\.(?P<attempt>\d{1,6})\.(?P<part>\d{5}|end)\.log")
_END = "end"
_MAX_OPEN = 16
"""Logs that are read at once. A bucket's files take some MiB of memory each while they are read."""

Key = tuple[str, int]
"""A task run's id, and the attempt's number."""


@dataclass(frozen=True)
class Part:
    """What the first line of a part says."""

    source: Source
    first: str
    """When its first line was printed."""
    last: str
    """When its last line was printed."""
    size: int
    """Bytes of all parts up to this one."""

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
        """Raises ``ValueError``."""
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
    """The logs of one execution."""

    def __init__(self, storage: Storage, place: ExecutionPlace) -> None:
        self._storage = storage
        self._folder = f"{place.folder}{_FOLDER}"

    def write(self, part: Part, number: int | None, lines: BinaryIO) -> None:
        """Keep the lines as a part; without a number as the last one."""
        key = (part.source.task_run, part.source.attempt)
        self.rewrite(self._path(key, number), part, lines)

    def has_ended(self, key: Key) -> bool:
        """Whether all of an attempt's log is there."""
        return self._storage.exists(self._path(key, None))

    def parts(self, key: Key) -> tuple[int, Part | None]:
        """How many parts there are of a log that has not ended, and what the last one says."""
        count = 0
        while self._storage.exists(self._path(key, count)):
            count += 1
        return count, self._part(self._path(key, count - 1)) if count else None

    def delete(self) -> None:
        """Let nothing of it be left."""
        for path in list(self._storage.list(self._folder)):
            self._storage.delete(path)

    def ended(self) -> Iterator[list[str]]:
        """The paths of the parts of each attempt's log that is there to its end, in order."""
        return (paths for _, paths in self._paths() if paths[-1].endswith(f".{_END}.log"))

    @contextmanager
    def open(self, path: str) -> Iterator[tuple[Part, BinaryIO]]:
        """What a part says of itself, and its lines. Raises ``FileMissing``, also where it is no
        part."""
        with self._storage.open(path) as file:
            try:
                part = Part.from_json(file.readline())
            except ValueError as error:
                raise FileMissing(f"{path}: {error}") from None
            yield part, file

    def rewrite(self, path: str, part: Part, lines: BinaryIO) -> None:
        """Let a part have other lines."""
        with self._storage.writing(path) as file:
            file.write(json.dumps(part.to_json()).encode() + b"\n")
            shutil.copyfileobj(lines, file)

    def remove(self, path: str) -> None:
        """Let a part be gone."""
        self._storage.delete(path)

    def attempts(self) -> dict[Key, bool]:
        """All attempts of which something is there, and whether it is all of their log."""
        return {key: _END in parts for key, parts in self._found().items()}

    def entries(self, wanted: Callable[[Key], bool]) -> Iterator[dict[str, Any]]:
        """What the attempts that are wanted logged, in the order of time: see :func:`entry`.

        Where more than some logs run side by side, those that began last come a little late.
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
        for key, parts in self._found().items():
            yield key, [parts[name] for name in sorted(parts)]

    def _found(self) -> dict[Key, dict[str, str]]:
        """The paths of the parts, by attempt and name; the name of the last one sorts last."""
        found: dict[Key, dict[str, str]] = {}
        for path in self._storage.list(self._folder):
            match = _NAME.fullmatch(path.removeprefix(self._folder))
            if match is not None:
                key = (match["run"], int(match["attempt"]))
                found.setdefault(key, {})[match["part"]] = path
        return found

    def _part(self, path: str) -> Part | None:
        try:
            with self.open(path) as (part, _):
                return part
        except FileMissing:
            return None

    def _path(self, key: Key, number: int | None) -> str:
        run, attempt = key
        part = _END if number is None else f"{number:05}"
        return checked(f"{self._folder}{run}.{attempt}.{part}.log")


def merged(
    logs: Iterable[tuple[str, Key, Source, Iterator[Line]]], limit: int = _MAX_OPEN
) -> Iterator[dict[str, Any]]:
    """Entries in the order of time, of logs in the order in which they begin (the first thing that
    is said of each). No more than so many are read at once.
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
