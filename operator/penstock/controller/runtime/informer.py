"""Informers: what the cluster holds of one kind, kept right by watches and by lists.

kopf's watches bring news at once, but they lose some: after `410 Gone`, kopf begins anew, and does
not tell what has happened meanwhile. So an informer lists: at the start, every few minutes, and
soon after kopf began anew, which it shows by an event without a kind (`app.watching`).

A list shows one moment, and arrives later. It therefore decides only about what is not newer than
that moment: an object that it lacks is gone if the version that is known of it is as old as the
list or older; else it was made or changed while the list was on its way. To tell older from newer,
resourceVersions are compared as integers. Kubernetes calls them opaque, but for this comparison,
which it promises for objects of one kind since 1.35 (KEP-5504), and which has held for every API
server since 1.0. An answer to a call of our own carries such a version like everything else, so it
counts as newer than a list that was asked for before.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence

from penstock.controller.runtime.indexes import version_of
from penstock.kubernetes.api.client import Api, ApiError, Object, Resource

logger = logging.getLogger(__name__)

PERIOD = 300.0
"""Seconds from one list to the next where nothing calls for one."""
FIRST_PERIOD = 10.0
"""Seconds until the second list, which finds what was deleted between the first one and kopf's."""
RELIST_DELAY = 0.2
"""Seconds after kopf began anew until a list of ours: by then a storm of such begins is one."""
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0
"""Seconds until a list that failed is tried again: doubled from the first, up to the longest."""


class Informer:
    """Tells of the objects of one kind: `seen` of each that is there, `removed` of each that is
    gone. The two may be told something twice, and of something old: they compare with `known`.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        known: Callable[[], Iterable[Object]],
        seen: Callable[[Object], None],
        removed: Callable[[Object], object],
        *,
        namespaces: Sequence[str] = (),
        selector: str | None = None,
    ) -> None:
        """`known` gives the objects that are taken to be there; `namespaces` are those to list,
        all where none is named."""
        self._api = api
        self.resource = resource
        self._known = known
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self.selector = selector
        self.seen = seen
        self.removed = removed
        self._relist = asyncio.Event()

    def watched(self, kind: str | None, body: Object) -> None:
        """Take in an event of kopf's watch. One without a kind is of a list: kopf begins with one,
        and after that it lists only where its watch was lost, and news with it."""
        if kind == "DELETED":
            self.removed(body)
            return
        if kind is None:
            self._relist.set()
        self.seen(body)

    async def list_anew(self) -> None:
        """Ask for everything that is there, and take it in page by page: the pages are not kept.
        Raises ``ApiError``; then nothing was taken for gone."""
        for namespace in self._namespaces:
            await self._list(namespace)

    async def list_until_done(self) -> None:
        """Ask until there is an answer, later and later."""
        failures = 0
        while True:
            try:
                return await self.list_anew()
            except ApiError as error:
                wait = min(FIRST_RETRY * 2**failures, LONGEST_RETRY) * random.uniform(0.8, 1.2)
                logger.warning(
                    "%s can't be listed, tried again in %.1f s: %s",
                    self.resource.plural,
                    wait,
                    error,
                )
            failures = min(failures + 1, 10)
            await asyncio.sleep(wait)

    async def run(self) -> None:
        """List from time to time, until cancelled. The first list was made before."""
        period = FIRST_PERIOD
        while True:
            try:
                # Informers begin together; the jitter lets their lists not come at once for ever.
                async with asyncio.timeout(period * random.uniform(0.8, 1.2)):
                    await self._relist.wait()
                await asyncio.sleep(RELIST_DELAY)
            except TimeoutError:
                pass
            self._relist.clear()
            await self.list_until_done()
            period = PERIOD

    async def _list(self, namespace: str | None) -> None:
        moment = -1
        present: set[str] = set()
        known: dict[tuple[str, str], str] = {}
        async for page in self._api.pages(self.resource, namespace, self.selector):
            if page.is_first:
                moment = int(page.version) if page.version.isdigit() else -1
                present = set()
                known = {_name(body): body["metadata"]["uid"] for body in self._known()}
            names = {_name(body): body["metadata"]["uid"] for body in page.items}
            replaced = {known[name] for name, uid in names.items() if known.get(name, uid) != uid}
            if replaced:  # their names are other objects' now
                self._remove(namespace, moment, replaced.__contains__)
            present.update(names.values())
            for body in page.items:
                self.seen(body)
        self._remove(namespace, moment, lambda uid: uid not in present)

    def _remove(self, namespace: str | None, moment: int, is_gone: Callable[[str], bool]) -> None:
        """Let objects be gone, chosen by their uids, unless they are newer than the list."""
        for body in list(self._known()):
            meta = body["metadata"]
            is_listed = namespace is None or meta.get("namespace") == namespace
            if is_listed and is_gone(meta["uid"]) and version_of(body) <= moment:
                self.removed(body)


def _name(body: Object) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]
