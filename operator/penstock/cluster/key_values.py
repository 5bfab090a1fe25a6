"""Reads, lists, sets and deletes the key-value pairs of one Kubernetes namespace for a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from penstock.cluster.key_value_objects import is_live, key_of, one_that_counts, pair_of
from penstock.cluster.key_value_writer import KeyValueWriter
from penstock.kubernetes.api.client import KEY_VALUES, Api, Object
from penstock.storage.kv import KeyMissing, Pair, Readable, ancestry, check_key
from penstock.tasks.contract.kv_effects import Change


class KeyValues:
    """The pairs of one Kubernetes namespace, as they were when they were read.

    Besides what each call raises, :class:`ApiError` tells of what the API server refuses, and
    :class:`StorageError` of what is no key. What a flow namespace inherits is not looked for.
    """

    def __init__(self, api: Api, namespace: str, bodies: Iterable[Object]) -> None:
        self._tenant = namespace
        self._known = _Listed(bodies)
        # Who changes a key by hand can't know which attempts are open: their names stay.
        self._writer = KeyValueWriter(api, self._known, lambda tenant, attempt: False)

    @classmethod
    async def read(cls, api: Api, namespace: str) -> KeyValues:
        """Read all pairs of a Kubernetes namespace."""
        return cls(api, namespace, await api.list(KEY_VALUES, namespace))

    def get(self, namespace: str, key: str) -> Pair:
        """Give the value of a key. Raises :class:`KeyMissing`."""
        check_key(namespace, key)
        pair = pair_of(self._known.find(self._tenant, namespace, key), datetime.now(UTC))
        if pair is None:
            raise KeyMissing(namespace, key)
        return pair

    def objects(self, namespace: str | None = None) -> list[Object]:
        """Give the KeyValues that count, of one flow namespace or of all, in the order of their
        keys."""
        bodies = self._known.that_count(datetime.now(UTC))
        found = [body for body in bodies if namespace in (None, body["spec"]["namespace"])]
        return sorted(found, key=lambda body: (body["spec"]["namespace"], body["spec"]["key"]))

    def list(self, namespace: str | None = None) -> list[Object]:
        """Give the specs of the KeyValues that count, of one flow namespace or of all, in the order
        of their keys."""
        return [body["spec"] for body in self.objects(namespace)]

    def readable(self) -> Readable:
        """Give what expressions read of the pairs."""
        return _Readable(self._tenant, self._known)

    async def set(self, change: Change) -> None:
        """Give a key a value. Raises :class:`KeyExists` where it must not be overwritten, and what
        :meth:`KeyValueWriter.change` raises."""
        check_key(change.namespace, change.key)
        await self._writer.change(self._tenant, change)

    async def delete(self, namespace: str, key: str) -> None:
        """Delete a key. Raises :class:`KeyMissing`."""
        self.get(namespace, key)
        await self._writer.change(self._tenant, Change("delete", namespace, key))


class _Readable:
    """The pairs as `kv()` reads them: what a namespace inherits is found, too."""

    def __init__(self, tenant: str, known: _Listed) -> None:
        self._tenant = tenant
        self._known = known

    def get(self, namespace: str, key: str) -> Pair | None:
        check_key(namespace, key)
        return pair_of(self._known.find(self._tenant, namespace, key), datetime.now(UTC))

    def inherited(self, namespace: str, key: str) -> Pair | None:
        found = (self.get(name, key) for name in ancestry(namespace))
        return next((pair for pair in found if pair is not None), None)


class _Listed:
    """The KeyValues of a list, kept up with what is written after it."""

    def __init__(self, bodies: Iterable[Object]) -> None:
        self._bodies = {body["metadata"]["name"]: body for body in bodies}

    def find(self, tenant: str, namespace: str, key: str) -> Object | None:
        found = [body for body in self._bodies.values() if key_of(body) == (namespace, key)]
        return one_that_counts(found, datetime.now(UTC))

    def put(self, body: Object) -> None:
        self._bodies[body["metadata"]["name"]] = body

    def remove(self, body: Object) -> None:
        self._bodies.pop(body["metadata"]["name"], None)

    def that_count(self, now: datetime) -> list[Object]:
        """Give the one that counts for each key that has a value."""
        by_key: dict[tuple[str, str], list[Object]] = {}
        for body in self._bodies.values():
            by_key.setdefault(key_of(body), []).append(body)
        chosen = (one_that_counts(bodies, now) for bodies in by_key.values())
        return [body for body in chosen if body is not None and is_live(body, now)]
