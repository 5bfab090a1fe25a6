"""The folder of a Kubernetes namespace belongs to that namespace, and to no later one of its name.

Before an execution begins, or Git writes files, the folder is claimed for the uid that the
namespace has now: what an earlier namespace left is deleted. That is a call to the API server and a
look at the storage, once for each namespace, and once more after a Flow or a GitSource came to it:
whoever makes a namespace anew has to make these anew, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Collection
from contextlib import suppress

from penstock.controller.runtime.outcomes import is_forbidden, is_missing
from penstock.kubernetes.api.client import NAMESPACES, Api, ApiError
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.owner import Owner, claim, owner_of

logger = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds for which somebody waits for a claim. It goes on after that, however many files there are
to delete."""
_NONE = Owner("", "")
"""Stands for an owner that can't be told."""


class NamespaceGone(StorageUnavailable):
    """There is no namespace of this name."""


class TenantFolders:
    """Claims the folders of tenants."""

    def __init__(self, api: Api, storage: Storage, tenants: Collection[str] = ()) -> None:
        """``storage`` has the files of all tenants; ``tenants`` are those that are served, all
        where none is named."""
        self._api = api
        self._root = storage
        self._tenants = tenants
        self._own_namespace = os.environ.get("PENSTOCK_NAMESPACE", "")
        self._installation: str | None = None
        self._claimed: set[str] = set()
        self._uids: dict[str, str] = {}
        """The uids of the namespaces whose folders are claimed."""
        self._doubts = Counter[str]()
        """How often something came to a namespace that may be another one now."""
        self._settled: dict[str, int] = {}
        """The doubts that the last claim has settled."""
        self._claims: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_warned = False

    def doubt(self, tenant: str) -> None:
        """Note that the namespace may be another one of the same name."""
        if tenant in self._claimed or tenant in self._claims:
            self._doubts[tenant] += 1

    async def prepare(self, tenant: str) -> None:
        """Wait until the folder belongs to the namespace. Raises :class:`StorageUnavailable` where
        that can't be told yet, or where much is to be deleted first, and ``ApiError``.
        """
        if self._is_claimed(tenant):
            return
        claiming = self._start(tenant)
        done, _ = await asyncio.wait({claiming}, timeout=PATIENCE)
        if not done:
            self._claimed.discard(tenant)  # until it ends, nobody sees what is still to be deleted
            raise StorageUnavailable(
                f"the folder of the namespace `{tenant}` is not ready yet: the files of an earlier "
                "one are being deleted, or the storage is slow"
            )
        claiming.result()

    def claim_soon(self, tenant: str) -> None:
        """Begin to claim the folder, for whoever writes there without the controller. Call it
        within the event loop."""
        if not self._is_claimed(tenant):
            self._start(tenant)

    async def prepared(self, tenant: str) -> Storage:
        """The files of a namespace, once the folder belongs to it. Raises what :meth:`prepare`
        does."""
        await self.prepare(tenant)
        return self._root.of(tenant)

    def storage(self, tenant: str) -> Storage:
        """The files of a namespace, for whoever does not wait: raises :class:`StorageUnavailable`
        until the folder is claimed, which is begun. May be called in any thread.
        """
        self.check(tenant)
        return self._root.of(tenant)

    def check(self, tenant: str) -> None:
        """Raise :class:`StorageUnavailable` until the folder of a namespace is claimed."""
        if tenant not in self._claimed:
            loop = self._loop or asyncio.get_running_loop()
            loop.call_soon_threadsafe(self._start, tenant)
            raise StorageUnavailable(
                f"whose the files of the namespace `{tenant}` are is looked at"
            )

    def uid(self, tenant: str) -> str:
        """The uid of the namespace for which a folder was claimed; empty where it is not known."""
        return self._uids.get(tenant, "")

    async def run(self) -> None:
        """Claim the folders that are there, one after the other, so that nobody waits for it later.
        One whose namespace is gone is marked, so that nobody takes it over."""
        self._loop = asyncio.get_running_loop()
        try:
            tenants = self._tenants or await asyncio.to_thread(self._root.folders, "/")
            for tenant in tenants:
                with suppress(StorageUnavailable, ApiError):
                    await self._claim_or_mark(tenant)
        except Exception as error:  # whatever a store has to say: each claim is tried when needed
            logger.warning("the folders of namespaces can't be looked at yet: %s", error)

    async def _claim_or_mark(self, tenant: str) -> None:
        try:
            storage = self._root.of(tenant)
        except StorageError:  # such as the folder of the storage's own key
            return
        try:
            await self.prepare(tenant)
        except NamespaceGone:
            if await asyncio.to_thread(owner_of, storage) is None:
                await asyncio.to_thread(claim, storage, Owner("", await self._own_uid()))

    def _is_claimed(self, tenant: str) -> bool:
        return tenant in self._claimed and self._settled.get(tenant) == self._doubts[tenant]

    def _start(self, tenant: str) -> asyncio.Task[None]:
        """The claim of a folder that goes on; begun where there is none."""
        claiming = self._claims.get(tenant)
        if claiming is None:
            self._loop = asyncio.get_running_loop()
            claiming = self._claims[tenant] = asyncio.create_task(self._claim(tenant))
            claiming.add_done_callback(lambda task: self._ended(tenant, task))
        return claiming

    def _ended(self, tenant: str, claiming: asyncio.Task[None]) -> None:
        del self._claims[tenant]
        if not claiming.cancelled() and claiming.exception() is not None:
            self._claimed.discard(tenant)
            logger.info("the folder of %s is not claimed yet: %s", tenant, claiming.exception())

    async def _claim(self, tenant: str) -> None:
        while True:
            doubts = self._doubts[tenant]
            owner = await self._owner(tenant)
            self._uids[tenant] = owner.uid
            if owner is not _NONE and await asyncio.to_thread(self._give, tenant, owner):
                logger.info("the files that an earlier namespace %s left were deleted", tenant)
            self._settled[tenant] = doubts
            self._claimed.add(tenant)
            if self._is_claimed(tenant):
                return

    def _give(self, tenant: str, owner: Owner) -> bool:
        try:
            return claim(self._root.of(tenant), owner)
        except StorageError:
            raise
        except Exception as error:  # each kind of storage has its own errors
            raise StorageUnavailable(
                f"whose the files of the namespace `{tenant}` are can't be looked up: {error}"
            ) from error

    async def _owner(self, tenant: str) -> Owner:
        """The owner of a tenant's folder by now. Raises :class:`NamespaceGone`, ``ApiError``."""
        try:
            return Owner(await self._uid(tenant), await self._own_uid())
        except ApiError as error:
            if not is_forbidden(error):
                raise
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "a namespace that is made anew sees the files of the one before: the "
                    "controller may not `get` namespaces (%s); the chart's rules let it",
                    error,
                )
            return _NONE

    async def _own_uid(self) -> str:
        if self._installation is None:
            name = self._own_namespace
            self._installation = await self._uid(name) if name else ""
        return self._installation

    async def _uid(self, namespace: str) -> str:
        try:
            found = await self._api.get(NAMESPACES, "", namespace)
        except ApiError as error:
            if is_missing(error):
                raise NamespaceGone(f"there is no namespace `{namespace}`") from error
            raise
        return str(found["metadata"]["uid"])
