"""Flow triggers: an Execution that came into a state starts one of another flow.

What is looked at are the Executions of the trigger's Kubernetes namespace as they are, and those of
other namespaces which the trigger names and whose Flows allow it: each state that one came into,
and that was not dealt with, is put to the trigger, in the order of their dates.
A controller looks at all of them once, and then at those of which there is news, which lists bring
where a watch has lost it.

What a trigger remembers stands in its TriggerState. The Execution of a firing is made first, under
a name that follows from the event, and then the memory is written: a controller that ends in
between puts the same events to the same memory, and finds the Execution that is there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cachetools import LRUCache

from penstock.cluster.firings import NameTaken
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.queue import Key
from penstock.controller.triggers.contexts import Contexts, small_allowance
from penstock.controller.triggers.happened import Looked, happened
from penstock.controller.triggers.histories import Histories
from penstock.controller.triggers.leaves import Leaves
from penstock.controller.triggers.listeners import Listener, Listeners, Place
from penstock.controller.triggers.serving import Served, TriggerAtWork
from penstock.controller.triggers.starter import Starter
from penstock.engine.interface.actions import Report
from penstock.expressions import spending
from penstock.kubernetes.api.client import Object
from penstock.resources.flow_leave import OUTPUTS_TO
from penstock.resources.names import short_hash
from penstock.resources.trigger_state import TriggerPhase, TriggerStateStatus
from penstock.triggers.evaluation import FlowName, Upstream
from penstock.triggers.firing import Firing
from penstock.triggers.flow_trigger.chain import is_endless
from penstock.triggers.flow_trigger.decision import Recall, decide
from penstock.triggers.flow_trigger.memory import Memory, Met
from penstock.triggers.flow_trigger.misses import missed, next_deadline
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.kinds import TriggerType
from penstock.triggers.properties import TriggerProperties

_LATE = timedelta(minutes=2)
"""How long after its date a state of an execution may become known: it is dated when it is decided,
and a write that takes longer is given up and decided anew."""
_RENEWED = timedelta(hours=1)
"""How old a memory's `since` may be: what is later is put to the trigger again after a restart."""
_AT_ONCE = 50
"""Events that are dealt with before others take their turn."""
_LOOKED = 10_000
_OUTPUTS_LEAVE = f"the annotation {OUTPUTS_TO} of its Flow names who sees them"
_STOOD_STILL = (TriggerPhase.DISABLED, TriggerPhase.NOT_SERVED)
"""Phases in which what happens does not count."""


@dataclass
class _Outcome:
    """What came of the events that were dealt with."""

    reports: list[Report] = field(default_factory=list)
    error: str | None = None
    """What is wrong with the last event that concerned the trigger; None where nothing is."""
    told: bool = False
    """Whether any event concerned the trigger."""


class UpstreamServer:
    """Serves the triggers that fire when executions of other flows come into states."""

    def __init__(
        self,
        starter: Starter,
        contexts: Contexts,
        executions: ObjectStore,
        histories: Histories,
        listeners: Listeners,
        leaves: Leaves,
    ) -> None:
        self._starter = starter
        self._contexts = contexts
        self._executions = executions
        self._histories = histories
        self._listeners = listeners
        self._leaves = leaves
        self._looked: LRUCache[str, Looked] = LRUCache(_LOOKED)

    def plan(self, kind: TriggerType, properties: TriggerProperties) -> str | None:
        """Say nothing of dates: there are none."""
        return None

    async def serve(self, work: TriggerAtWork, now: datetime) -> Served:
        """Put to the trigger what happened since, and start what it calls for."""
        try:
            return await self._serve(work, now)
        except Exception:
            self._looked.pop(work.state["metadata"]["uid"], None)  # then all is looked at again
            raise

    async def _serve(self, work: TriggerAtWork, now: datetime) -> Served:
        trigger, meta = work.properties, work.state["metadata"]
        assert isinstance(trigger, FlowTrigger)
        listener = Listener(
            own=FlowName(work.flow.namespace, work.flow.id),
            home=meta["namespace"],
            flows=trigger.only_flows(),
            namespaces=frozenset(trigger.kubernetes_namespaces or (meta["namespace"],)),
        )
        key = Key("TriggerState", meta["namespace"], meta["name"])
        self._listeners.listen(key, listener)
        memory = _remembered(work, now)
        looked = self._looked_at(work, memory)
        executions = self._to_look_at(key, listener, looked)
        news = happened(executions, trigger, listener, memory, looked)
        outcome = _Outcome()
        for item in news[:_AT_ONCE]:
            told = await self._histories.event(item.execution, item.step)
            event = self._leaves.told(meta["namespace"], item.execution, told)
            memory = await self._deal(work, trigger, event, memory, now, outcome)
            looked.later[item.key] = item.step.date
            await asyncio.sleep(0)  # others take their turn between
        rest = {item.place for item in news[_AT_ONCE:]}
        self._listeners.tell_again(key, rest)
        if not rest:
            looked.forget(now - _LATE)
            memory = await self._miss(work, trigger, memory, now, outcome)
            memory = _renewed(memory, work, now - _LATE)
        status = _told(work.before, memory, outcome)
        looked.written = status.memory
        phase = TriggerPhase.FAILING if status.failures else TriggerPhase.ARMED
        again = now if rest else _look_again(trigger, now)
        return Served(phase, status, again, outcome.reports)

    def _looked_at(self, work: TriggerAtWork, memory: Memory) -> Looked:
        uid, written = work.state["metadata"]["uid"], work.before.memory
        looked = self._looked.get(uid)
        if looked is None or looked.written != written or memory.since > looked.until:
            looked = self._looked[uid] = Looked(written, memory.since)
        return looked

    def _to_look_at(self, key: Key, listener: Listener, looked: Looked) -> list[Object]:
        """List the executions that may have news for a trigger, and of which it may know."""
        places = self._listeners.news(key)
        if places is None or not looked.at_all:
            looked.at_all = True
            return [
                execution
                for namespace in sorted(listener.namespaces)
                for heard in self._leaves.keys_heard(key.namespace, namespace)
                for execution in self._executions.find(heard)
            ]
        found = (self._executions.get(*place) for place in places)
        return [body for body in found if body and self._leaves.hears(key.namespace, body)]

    async def _deal(
        self,
        work: TriggerAtWork,
        trigger: FlowTrigger,
        event: Upstream,
        memory: Memory,
        now: datetime,
        outcome: _Outcome,
    ) -> Memory:
        """Put an event to the trigger, start what it calls for, and return what to remember."""
        context = self._contexts.of(work, now)
        namespace = work.state["metadata"]["namespace"]
        with spending(small_allowance()):
            decision = decide(
                trigger, work.trigger.id, event, memory, context, self._recall(namespace)
            )
        errors = list(decision.errors)
        if decision.firing is not None:
            errors += await self._start(work, event, decision.firing, outcome)
        if errors or decision.memory is not memory:
            outcome.told = True
            if errors and event.outputs_withheld:
                errors.append(f"outputs of that execution are not seen here: {_OUTPUTS_LEAVE}")
            outcome.error = "; ".join(errors) or None
        if errors:
            text = f"trigger {work.trigger.id}, execution {event.id}: {outcome.error}"
            outcome.reports.append(Report("TriggerFailed", text, warning=True))
        return decision.memory

    async def _start(
        self, work: TriggerAtWork, event: Upstream, firing: Firing, outcome: _Outcome
    ) -> list[str]:
        """Start the execution of a firing. Returns what is wrong, in words."""
        namespace = work.state["metadata"]["namespace"]
        place = event.kubernetes_namespace or namespace, event.id
        if is_endless(place, self._started_by):
            return ["flows start each other without end: nothing is started"]
        try:
            body = work.accepted.body
            name = await self._starter.start(body, work.flow.id, work.trigger, firing)
        except NameTaken as error:
            return [str(error)]
        if name is not None:
            text = f"trigger {work.trigger.id}: {event.id} is {event.state}: started {name}"
            outcome.reports.append(Report("Triggered", text))
        return list(firing.what_is_wrong)

    async def _miss(
        self,
        work: TriggerAtWork,
        trigger: FlowTrigger,
        memory: Memory,
        now: datetime,
        outcome: _Outcome,
    ) -> Memory:
        """Start the execution of a window that was missed, once no more of it can become known,
        and return what to remember."""
        context = self._contexts.of(work, now)
        with spending(small_allowance()):
            memory, firing = missed(trigger, work.trigger.id, memory, now - _LATE, context)
        if firing is None:
            return memory
        body = work.accepted.body
        try:
            name = await self._starter.start(body, work.flow.id, work.trigger, firing)
            told = None if name is None else f"started {name}, {'; '.join(firing.what_is_wrong)}"
        except NameTaken as error:
            told = str(error)
        if told is not None:
            text = f"trigger {work.trigger.id}: {told}"
            outcome.reports.append(Report("TriggerFailed", text, warning=True))
        return memory

    def _recall(self, namespace: str) -> Recall:
        def outputs(met: Met) -> Mapping[str, Any] | None:
            body = self._executions.get(met.kubernetes_namespace or namespace, met.execution)
            if body is None or not self._leaves.sees_outputs(namespace, body):
                return None
            return (body.get("status") or {}).get("outputs")

        return outputs

    def _started_by(self, place: Place) -> Place | None:
        """Name the execution that made a trigger start one. What somebody writes of one in another
        namespace counts as far as that one may be known."""
        body = self._executions.get(*place)
        variables = (((body or {}).get("spec") or {}).get("trigger") or {}).get("variables") or {}
        if "executionId" not in variables:
            return None
        namespace = str(variables.get("kubernetesNamespace") or place[0])
        found = namespace, str(variables["executionId"])
        if namespace == place[0]:
            return found
        upstream = self._executions.get(*found)
        return None if upstream is None or not self._leaves.hears(place[0], upstream) else found


def _remembered(work: TriggerAtWork, now: datetime) -> Memory:
    """Return what the trigger remembers. What happened before it was armed, or before what it says
    was changed, does not count."""
    definition = short_hash(json.dumps(work.trigger.properties, sort_keys=True, default=str))
    kept = work.before.memory
    if not isinstance(kept, Mapping):
        return Memory.armed(now).model_copy(update={"definition": definition})
    memory = Memory.model_validate(kept)
    if work.before.state in _STOOD_STILL or memory.definition != definition:
        memory = memory.anew(now)
    return memory.model_copy(update={"definition": definition})


def _renewed(memory: Memory, work: TriggerAtWork, until: datetime) -> Memory:
    """Let the memory begin later, where it is to be written anyway, or is old: everything up to
    then was dealt with."""
    changed = memory.to_json() != work.before.memory
    return memory.forgetting(until) if changed or until - memory.since > _RENEWED else memory


def _look_again(trigger: FlowTrigger, now: datetime) -> datetime:
    """Tell when to look at a trigger again, where nothing happens before."""
    deadline = next_deadline(trigger, now - _LATE)
    latest = now + _RENEWED
    return latest if deadline is None else min(latest, deadline + _LATE)


def _told(before: TriggerStateStatus, memory: Memory, outcome: _Outcome) -> TriggerStateStatus:
    failures, message = before.failures, before.message
    if outcome.told:
        failures = failures + 1 if outcome.error else 0
        message = outcome.error
    return before.model_copy(
        update={
            "memory": memory.to_json(),
            "failures": failures,
            "message": message if failures else None,
            "next_date": None,
        }
    )
