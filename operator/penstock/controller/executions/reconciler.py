"""The Execution reconciler: observe, settle effects, decide, store, act.

The order is the promise that nothing is lost and nothing runs twice: the engine's new status is
stored before anything of it is made. A crash at any point leaves a status from which the same
decision is made again, and names under which what was already made is found:

- while it **observes** (``observe``), nothing is written anywhere;
- when it has **settled** some of the effects (``settle``), the next observation asks for them
  again, and each is found as it was left;
- when it has **decided** (``decide``), nothing is so yet: the same is decided again. What nobody
  asks for a second time, since the status tells of it, is made now (``Actions.prepare``);
- when it has **stored** the status (``publisher``), the intent is there, and what it names is made;
- while it **acts** (``actions``), each action is asked for again and finds what was made.
"""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.controller.executions.actions import Actions
from penstock.controller.executions.decide import Decisions
from penstock.controller.executions.observe import Observer, soonest
from penstock.controller.executions.publisher import StatusPublisher
from penstock.controller.executions.refusals import refuse_execution
from penstock.controller.executions.resolution import NotYet, Refusal
from penstock.controller.executions.settle import Effects
from penstock.controller.executions.status_store import LastStatus
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore, is_finished
from penstock.engine.interface.actions import Step
from penstock.expressions import NotLoaded
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionStatus


class ExecutionReconciler:
    """Brings one Execution a step further."""

    def __init__(
        self,
        executions: ObjectStore,
        memories: ExecutionMemories,
        observer: Observer,
        effects: Effects,
        decisions: Decisions,
        publisher: StatusPublisher,
        actions: Actions,
    ) -> None:
        self._executions = executions
        self._memories = memories
        self._observer = observer
        self._effects = effects
        self._decisions = decisions
        self._publisher = publisher
        self._actions = actions

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Bring the execution a step further. Returns the seconds after which to look again, or
        None; what it raises is an outcome too (see ``runtime.outcomes``)."""
        execution = self._executions.get(namespace, name)
        if execution is None or execution["metadata"].get("deletionTimestamp"):
            return None
        finished = is_finished(execution)
        if not finished:
            # Before anything is waited for: it may be deleted meanwhile, and is forgotten then.
            self._memories.remember(execution["metadata"]["uid"])
        execution = await self._actions.hide_secrets(execution)
        now = datetime.now(UTC)
        if finished:
            await self._clear(execution, now)
            return None
        last = await self._publisher.last(execution)
        try:
            return await self._bring_on(execution, last, now)
        except NotYet as wait:
            return wait.seconds
        except NotLoaded as missing:
            self._decisions.fetch(execution, missing)
        except Refusal as refusal:
            status = None if last is None else last.status
            step = refuse_execution(execution, status, refusal, now)
            stored = await self._publisher.store(execution, last, step, now)
            await self._act(execution, step, stored, now)
        return None

    async def _bring_on(
        self, execution: Object, last: LastStatus | None, now: datetime
    ) -> float | None:
        """Observe, settle effects, decide, store, act."""
        observed = await self._observer.observe(execution, None if last is None else last.status)
        situation = await self._effects.settle(execution, observed, now)
        async with self._decisions.decided(execution, situation, now) as step:
            step = await self._actions.prepare(execution, step)
            wait = soonest(_seconds_to_wake(step, now), observed.check)
            if (spare := self._publisher.may_wait(execution, last, step)) is not None:
                return soonest(spare, wait)
            stored = await self._publisher.store(execution, last, step, now)
        await self._act(execution, step, stored, now)
        return wait

    async def _act(
        self, execution: Object, step: Step, stored: ExecutionStatus, now: datetime
    ) -> None:
        await self._actions.take(execution, step, stored)
        await self._publisher.tell_no_wait(execution, stored, now)
        self._decisions.done(execution)
        if stored.finished:
            self._memories.forget(execution["metadata"]["uid"])

    async def _clear(self, execution: Object, now: datetime) -> None:
        """Let nothing be left of an execution that has ended."""
        await self._actions.clear(execution)
        await self._publisher.acknowledge(execution, now)
        self._memories.forget(execution["metadata"]["uid"])


def _seconds_to_wake(step: Step, now: datetime) -> float | None:
    return None if step.wake is None else max((step.wake - now).total_seconds(), 0.01)
