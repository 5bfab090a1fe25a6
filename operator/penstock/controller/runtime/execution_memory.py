"""What the controller remembers of each Execution: one memory, made on first sight and dropped by
one ``forget``, when the Execution has ended or is gone.

Whoever has something to remember of an Execution has a slot in its memory: a class of its own, of
which each memory holds one object. So nobody keeps a map of Executions, and nobody has to be told
that one has ended: what a slot has under way is ended by its ``close``.

Some things outlive the end of an Execution, or are kept by other names. Each has a bound:

- the uids of forgotten Executions, so that late news of their Jobs is dropped: the last 20,000;
- what was last told of an Execution (``app.events``): the last 20,000;
- the statuses that other Executions looked at (``executions.status_store``): the last 1,000;
- task runs as the engine saw them last (``engine.state.task_run_cache``): those of 512 Executions
  for each revision of a flow;
- logs that are still to be archived (``logs.archiver``): until they are, or their Execution is
  deleted; and the uids of the pods whose logs are: the last 20,000;
- how executions count that have begun and not ended (``concurrency.slots``): until they have ended
  or are gone; and what those were told that wait (``concurrency.calls``): the last 20,000;
- Jobs that start, or wait for that (``attempts.starting_jobs``): those that start for 10 seconds,
  those that wait until their Execution has ended;
- purges that run (``gc.purge_tasks``): until they are done;
- folders that are to be deleted (``gc.orphaned_files``): until they are;
- the uids of deleted objects (``runtime.indexes``): the last 10,000 of each kind.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

from cachetools import FIFOCache

from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import Object

_REMEMBERED = 20_000
"""Executions of which late news is dropped."""

Slot = TypeVar("Slot")


@runtime_checkable
class Closing(Protocol):
    """A slot that has something under way for its Execution."""

    def close(self) -> None:
        """End it: the Execution has ended or is gone."""


class _Memory:
    """All that is remembered of one Execution."""

    def __init__(self) -> None:
        self.slots: dict[type[Any], Any] = {}
        self.marks: set[Hashable] = set()


class ExecutionMemories:
    """The memories of all Executions, by their uid."""

    def __init__(self) -> None:
        self._memories: dict[str, _Memory] = {}
        self._marked: dict[Hashable, dict[str, Key]] = {}
        """The Executions that have a mark, by that mark."""
        self._forgotten: FIFOCache[str, None] = FIFOCache(_REMEMBERED)

    def of(self, uid: str, slot: type[Slot]) -> Slot:
        """Return what an Execution's memory has in a slot. What is changed there is remembered; it
        begins empty, as ``slot()`` makes it. Of a forgotten Execution nothing is remembered: it may
        be deleted while its reconcile is under way."""
        if uid in self._forgotten:
            return slot()
        memory = self._memories.setdefault(uid, _Memory())
        found: Slot | None = memory.slots.get(slot)
        if found is None:
            found = memory.slots[slot] = slot()
        return found

    def look(self, uid: str, slot: type[Slot]) -> Slot | None:
        """Return what an Execution's memory has in a slot, and remember nothing by that; None where
        it has nothing there."""
        memory = self._memories.get(uid)
        return None if memory is None else memory.slots.get(slot)

    def all(self, slot: type[Slot]) -> Iterator[Slot]:
        """Return what the memories have in a slot, of all Executions that have something there."""
        found = [memory.slots.get(slot) for memory in self._memories.values()]
        return (item for item in found if item is not None)

    def mark(self, execution: Object, mark: Hashable) -> None:
        """Let an Execution be found by a mark, such as what it waits for, until it is taken away or
        the Execution is forgotten."""
        meta = execution["metadata"]
        if meta["uid"] in self._forgotten:
            return
        self._memories.setdefault(meta["uid"], _Memory()).marks.add(mark)
        key = Key("Execution", meta["namespace"], meta["name"])
        self._marked.setdefault(mark, {})[meta["uid"]] = key

    def unmark(self, uid: str, mark: Hashable) -> None:
        """Take a mark away from an Execution."""
        memory = self._memories.get(uid)
        if memory is not None:
            memory.marks.discard(mark)
        marked = self._marked.get(mark, {})
        marked.pop(uid, None)
        if not marked:
            self._marked.pop(mark, None)

    def marked(self, mark: Hashable) -> dict[str, Key]:
        """Return the Executions that have a mark, by uid."""
        return dict(self._marked.get(mark, {}))

    def forget(self, uid: str) -> None:
        """Drop all that is remembered of an Execution, which has ended or is gone."""
        memory = self._memories.pop(uid, None)
        if memory is not None:
            for mark in memory.marks:
                self.unmark(uid, mark)
            for slot in memory.slots.values():
                if isinstance(slot, Closing):
                    slot.close()
        self._forgotten[uid] = None

    def keep_only(self, uids: Collection[str]) -> None:
        """Forget all Executions but these: at a start, Jobs may be left of one that was deleted
        while no controller ran."""
        for uid in [uid for uid in self._memories if uid not in uids]:
            self.forget(uid)

    def remember(self, uid: str) -> None:
        """Let news of an Execution count that had ended and goes on."""
        self._forgotten.pop(uid, None)

    def is_forgotten(self, uid: str) -> bool:
        """Tell whether news of an Execution is late: it has ended, or is gone."""
        return uid in self._forgotten
