"""Files of executions that are gone: they are deleted from the storage, some time after.

A deletion that nobody saw, since no controller ran, is found by a look at the storage, at the
start and each hour: what lies there for an execution that the cluster does not have. Where that is
nothing but what a trigger got, the execution may be about to be created: it has a day for that.
Files of namespaces are never touched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.status.execution_records import place_of
from penstock.storage.arrivals import EXPECTED, arrived_at
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import FILES, PAIRS, ExecutionPlace, own_part

logger = logging.getLogger(__name__)

_EXECUTIONS = "executions"
_SPARED = (FILES, PAIRS)
_OF_TRIGGER = "trigger"
SWEPT = 3600.0
"""Seconds from one look at the whole storage to the next."""
_DEEPEST = 40
AGAIN = 60.0
"""Seconds until what the storage could not do is tried again."""

Folder = tuple[str, str]
"""The tenant, and the path that all files of an execution begin with."""


class OrphanedFiles:
    """Deletes the files of executions that are not there any more."""

    def __init__(
        self, storage: Storage, executions: ObjectStore, tenants: Collection[str] = ()
    ) -> None:
        """``tenants`` are those that are served; all where none is named."""
        self._storage = storage
        self._executions = executions
        self._tenants = tenants
        self._gone: dict[Folder, float] = {}
        """What is to be cleared, and the monotonic time before which the storage is not asked."""
        self._sweeps_at = 0.0
        """The monotonic time of the next look at the whole storage."""
        self._news = asyncio.Event()

    def removed(self, body: Object) -> None:
        """An execution was deleted."""
        folder = _folder(body)
        if folder is not None:
            self._gone[body["metadata"]["namespace"], folder] = 0.0
            self._news.set()

    def is_busy(self, tenant: str, place: ExecutionPlace) -> bool:
        """Whether files of a deleted namesake are still to be deleted."""
        return bool(self._gone) and (tenant, place.folder) in self._gone

    async def run(self) -> None:
        """Work until cancelled. The cluster's executions must be known before."""
        while True:
            if self._sweeps_at <= time.monotonic():
                await self._sweep()
            await self._wait_for_work()
            await self._purge()

    async def _sweep(self) -> None:
        self._sweeps_at = time.monotonic() + SWEPT
        known = self._live(), self._waiting()
        try:
            kept = await asyncio.to_thread(lambda: list(self._left(*known)))
        except Exception as error:  # whatever a store has to say: nothing else waits for this
            logger.warning("files of deleted executions can't be looked for: %s", error)
            return
        self._gone |= dict.fromkeys(kept, 0.0)
        self._news.set()

    async def _wait_for_work(self) -> None:
        """Wait until an execution is deleted, or the time has come for what failed before.

        Also a deletion that came while others' files were deleted counts: an execution that is made
        anew under its name does not begin before.
        """
        due = min((self._sweeps_at, *self._gone.values()))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(due - time.monotonic(), 0)):
                await self._news.wait()
        self._news.clear()

    async def _purge(self) -> None:
        live, now = self._live(), time.monotonic()
        for item in [item for item, due in self._gone.items() if due <= now]:
            tenant, folder = item
            try:
                if item not in live:
                    await asyncio.to_thread(self._storage.of(tenant).clear, folder, _SPARED)
            except Exception as error:  # whatever a store has to say: the others do not wait for it
                logger.warning("files of a deleted execution can't be deleted yet: %s", error)
                self._gone[item] = time.monotonic() + AGAIN
            else:
                self._gone.pop(item, None)

    def _live(self) -> set[Folder]:
        """The folders that must stay: those of executions, and those in which others stand, such
        as that of a namespace whose name looks like an execution's place."""
        live: set[Folder] = set()
        for body in self._executions:
            folder = _folder(body)
            parts = folder.strip("/").split("/") if folder else []
            tenant = body["metadata"]["namespace"]
            live |= {(tenant, f"/{'/'.join(parts[:n])}/") for n in range(1, len(parts) + 1)}
        return live

    def _waiting(self) -> set[Folder]:
        """The tenants of executions that have not begun, and the names of their folders, as far as
        these are known: a trigger may have put files there."""
        return {
            (body["metadata"]["namespace"], own_part(body["metadata"]["name"]))
            for body in self._executions
            if _folder(body) is None
        }

    def _left(self, live: set[Folder], waiting: set[Folder]) -> Iterator[Folder]:
        """The folders with files of executions that are not there, and not expected."""
        now = datetime.now(UTC)
        for tenant in self._tenants or self._storage.folders("/"):
            try:
                storage = self._storage.of(tenant)
            except StorageError:  # such as the folder of the storage's own key
                continue
            for folder in _execution_folders(storage, "/", _DEEPEST):
                name = folder.rstrip("/").rpartition("/")[2]
                if (tenant, folder) in live or (tenant, name) in waiting:
                    continue
                if not _is_expected(storage, folder, now):
                    yield tenant, folder


def _is_expected(storage: Storage, folder: str, now: datetime) -> bool:
    """Whether there is nothing in an execution's folder but what a trigger got, and that lately."""
    if list(storage.folders(folder)) != [_OF_TRIGGER]:
        return False
    dates = map(arrived_at, storage.folders(f"{folder}{_OF_TRIGGER}/"))
    return any(date is not None and now - date < EXPECTED for date in dates)


def _execution_folders(storage: Storage, folder: str, depth: int) -> Iterator[str]:
    for name in storage.folders(folder):
        if name == _EXECUTIONS:
            found = storage.folders(f"{folder}{name}/")
            yield from (f"{folder}{name}/{item}/" for item in found)
        elif name not in _SPARED and depth:
            yield from _execution_folders(storage, f"{folder}{name}/", depth - 1)


def _folder(body: Object) -> str | None:
    """Where all files of an execution are; None where it can't have any."""
    place = place_of(body)
    try:
        return None if place is None else place.folder
    except StorageError:
        return None
