"""Whose the folders of tenants are: URLs of an earlier namespace open nothing of a later one."""

from __future__ import annotations

from threading import Lock

from cachetools import TTLCache

from penstock.storage.errors import AccessDenied
from penstock.storage.files import Storage
from penstock.storage.owner import owner_of

REMEMBERED = 5.0
"""Seconds for which the owner of a folder is not looked at again, where it is the one that is
expected."""
_MOST = 10_000


class FolderOwners:
    """Knows the uid of the Kubernetes namespace to which each tenant's folder belongs. Safe to use
    from several threads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._seen: TTLCache[str, str] = TTLCache(_MOST, REMEMBERED)
        self._lock = Lock()

    def check(self, tenant: str, namespace: str) -> None:
        """Refuse a namespace, by its uid, whose folder belongs to another one now, or to none. A
        folder without a mark is anybody's. It may read the mark: call it in a thread. Raises
        :class:`AccessDenied`."""
        with self._lock:
            if self._seen.get(tenant) == namespace:
                return
        owner = owner_of(self._storage.of(tenant))
        if owner is not None and owner.uid != namespace:
            raise AccessDenied("the URL is of an earlier namespace of this name")
        with self._lock:
            self._seen[tenant] = namespace
