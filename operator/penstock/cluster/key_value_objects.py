"""Reads and builds KeyValues: until when one counts, which of several does, what a change makes.

Of several objects for one key the oldest counts whose time is not over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import APPLIED
from penstock.kubernetes.api.large_values import CUT, cut_size
from penstock.nesting import is_deeper
from penstock.resources import API_VERSION
from penstock.resources.keyvalue import key_value_name
from penstock.resources.labels import IGNORE_UPDATES, MANAGED_BY, MANAGER
from penstock.resources.stored import written_date
from penstock.storage.kv import Pair, ValueTooDeep, ValueTooLarge, merged_value
from penstock.tasks.contract.kv_effects import Change, EffectRefused, checked_value


def key_of(body: Object) -> tuple[str, str]:
    """Tell of which flow namespace and which key a KeyValue is."""
    spec = body.get("spec") or {}
    return str(spec.get("namespace")), str(spec.get("key"))


def expiration(body: Object) -> datetime | None:
    """Tell from when on the key counts as absent."""
    # One that can't be read lets the key stay, and stops nobody.
    return written_date(body["spec"].get("expirationDate"))


def is_live(body: Object, now: datetime) -> bool:
    """Whether the key has a value."""
    expires = expiration(body)
    return expires is None or expires > now


def one_that_counts(bodies: Iterable[Object], now: datetime) -> Object | None:
    """Choose among the objects for one key; the one that counts may be over its time, too."""
    return min(bodies, key=lambda body: (not is_live(body, now), *_age(body)), default=None)


def pair_of(body: Object | None, now: datetime) -> Pair | None:
    """Read the pair in the object that counts; None where there is none or its time is over. Raises
    :class:`ValueTooDeep` or :class:`ValueTooLarge`."""
    if body is None or not is_live(body, now):
        return None
    if (size := cut_size(body)) is not None:
        raise ValueTooLarge(key_of(body)[1], size)
    value = body["spec"].get("value")
    if is_deeper(value):
        raise ValueTooDeep(key_of(body)[1])
    return Pair(value, expiration(body))


def applied(body: Object) -> list[str]:
    """Name the attempts whose change is in a KeyValue, oldest first."""
    text = (body["metadata"].get("annotations") or {}).get(APPLIED)
    try:
        names = json.loads(text) if text else []
    except ValueError:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def new_key_value(tenant: str, change: Change, attempts: Sequence[str], now: datetime) -> Object:
    """Build the KeyValue of a key that has none, with the attempts whose change is in it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "KeyValue",
        "metadata": {
            "name": key_value_name(change.namespace, change.key),
            "namespace": tenant,
            "labels": {MANAGED_BY: MANAGER},
            "annotations": _with_attempts({IGNORE_UPDATES: "true"}, attempts),
        },
        "spec": {"namespace": change.namespace, "key": change.key, **_content(change, {}, now)},
    }


def changed_key_value(
    known: Object, change: Change, attempts: Sequence[str], now: datetime
) -> Object:
    """Build what a change makes of a KeyValue. A deleted key is one whose time is over. Raises
    :class:`EffectRefused` where a value that is too large, or would be, is merged."""
    meta, spec = known["metadata"], known["spec"]
    before = spec if is_live(known, now) else {}
    size = cut_size(known)
    if change.kind == "merge" and before and size is not None:
        raise EffectRefused(str(ValueTooLarge(change.key, size)))
    known = {name: item for name, item in known.items() if name != CUT}
    if change.kind == "delete":
        content: dict[str, Any] = {"value": None, "expirationDate": now.isoformat()}
    else:
        content = _content(change, before, now)
    return known | {
        "metadata": meta | {"annotations": _with_attempts(meta.get("annotations") or {}, attempts)},
        "spec": {"namespace": spec["namespace"], "key": spec["key"], **content},
    }


def _content(change: Change, before: dict[str, Any], now: datetime) -> dict[str, Any]:
    value = change.value
    if change.kind == "merge":
        value = checked_value(merged_value(before.get("value"), value))
    content: dict[str, Any] = {"value": value}
    description = change.description or before.get("description")
    if description:
        content["description"] = description
    if change.ttl is not None:
        content["expirationDate"] = (now + change.ttl).isoformat()
    return content


def _with_attempts(annotations: dict[str, str], attempts: Sequence[str]) -> dict[str, str]:
    rest = {name: value for name, value in annotations.items() if name != APPLIED}
    return rest | ({APPLIED: json.dumps(attempts)} if attempts else {})


def _age(body: Object) -> tuple[str, str]:
    meta = body["metadata"]
    return meta["creationTimestamp"], meta["name"]
