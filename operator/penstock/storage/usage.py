"""How much each tenant keeps, counted without a look at the storage for each file.

A count begins with a walk through the tenant's folder. From then on, what is allowed to be written
is added. That may be too much, since files are deleted, replaced, or never sent: before somebody is
refused, the folder is walked through once more, unless that was done a moment ago. Walks go on in a
thread of their own, one at a time; nobody who writes waits for one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from penstock.storage.errors import StorageFull, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.uris import uri_of

logger = logging.getLogger(__name__)

COUNTS = 60.0
"""Seconds for which a count is good enough to refuse somebody."""
RENEWED = 3600.0
"""Seconds after which a count is made anew in any case: others write and delete, too."""
MOST_EXPECTED = 4000
"""The most files of a tenant that are waited for; further ones have to wait for the next walk."""
_SOON = 5.0
"""Seconds between two walks at least."""
_EXPECTED = 2 * 3600.0
"""Seconds after which a file that was to be written is not waited for: its URL has expired."""
_PATIENCE = 30.0
"""Seconds for which somebody waits for a walk who does not ask again."""
_LOOK_SECONDS = 0.2
_LEAST = 4096
"""The bytes that each file counts at least, since it takes up as many."""
_GIB = 1024**3


@dataclass
class _Count:
    """What is known of one tenant's folder."""

    walked: int = 0
    """The bytes that the last walk found."""
    walked_at: float = -math.inf
    """When the last walk began."""
    is_walked: bool = False
    """Whether a walk goes on."""
    expected: dict[str, tuple[int, float]] = field(default_factory=dict)
    """The bytes of files, by path, that were allowed and that no walk has found yet; and until when
    they are waited for."""
    expected_bytes: int = 0

    def used_beside(self, path: str) -> int:
        """The bytes that are used, but for what was allowed for this file before."""
        return self.walked + self.expected_bytes - self.expected.get(path, (0, 0.0))[0]

    def expect(self, path: str, size: int, until: float) -> None:
        self.forget(path)
        self.expected[path] = (size, until)
        self.expected_bytes += size

    def forget(self, path: str) -> None:
        size, _ = self.expected.pop(path, (0, 0.0))
        self.expected_bytes -= size

    def walked_through(self, size: int, began: float, found: dict[str, int]) -> None:
        """Take in what a walk has found: all bytes, and the expected files among them."""
        self.walked, self.walked_at = size, began
        for path, (expected, until) in list(self.expected.items()):
            if found.get(path) == expected or until < began:
                self.forget(path)


class Usage:
    """Counts the bytes of tenants, and refuses what is beyond their quota. Safe to use from several
    threads."""

    def __init__(self, storage: Storage, quota: int | None, walker: Executor | None = None) -> None:
        """``quota`` is the most bytes of a tenant; None for any number, which counts nothing."""
        self._storage = storage
        self._quota = quota
        self._walker = walker or ThreadPoolExecutor(1, "usage")
        self._counts: dict[str, _Count] = {}
        self._lock = threading.Lock()

    def allow(self, tenant: str, path: str, size: int) -> None:
        """Count a file that is about to be written. Raises :class:`StorageFull` where the tenant
        has no room for it, and :class:`StorageUnavailable` while that is looked at.
        """
        self._expect(tenant, path, size, _EXPECTED)

    def allow_when_counted(self, tenant: str, path: str, size: int) -> None:
        """Count a file as :meth:`allow` does, and wait a while for the walk where it may matter."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.allow(tenant, path, size)
            except StorageUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)

    def forget(self, tenant: str, path: str) -> None:
        """Take back that a file is about to be written."""
        with self._lock:
            if tenant in self._counts:
                self._counts[tenant].forget(path)

    @contextmanager
    def written(self, tenant: str, path: str, size: int) -> Iterator[None]:
        """Count a file that is written in the block, however long that takes. Raises the same as
        :meth:`allow`."""
        self._expect(tenant, path, size, math.inf)
        try:
            yield
        except BaseException:
            self.forget(tenant, path)
            raise
        self._expect(tenant, path, size, _EXPECTED)

    def _expect(self, tenant: str, path: str, size: int, seconds: float) -> None:
        if self._quota is None:
            return
        size = max(size, _LEAST)
        with self._lock:
            count = self._counts.setdefault(tenant, _Count())
            now = time.monotonic()
            used = count.used_beside(path)
            age = now - count.walked_at
            if age > RENEWED or (age > _SOON and len(count.expected) > MOST_EXPECTED // 2):
                self._walk(tenant, count)
            has_room = used + size <= self._quota
            if has_room and (path in count.expected or len(count.expected) < MOST_EXPECTED):
                return count.expect(path, size, now + seconds)
            if has_room or (size <= self._quota and age > COUNTS):
                self._walk(tenant, count)
                raise StorageUnavailable(
                    f"the files of the Kubernetes namespace `{tenant}` are counted, since they may "
                    "be at their quota; try again"
                )
        raise StorageFull(_over(tenant, path, size, used, self._quota))

    def _walk(self, tenant: str, count: _Count) -> None:
        if not count.is_walked and time.monotonic() - count.walked_at > _SOON:
            count.is_walked = True
            self._walker.submit(self._walk_through, tenant, count)

    def _walk_through(self, tenant: str, count: _Count) -> None:
        began, total = time.monotonic(), 0
        with self._lock:
            expected = set(count.expected)
        found: dict[str, int] = {}
        try:
            for path, size in self._storage.of(tenant).found("/"):
                total += max(size, _LEAST)
                if path in expected:
                    found[path] = max(size, _LEAST)
        except Exception as error:  # each kind of storage has its own errors
            logger.warning("the files of the namespace %s can't be counted: %s", tenant, error)
        else:
            with self._lock:
                count.walked_through(total, began, found)
        finally:
            count.is_walked = False


def _over(tenant: str, path: str, size: int, used: int, quota: int) -> str:
    return (
        f"`{uri_of(path)}` can't be written: the Kubernetes namespace `{tenant}` keeps "
        f"{_shown(used)} of files, this one has {_shown(size)}, and its quota is {_shown(quota)} "
        "(the setting `storage.quotaGib`). Delete files or executions that are not needed any "
        "more, or let an administrator of Penstock raise the quota"
    )


def _shown(size: int) -> str:
    return f"{size / _GIB:.2f} GiB" if size >= _GIB / 10 else f"{size / 1024**2:.2f} MiB"
