"""Packages of Python tasks that were kept and count no more: they go away, once a day.

A task replaces its own; what is found here is of tasks that ran no more for a week, or are gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator

from penstock.storage.errors import FileMissing, StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import FILES, PAIRS
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.pod.package_cache import PREFIX, read_head

logger = logging.getLogger(__name__)

_CACHE = "cache"
_PASSED_OVER = (FILES, PAIRS, "executions")
_DEEPEST = 40
_DAY = 24 * 3600.0


class PackageCleaner:
    """Deletes them."""

    def __init__(self, storage: Storage, tenants: Collection[str] = ()) -> None:
        """``tenants`` are those that are served; all where none is named."""
        self._storage = storage
        self._tenants = tenants

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.delete)
            except Exception as error:  # whatever a store has to say: there is another day
                logger.warning("old packages can't be deleted yet: %s", error)
            await asyncio.sleep(_DAY)

    def delete(self) -> None:
        """Once, now. Raises what the storage raises."""
        for tenant in self._tenants or self._storage.folders("/"):
            try:
                storage = self._storage.of(tenant)
            except StorageError:  # such as the folder of the storage's own key
                continue
            for path in list(_entries(storage, "/", _DEEPEST)):
                if _is_old(storage, path):
                    storage.delete(path)


def _entries(storage: Storage, folder: str, depth: int) -> Iterator[str]:
    for name in storage.folders(folder):
        inner = f"{folder}{name}/"
        if name == _CACHE:
            found = (path.removeprefix(inner) for path in storage.list(inner))
            yield from (f"{inner}{file}" for file in found if file.startswith(PREFIX))
        if name not in _PASSED_OVER and depth:
            yield from _entries(storage, inner, depth - 1)


def _is_old(storage: Storage, path: str) -> bool:
    try:
        with storage.open(path) as entry:
            return read_head(entry).is_old
    except (FileMissing, TaskFailure):
        return False
