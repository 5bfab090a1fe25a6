"""The key-value pairs of all Kubernetes namespaces, as the watch keeps them in memory.

A Kubernetes namespace is a tenant: every question names one, and no answer tells of another. Of
several objects for one key the oldest counts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.controller.runtime.indexes import ObjectStore
from penstock.engine.interface.selecting import PurgePairs
from penstock.expressions import ExpressionError
from penstock.kubernetes.api.client import Object
from penstock.storage.errors import StorageError
from penstock.storage.kv import Pair, ancestry, check_key, kv_function
from penstock.storage.uris import namespace_folder


@dataclass(frozen=True)
class _Key:
    """Under this key the objects for one key are found."""

    tenant: str
    namespace: str
    key: str


@dataclass(frozen=True)
class _Namespace:
    """Under this key all objects of a flow namespace are found."""

    tenant: str
    namespace: str


def pair_keys(body: Object) -> Iterable[Hashable]:
    """A KeyValue is looked for by the namespace and key that stand in it."""
    spec, tenant = body.get("spec") or {}, body["metadata"]["namespace"]
    namespace = str(spec.get("namespace"))
    yield _Key(tenant, namespace, str(spec.get("key")))
    yield _Namespace(tenant, namespace)


def expiration(body: Object) -> datetime | None:
    """From when on the key counts as absent."""
    text = body["spec"].get("expirationDate")
    try:
        return None if text is None else datetime.fromisoformat(text.upper()).astimezone(UTC)
    except ValueError:
        # The API server knows leap seconds. Such a key stays, and stops nobody.
        return None


def is_live(body: Object, now: datetime) -> bool:
    """Whether the key has a value."""
    expires = expiration(body)
    return expires is None or expires > now


class KeyValueIndex:
    """The KeyValues that are there."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def find(self, tenant: str, namespace: str, key: str) -> Object | None:
        """The object that counts for a key, be its time over or not."""
        found = self._objects.find(_Key(tenant, namespace, key))
        now = datetime.now(UTC)
        return min(found, key=lambda body: (not is_live(body, now), *_age(body)), default=None)

    def rival(self, body: Object) -> Object | None:
        """The object that counts in place of this one; None where this one does."""
        spec = body["spec"]
        first = self.find(body["metadata"]["namespace"], spec["namespace"], spec["key"])
        same = first is None or first["metadata"]["uid"] == body["metadata"]["uid"]
        return None if same else first

    def get(self, tenant: str, namespace: str, key: str) -> Pair | None:
        """The pair; None where there is none or its time is over."""
        check_key(namespace, key)
        body = self.find(tenant, namespace, key)
        if body is None or not is_live(body, datetime.now(UTC)):
            return None
        return Pair(body["spec"].get("value"), expiration(body))

    def keys(self, tenant: str, namespace: str, prefix: str = "") -> list[str]:
        """The keys that have a value, in order."""
        namespace_folder(namespace)  # which refuses what is no namespace
        now = datetime.now(UTC)
        found = self._objects.find(_Namespace(tenant, namespace))
        keys = {str(body["spec"]["key"]) for body in found if is_live(body, now)}
        return sorted(key for key in keys if key.startswith(prefix))

    def meant(self, tenant: str, asked: PurgePairs) -> list[tuple[str, str]]:
        """Namespace and key of each pair that is to go. Those whose time is over go anyway."""
        if asked.expired_only:
            return []
        now = datetime.now(UTC)
        specs = [
            body["spec"]
            for body in self._objects
            if body["metadata"]["namespace"] == tenant and is_live(body, now)
        ]
        found = {(str(spec["namespace"]), str(spec["key"])) for spec in specs}
        return sorted(item for item in found if asked.means(*item))

    def function(self, tenant: str, namespace: str) -> Callable[..., Any]:
        """`kv()` for the expressions of a flow namespace that belong to no execution."""
        kv = kv_function(self.of(tenant), namespace)

        def telling(*args: Any, **named: Any) -> Any:
            try:
                return kv(*args, **named)
            except StorageError as error:
                raise ExpressionError(str(error)) from None

        return telling

    def of(self, tenant: str) -> TenantPairs:
        """What the flows of one Kubernetes namespace see."""
        return TenantPairs(self, tenant)


@dataclass(frozen=True)
class TenantPairs:
    """The pairs of one Kubernetes namespace. Raises ``StorageError`` for what is no key."""

    _pairs: KeyValueIndex
    _tenant: str

    def get(self, namespace: str, key: str) -> Pair | None:
        """The pair; None where there is none or its time is over."""
        return self._pairs.get(self._tenant, namespace, key)

    def inherited(self, namespace: str, key: str) -> Pair | None:
        """The pair of the namespace, or else of the nearest one above it that has the key."""
        found = (self.get(name, key) for name in ancestry(namespace))
        return next((pair for pair in found if pair is not None), None)

    def keys(self, namespace: str, prefix: str = "") -> list[str]:
        """The keys that have a value, in order."""
        return self._pairs.keys(self._tenant, namespace, prefix)


def _age(body: Object) -> tuple[str, str]:
    meta = body["metadata"]
    return meta["creationTimestamp"], meta["name"]
