"""The flows of a commit as they are read, before any of them is applied."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Self

from penstock.controller.gitsources.commit_files import spool
from penstock.controller.gitsources.file_problems import FileProblems
from penstock.controller.gitsources.sourcefiles import FileReading, WantedFlow
from penstock.flow.problems import Problem
from penstock.resources.gitsource import MAX_FLOWS, InventoryEntry

MOST_BYTES = 1024 * 1024
"""Bytes that the inventory may have: the object has 1.5 MiB at most, and says other things too."""
_UID = "0" * 36


class TooManyFlows(Exception):
    """A commit has more flows than the status of a GitSource can name."""

    def __init__(self, commit: str, message: str) -> None:
        super().__init__(message)
        self.commit = commit


class CommitFlows:
    """All flows of a commit that are new or changed: on the disk, and gone when the block that uses
    them ends. Of each name there is one."""

    def __init__(self) -> None:
        self.problems = FileProblems()
        self.unreadable: set[str] = set()
        """Paths of files that don't parse: the Flows that came from them stay."""
        self._paths: dict[str, str] = {}
        """The paths of the flows that were found, by the name of the Flow."""
        self._bytes = 0
        """What they take of the inventory."""
        self._spool = spool()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    @property
    def names(self) -> Collection[str]:
        """The names of the Flows."""
        return self._paths.keys()

    def take(self, reading: FileReading) -> None:
        """Take the flows of a file that no file before it had."""
        if reading.problems:
            self.unreadable.add(reading.path)
            self.problems.add(reading.path, reading.problems)
        for flow in reading.flows:
            if flow.name in self._paths:
                message = f"the flow stands in {self._paths[flow.name]} already"
                self.problems.add(flow.path, [Problem((), message, line=1)])
                continue
            self._paths[flow.name] = flow.path
            self._bytes += _size(flow.path, flow.blob, flow.name)
            pickle.dump(flow, self._spool, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[WantedFlow]:
        """Read one flow after the other, once all are there."""
        self._spool.seek(0)
        for _ in self._paths:
            flow: WantedFlow = pickle.load(self._spool)
            yield flow

    def check_room(self, commit: str, *others: Iterable[InventoryEntry]) -> None:
        """Refuse more flows than a status has room for. ``others`` are the entries of the inventory
        that stay as they are. Raises :class:`TooManyFlows`."""
        count, size = len(self._paths), self._bytes
        for entry in chain(*others):
            count += 1
            size += _size(entry.path, entry.blob, entry.flow)
        if count > MAX_FLOWS or size > MOST_BYTES:
            room = min(MAX_FLOWS, count * MOST_BYTES // size)
            raise TooManyFlows(
                commit,
                f"{count} flows are more than the status of a GitSource has room for, some {room} "
                "with paths and names as long as these; let several GitSources take in a folder "
                "each, by `spec.path`",
            )


def _size(path: str, blob: str, flow: str) -> int:
    entry = InventoryEntry(path=path, blob=blob, flow=flow, uid=_UID)
    return len(entry.model_dump_json(by_alias=True).encode("utf-8", "surrogatepass")) + 1
