"""The key-value pairs of all Kubernetes namespaces, as the watch keeps them in memory.

A Kubernetes namespace is a tenant: every question names one, and no answer tells of another. Of
several objects for one key the oldest counts.

Until all of them have been listed once nothing can be said of any key. They may be many, and large,
whoever made them; so nobody waits for that list but who asks, and each question before its end
raises ``NotListed``. To expressions that is something that is not loaded yet, which no `??` takes
for a key that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.cluster.key_value_objects import is_live, key_of, one_that_counts, pair_of
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import NotListed
from penstock.engine.interface.selecting import PurgePairs
from penstock.expressions import ExpressionError, NotLoaded
from penstock.kubernetes.api.client import Object
from penstock.storage.errors import StorageError
from penstock.storage.kv import Pair, Readable, ancestry, check_key, kv_function
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
    tenant, (namespace, key) = body["metadata"]["namespace"], key_of(body)
    yield _Key(tenant, namespace, key)
    yield _Namespace(tenant, namespace)


class KeyValueIndex:
    """The KeyValues that are there. What it tells of a key raises ``NotListed`` before all of them
    are known."""

    def __init__(self, objects: ObjectStore, *, is_listed: bool) -> None:
        self._objects = objects
        self.is_listed = is_listed
        """Whether all that are there have been listed once."""

    def find(self, tenant: str, namespace: str, key: str) -> Object | None:
        """The object that counts for a key, be its time over or not."""
        self._require_list()
        found = self._objects.find(_Key(tenant, namespace, key))
        return one_that_counts(found, datetime.now(UTC))

    def put(self, body: Object) -> bool:
        """Keep what was written or read of an object; False where a newer version is known."""
        return self._objects.put(body)

    def remove(self, body: Object) -> bool:
        """Forget an object that is gone; False where it was not here."""
        return self._objects.remove(body)

    def rival(self, body: Object) -> Object | None:
        """The object that counts in place of this one; None where this one does."""
        spec = body["spec"]
        first = self.find(body["metadata"]["namespace"], spec["namespace"], spec["key"])
        same = first is None or first["metadata"]["uid"] == body["metadata"]["uid"]
        return None if same else first

    def get(self, tenant: str, namespace: str, key: str) -> Pair | None:
        """The pair; None where there is none or its time is over."""
        check_key(namespace, key)
        return pair_of(self.find(tenant, namespace, key), datetime.now(UTC))

    def keys(self, tenant: str, namespace: str, prefix: str = "") -> list[str]:
        """The keys that have a value, in order."""
        namespace_folder(namespace)  # which refuses what is no namespace
        self._require_list()
        now = datetime.now(UTC)
        found = self._objects.find(_Namespace(tenant, namespace))
        keys = {str(body["spec"]["key"]) for body in found if is_live(body, now)}
        return sorted(key for key in keys if key.startswith(prefix))

    def meant(self, tenant: str, asked: PurgePairs) -> list[tuple[str, str]]:
        """Namespace and key of each pair that is to go. Those whose time is over go anyway."""
        if asked.expired_only:
            return []
        self._require_list()
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
        return expression_kv(self.of(tenant), namespace)

    def of(self, tenant: str) -> TenantPairs:
        """What the flows of one Kubernetes namespace see."""
        return TenantPairs(self, tenant)

    def _require_list(self) -> None:
        if not self.is_listed:
            raise NotListed("KeyValues")


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


def expression_kv(pairs: Readable, namespace: str) -> Callable[..., Any]:
    """`kv()` for the expressions of a flow namespace. It raises ``ExpressionError``, and
    ``NotLoaded`` with the ``NotListed`` that it stands for."""
    kv = kv_function(pairs, namespace)

    def telling(*args: Any, **named: Any) -> Any:
        try:
            return kv(*args, **named)
        except NotListed as error:
            raise NotLoaded(error) from None
        except StorageError as error:
            raise ExpressionError(str(error)) from None

    return telling
