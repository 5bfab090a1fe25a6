"""Changes key-value pairs in the API server: each change once, whoever else writes.

What makes a change happen once: the object names the attempts whose change is in it, written in
one with the change itself. An attempt is named for as long as its end may not be recorded, since
a controller that died between the two sees that end anew and asks again. That is why a deleted
key stays for a moment, as an object whose time is over: an attempt that is asked for again must
find its name, lest it brings back what another deleted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

from penstock.controller.keyvalues.index import KeyValueIndex, is_live
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import WaitingError
from penstock.kubernetes.api.client import KEY_VALUES, Api, ApiError, Object
from penstock.kubernetes.api.labels import APPLIED
from penstock.resources import API_VERSION
from penstock.resources.keyvalue import key_value_name
from penstock.resources.labels import IGNORE_UPDATES, MANAGED_BY
from penstock.storage.kv import KeyExists, merged_value
from penstock.tasks.contract.kv_effects import Change

_TRIES = 10
"""How often a change is made anew upon what somebody else wrote meanwhile."""

IsRecorded = Callable[[str, str], bool]
"""Whether nobody will ask for the change of an attempt again, by tenant and the attempt's name."""


class PairNameTaken(Exception):
    """A KeyValue of the key's name is there, and of another key."""

    reason = "NameClash"


class KeyBusy(WaitingError):
    """Somebody else changes the key faster than this one can."""

    reason = "KeyBusy"


class KeyValueWriter:
    """Writes KeyValues, upon what was last seen of them."""

    def __init__(
        self, api: Api, objects: ObjectStore, pairs: KeyValueIndex, is_recorded: IsRecorded
    ):
        self._api = api
        self._objects = objects
        self._pairs = pairs
        self._is_recorded = is_recorded
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    async def change(self, tenant: str, change: Change, attempt: str | None = None) -> None:
        """Make a change; an attempt's only once. Raises ``KeyExists``, ``PairNameTaken``,
        ``KeyBusy`` and ``ApiError``."""
        key = (tenant, change.namespace, change.key)
        async with self._locks.setdefault(key, asyncio.Lock()):
            for _ in range(_TRIES):
                known = self._pairs.find(*key)
                try:
                    return await self._change(tenant, change, attempt, known)
                except ApiError as error:
                    if not (error.conflict or (error.not_found and known is not None)):
                        raise
                await self._look_again(tenant, change, known)
            raise KeyBusy(f"the key {change.key} changes all the time")

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
        if known is None:
            made = await self._api.create(
                KEY_VALUES, tenant, _body(tenant, change, [attempt] if attempt else [], now)
            )
        else:
            names = [name for name in applied(known) if not self._is_recorded(tenant, name)]
            names += [attempt] if attempt else []
            made = await self._api.replace(KEY_VALUES, _changed(known, change, names, now, live))
        self._objects.put(made)

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
                self._objects.remove(known)
            return
        if (body["spec"]["namespace"], body["spec"]["key"]) != (change.namespace, change.key):
            raise PairNameTaken(f"a KeyValue {name} is there that is of another key") from None
        self._objects.put(body)


def applied(body: Object) -> list[str]:
    """The attempts whose change is in a KeyValue, oldest first."""
    text = (body["metadata"].get("annotations") or {}).get(APPLIED)
    try:
        names = json.loads(text) if text else []
    except ValueError:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _body(tenant: str, change: Change, names: list[str], now: datetime) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "KeyValue",
        "metadata": {
            "name": key_value_name(change.namespace, change.key),
            "namespace": tenant,
            "labels": {MANAGED_BY: "penstock"},
            "annotations": _named({IGNORE_UPDATES: "true"}, names),
        },
        "spec": {"namespace": change.namespace, "key": change.key, **_content(change, {}, now)},
    }


def _changed(known: Object, change: Change, names: list[str], now: datetime, live: bool) -> Object:
    meta, spec = known["metadata"], known["spec"]
    before = spec if live else {}
    if change.kind == "delete":
        content: dict[str, Any] = {"value": None, "expirationDate": now.isoformat()}
    else:
        content = _content(change, before, now)
    return known | {
        "metadata": meta | {"annotations": _named(meta.get("annotations") or {}, names)},
        "spec": {"namespace": spec["namespace"], "key": spec["key"], **content},
    }


def _content(change: Change, before: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What a key holds after a change."""
    value = change.value
    if change.kind == "merge":
        value = merged_value(before.get("value"), value)
    content: dict[str, Any] = {"value": value}
    description = change.description or before.get("description")
    if description:
        content["description"] = description
    if change.ttl is not None:
        content["expirationDate"] = (now + change.ttl).isoformat()
    return content


def _named(annotations: dict[str, str], names: list[str]) -> dict[str, str]:
    rest = {name: value for name, value in annotations.items() if name != APPLIED}
    return rest | ({APPLIED: json.dumps(names)} if names else {})
