"""What was seen of an attempt, and the effects that this has before its execution is decided, as
values: who observes names them, and ``attempts.settle`` alone makes them so."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.engine.interface.actions import AttemptKey, Observation
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import TaskRun
from penstock.tasks.contract.kv_effects import PairUse


@dataclass(frozen=True)
class TakeInPods:
    """Let pods that only a list has shown count as seen. A list that is lost is asked for again."""

    pods: tuple[Object, ...]


@dataclass(frozen=True)
class GiveUpJob:
    """Let a Job be gone whose pod does not start. A controller that ends after this and before the
    failure is written finds no Job: it makes the same one again, which waits as long again."""

    job: Object


@dataclass(frozen=True)
class ChangeKeyValues:
    """Let the key-value pairs be changed as the attempt's result asks; where they can't be, the
    attempt has failed. A change that is asked for again is made once: the KeyValue names the
    attempts whose change is in it."""

    granted: PairUse | None
    """What the attempt may change."""


@dataclass(frozen=True)
class KeepInTaskCache:
    """Let the outputs of a success be found by later runs of the task. Kept twice they are the
    same."""

    digest: str
    """The digest of the properties with which the task ran."""


@dataclass(frozen=True)
class RememberEnd:
    """Let the observation be the end of the attempt: it is not looked at again, and never ends
    otherwise. A controller that ends forgets it, and observes the same end."""


Effect = TakeInPods | GiveUpJob | ChangeKeyValues | KeepInTaskCache | RememberEnd


@dataclass(frozen=True)
class ObservedAttempt:
    """What was seen of the last attempt of a task run."""

    run: TaskRun
    observation: Observation | None
    """What the Job and its pods tell; None while the attempt has no Job."""
    effects: tuple[Effect, ...] = ()
    """What is to be settled before the observation counts, in this order."""
    check: float | None = None
    """Seconds after which the attempt must be looked at again without any news."""

    @property
    def key(self) -> AttemptKey:
        return self.run.id, self.run.attempts[-1].number
