"""Settling the effects of what was observed of attempts: the one place that makes them so.

The effects of an attempt are settled in the order in which its observation names them, and the next
one only when the one before is done. Whatever fails, or is cut off by the end of the controller, is
asked for again by the next observation, since only the last effect (``RememberEnd``) lets an
attempt's end not be observed anew.
"""

from __future__ import annotations

from typing import assert_never

from penstock.controller.attempts.effects import (
    ChangeKeyValues,
    GiveUpJob,
    KeepInTaskCache,
    ObservedAttempt,
    RememberEnd,
    TakeInPods,
)
from penstock.controller.attempts.jobs import Jobs
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.keyvalues.task_effects import TaskEffects
from penstock.controller.logs.archiver import Logs
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.engine.interface.actions import Observation
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionStatus, State


class AttemptEffects:
    """Settles what the observations of attempts lead to."""

    def __init__(
        self,
        attempts: AttemptStore,
        jobs: Jobs,
        task_effects: TaskEffects,
        task_cache: CachedTasks,
        logs: Logs,
    ) -> None:
        self._attempts = attempts
        self._jobs = jobs
        self._task_effects = task_effects
        self._task_cache = task_cache
        self._logs = logs

    async def settle(
        self, execution: Object, status: ExecutionStatus, seen: ObservedAttempt
    ) -> Observation | None:
        """Settle the effects of one observation, and return the observation that counts then."""
        observation = seen.observation
        for effect in seen.effects:
            match effect:
                case TakeInPods():
                    self._take_in(effect)
                case GiveUpJob():
                    await self._jobs.delete(effect.job)
                case ChangeKeyValues():
                    assert observation is not None
                    observation = await self._task_effects.apply(
                        execution, seen.key, effect.granted, observation
                    )
                case KeepInTaskCache():
                    if observation is not None and observation.state is State.SUCCESS:
                        await self._task_cache.keep(
                            execution, status, seen.run, effect.digest, observation
                        )
                case RememberEnd():
                    uid = execution["metadata"]["uid"]
                    self._attempts.attempt(uid, seen.key).outcome = observation
                case _:
                    assert_never(effect)
        return observation

    def _take_in(self, effect: TakeInPods) -> None:
        for pod in effect.pods:
            for own in self._attempts.put_pod(pod):
                self._logs.seen(own)
