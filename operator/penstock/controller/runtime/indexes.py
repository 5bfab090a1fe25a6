"""What the controller has seen of the cluster: the newest version of each object that matters.

Watches deliver late. So what a call returns is put in at once, and a version that is older than
the one that is known never replaces it; a deleted object is remembered by its uid for a while, so
that a late event does not bring it back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from cachetools import FIFOCache

from penstock.kubernetes.api.client import Object
from penstock.resources.execution import State

Index = Callable[[Object], Iterable[Hashable]]
"""The keys under which an object is found beside its name; the same for the same object."""

_REMEMBERED_DELETIONS = 10_000


Put = Callable[[Object], None]
"""Told of each object that is kept, new or in another version."""
Removed = Callable[[Object], None]
"""Told once of each object that is gone, with the last that is known of it."""


def version_of(body: Object) -> int:
    """The resource version as a number: the API server's versions grow for one kind of object."""
    text = body.get("metadata", {}).get("resourceVersion", "0")
    return int(text) if text.isdigit() else 0


class ObjectStore:
    """Objects of one kind by namespace and name, and by the keys that an index gives them.

    However it becomes known that an object is gone (a watch, a list that lacks it, a call that does
    not find it, another object under its name), whoever asked `on_removed` is told of it, once.
    """

    def __init__(self, index: Index = lambda body: ()) -> None:
        self._put: list[Put] = []
        self._removed: list[Removed] = []
        self._objects: dict[tuple[str, str], Object] = {}
        self._index = index
        self._indexed: dict[Hashable, dict[tuple[str, str], None]] = {}
        self._deleted: FIFOCache[str, None] = FIFOCache(_REMEMBERED_DELETIONS)

    def on_put(self, put: Put) -> None:
        """Let somebody be told of each object that is kept."""
        self._put.append(put)

    def on_removed(self, removed: Removed) -> None:
        """Let somebody be told of each object that is gone."""
        self._removed.append(removed)

    def find(self, key: Hashable) -> list[Object]:
        """The objects to which the index gives a key, in the order in which they came."""
        return [self._objects[name] for name in self._indexed.get(key, ())]

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def uid_of(self, namespace: str, name: str) -> str | None:
        """The uid of the object of that name; None where there is none."""
        found = self.get(namespace, name)
        return None if found is None else str(found["metadata"].get("uid"))

    def put(self, body: Object) -> bool:
        """Keep an object unless a newer version is known. True where it was kept."""
        meta = body["metadata"]
        if meta.get("uid") in self._deleted:
            return False
        key = (meta.get("namespace", ""), meta["name"])
        known = self._objects.get(key)
        if known is not None and version_of(known) > version_of(body):
            return False
        if known is not None and known["metadata"].get("uid") != meta.get("uid"):
            self.remove(known)  # its name is another object's now
        elif known is not None:
            self._unindex(key, known)
        self._objects[key] = body
        for entry in self._index(body):
            self._indexed.setdefault(entry, {})[key] = None
        for put in self._put:
            put(body)
        return True

    def remove(self, body: Object) -> bool:
        """Forget a deleted object. False where it was not here: never seen, removed before, or
        replaced by another of the same name."""
        meta = body["metadata"]
        if meta.get("uid") in self._deleted:
            return False
        self._deleted[meta.get("uid", "")] = None
        key = (meta.get("namespace", ""), meta["name"])
        known = self._objects.get(key)
        was_here = known is not None and known["metadata"].get("uid") == meta.get("uid")
        if known is not None and was_here:
            self._unindex(key, known)
            del self._objects[key]
        for removed in self._removed:
            removed(body)
        return was_here

    def _unindex(self, key: tuple[str, str], body: Object) -> None:
        for entry in self._index(body):
            names = self._indexed.get(entry, {})
            names.pop(key, None)
            if not names:
                self._indexed.pop(entry, None)

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def __len__(self) -> int:
        return len(self._objects)


def state_of(body: Object) -> State | None:
    """The state of an Execution, told from the text alone: at a restart there are thousands."""
    text = (body.get("status") or {}).get("state")
    return State(text) if isinstance(text, str) and text in State.__members__ else None


def has_ended(body: Object) -> bool:
    """Whether an Execution has reached its end."""
    state = state_of(body)
    return state is not None and state.terminated


def is_finished(body: Object) -> bool:
    """Whether nothing of an Execution runs any more, and nobody wants anything of it."""
    status = body.get("status") or {}
    after = status.get("afterExecution") == State.RUNNING
    return has_ended(body) and not after and not has_pending_controls(body)


def has_pending_controls(body: Object) -> bool:
    """Whether the spec has controls of which the status does not tell."""
    asked = (body.get("spec") or {}).get("controls") or ()
    if not asked:
        return False
    told = {result["id"] for result in (body.get("status") or {}).get("controls") or ()}
    return any(control["id"] not in told for control in asked)


def reference(body: Object) -> dict[str, Any]:
    """An object reference, as Events and owner references want it."""
    meta = body["metadata"]
    return {
        "apiVersion": body.get("apiVersion"),
        "kind": body.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
    }
