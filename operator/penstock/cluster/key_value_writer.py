"""Changes key-value pairs in the API server: each change once, whoever else writes.

What makes a change happen once: the object names the attempts whose change is in it, written in
one with the change itself. An attempt is named for as long as its end may not be recorded, since
a controller that died between the two sees that end anew and asks again. That is why a deleted
key stays for a moment, as an object whose time is over: an attempt that is asked for again must
find its name, lest it brings back what another deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from weakref import WeakValueDictionary

from penstock.cluster.errors import ClusterError
from penstock.cluster.key_value_objects import (
    applied,
    changed_key_value,
    is_live,
    key_of,
    new_key_value,
)
from penstock.kubernetes.api.client import KEY_VALUES, Api, ApiError, Object
from penstock.resources.keyvalue import key_value_name
from penstock.storage.kv import KeyExists
from penstock.tasks.contract.kv_effects import Change

_TRIES = 10
"""How often a change is made anew upon what somebody else wrote meanwhile."""

IsRecorded = Callable[[str, str], bool]
"""Whether nobody will ask for the change of an attempt again, by tenant and the attempt's name."""


class PairNameTaken(ClusterError):
    """A KeyValue of the key's name is there, and of another key."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "NameClash",
            f"a KeyValue {name} is there that is of another key: delete it, or use a key of "
            "another name",
        )


class KeyBusy(ClusterError):
    """Somebody else changes the key faster than this one can: it passes by itself."""

    def __init__(self, key: str) -> None:
        super().__init__("KeyBusy", f"the key {key} changes all the time")


class KnownKeyValues(Protocol):
    """The KeyValues upon which changes are made, and to which what was written is told."""

    def find(self, tenant: str, namespace: str, key: str) -> Object | None:
        """The object that counts for a key, be its time over or not."""

    def put(self, body: Object) -> object:
        """Keep what was written or read of an object."""

    def remove(self, body: Object) -> object:
        """Forget an object that is gone."""


class KeyValueWriter:
    """Writes KeyValues, upon what was last seen of them."""

    def __init__(self, api: Api, known: KnownKeyValues, is_recorded: IsRecorded) -> None:
        self._api = api
        self._known = known
        self._is_recorded = is_recorded
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    async def change(self, tenant: str, change: Change, attempt: str | None = None) -> None:
        """Make a change; an attempt's only once.

        Raises :class:`KeyExists`, :class:`EffectRefused`, :class:`PairNameTaken`, :class:`KeyBusy`
        and :class:`ApiError`.
        """
        key = (tenant, change.namespace, change.key)
        async with self._locks.setdefault(key, asyncio.Lock()):
            for _ in range(_TRIES):
                known = self._known.find(*key)
                try:
                    return await self._change(tenant, change, attempt, known)
                except ApiError as error:
                    if not (error.conflict or (error.not_found and known is not None)):
                        raise
                await self._look_again(tenant, change, known)
            raise KeyBusy(change.key)

    async def _change(
        self, tenant: str, change: Change, attempt: str | None, known: Object | None
    ) -> None:
        now = datetime.now(UTC)
        if known is not None and attempt is not None and attempt in applied(known):
            return
        live = known is not None and is_live(known, now)
        if change.kind == "delete" and not live:
            return
        if change.kind == "set" and not change.overwrite and live:
            raise KeyExists(change.key)
        own = [attempt] if attempt else []
        if known is None:
            body = new_key_value(tenant, change, own, now)
            made = await self._api.create(KEY_VALUES, tenant, body)
        else:
            names = [name for name in applied(known) if not self._is_recorded(tenant, name)]
            body = changed_key_value(known, change, names + own, now)
            made = await self._api.replace(KEY_VALUES, body)
        self._known.put(made)

    async def _look_again(self, tenant: str, change: Change, known: Object | None) -> None:
        """Somebody else was faster: go on from what is there now."""
        name = key_value_name(change.namespace, change.key)
        if known is not None:
            name = known["metadata"]["name"]
        try:
            body = await self._api.get(KEY_VALUES, tenant, name)
        except ApiError as error:
            if not error.not_found:
                raise
            if known is not None:
                self._known.remove(known)
            return
        if key_of(body) != (change.namespace, change.key):
            raise PairNameTaken(name)
        self._known.put(body)
