"""The census: how many executions hold slots, of each flow, of each namespace and of all, and who
waits. Pure; it only counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from penstock.controller.concurrency.line import Line
from penstock.controller.concurrency.standing import FlowKey, Standing

Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True)
class _Entry:
    standing: Standing
    holds: bool
    rides: bool
    """Whether it needs a slot of its own flow only."""


class Census:
    """Counts executions, each as it was last told."""

    def __init__(self) -> None:
        self.lines: dict[str, dict[FlowKey, Line]] = {}
        """The executions that wait, by namespace and flow; there is no empty line."""
        self._entries: dict[str, _Entry] = {}
        self._of_flow: dict[FlowKey, set[str]] = {}
        self._of_namespace: dict[str, set[str]] = {}
        self._running = 0
        self.riding = 0
        """How many wait that need a slot of their own flow only."""
        self._called: dict[str, set[str]] = {}
        """The executions that one called, by the uid of the caller."""

    def set(self, standing: Standing, *, holds: bool) -> None:
        """Count an execution as one that holds slots or waits, whatever it was before."""
        held = self.holds(standing.uid)
        self._remove(standing.uid)
        self._add(standing, holds)
        if held is not holds:
            self._recount_called(standing.uid)

    def remove(self, uid: str) -> None:
        """Count an execution no more."""
        held = self.holds(uid)
        self._remove(uid)
        if held:
            self._recount_called(uid)

    def counts(self, uid: str) -> bool:
        """Tell whether an execution is counted, be it that it holds slots or waits."""
        return uid in self._entries

    def holds(self, uid: str) -> bool:
        """Tell whether an execution holds slots."""
        entry = self._entries.get(uid)
        return entry is not None and entry.holds

    def rides(self, standing: Standing) -> bool:
        """Tell whether an execution runs in the slots of its caller, but for that of its flow."""
        return standing.caller is not None and self.holds(standing.caller)

    def of_flow(self, flow: FlowKey, but: Standing | None = None) -> int:
        """Count those of a flow that hold a slot, but for one."""
        return _size(self._of_flow, flow, but)

    def of_namespace(self, namespace: str, but: Standing | None = None) -> int:
        """Count those that hold a slot of a namespace, but for one."""
        return _size(self._of_namespace, namespace, but)

    def of_all(self, but: Standing | None = None) -> int:
        """Count those that hold a slot of the installation, but for one."""
        of_its_namespace = () if but is None else self._of_namespace.get(but.flow.namespace, ())
        return self._running - (but is not None and but.uid in of_its_namespace)

    def ahead(self, standing: Standing) -> int:
        """Count those of its flow that wait and come before an execution."""
        line = self.lines.get(standing.flow.namespace, {}).get(standing.flow)
        return 0 if line is None else line.before(standing.place)

    def ahead_in_namespace(self, standing: Standing) -> int:
        """Count those of its namespace that wait and come before an execution."""
        lines = self.lines.get(standing.flow.namespace, {}).values()
        return sum(line.before(standing.place) for line in lines)

    def is_idle(self, flow: FlowKey) -> bool:
        """Tell whether nobody of a flow holds a slot or waits."""
        return flow not in self._of_flow and flow not in self.lines.get(flow.namespace, {})

    def _recount_called(self, caller: str) -> None:
        """Count those anew that an execution called, which holds slots now or does no more."""
        for uid in list(self._called.get(caller, ())):
            entry = self._entries[uid]
            self._remove(uid)
            self._add(entry.standing, entry.holds)

    def _add(self, standing: Standing, holds: bool) -> None:
        uid, flow = standing.uid, standing.flow
        rides = self.rides(standing)
        self._entries[uid] = _Entry(standing, holds, rides)
        if standing.caller is not None:
            self._called.setdefault(standing.caller, set()).add(uid)
        if not holds:
            lines = self.lines.setdefault(flow.namespace, {})
            lines.setdefault(flow, Line()).add(standing, rides=rides)
            self.riding += rides
            return
        self._of_flow.setdefault(flow, set()).add(uid)
        if not rides:
            self._of_namespace.setdefault(flow.namespace, set()).add(uid)
            self._running += 1

    def _remove(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        if entry is None:
            return
        standing, flow = entry.standing, entry.standing.flow
        if standing.caller is not None:
            _discard(self._called, standing.caller, uid)
        if not entry.holds:
            self._leave_line(standing)
            self.riding -= entry.rides
            return
        _discard(self._of_flow, flow, uid)
        if not entry.rides:
            _discard(self._of_namespace, flow.namespace, uid)
            self._running -= 1

    def _leave_line(self, standing: Standing) -> None:
        flow = standing.flow
        lines = self.lines[flow.namespace]
        lines[flow].remove(standing)
        if not lines[flow].entries:
            del lines[flow]
        if not lines:
            del self.lines[flow.namespace]


def _size(sets: Mapping[Group, set[str]], group: Group, but: Standing | None) -> int:
    found = sets.get(group, set())
    return len(found) - (but is not None and but.uid in found)


def _discard(sets: dict[Group, set[str]], group: Group, uid: str) -> None:
    """Take a uid out of one of the sets, and the set away where it is empty then."""
    found = sets[group]
    found.discard(uid)
    if not found:
        del sets[group]
