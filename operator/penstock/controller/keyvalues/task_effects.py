"""Key-value pairs and tasks: what an attempt is told of them, and what it may change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from penstock.cluster.key_value_writer import KeyValueWriter, PairNameTaken
from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.runtime.attempt_cache import SeenAttempt
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import is_passing
from penstock.engine.interface.actions import AttemptKey, Observation, StartAttempt
from penstock.kubernetes.api.client import ApiError, Object
from penstock.kubernetes.api.labels import PAIRS
from penstock.resources.execution import PinnedFlow, State
from penstock.storage.errors import StorageError
from penstock.storage.kv import KeyExists, check_key
from penstock.tasks.contract.kv_effects import EffectRefused, PairUse, wanted_change
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import TaskFailure


@dataclass(frozen=True)
class AttemptSurroundings:
    """What one attempt of a core task is told before it runs."""

    origin: Origin
    _keyvalues: KeyValueIndex
    _tenant: str

    def snapshot(self, use: PairUse) -> dict[str, Any]:
        """Read the pairs as they are now. Raises ``TaskFailure``."""
        pairs = self._keyvalues.of(self._tenant)
        values: dict[str, Any] = {}
        keys: list[str] = []
        try:
            if use.key is None:
                keys = pairs.keys(use.namespace, use.prefix)
            else:
                check_key(use.namespace, use.key)
                read = pairs.inherited if use.inherits else pairs.get
                pair = read(use.namespace, use.key)
                keys = [] if pair is None else [use.key]
                values = {use.key: pair.value} if pair is not None and use.reads else {}
        except StorageError as error:
            raise TaskFailure(str(error)) from None
        return {"namespace": use.namespace, "values": values, "keys": keys}


class TaskEffects:
    """Tells tasks of key-value pairs, and makes the changes that they ask for."""

    def __init__(self, keyvalues: KeyValueIndex, writer: KeyValueWriter) -> None:
        self._keyvalues = keyvalues
        self._writer = writer

    def around(
        self, execution: Object, flow: PinnedFlow, action: StartAttempt
    ) -> AttemptSurroundings:
        """Build what an attempt is told."""
        meta, run = execution["metadata"], action.task_run
        origin = Origin(flow.namespace, flow.id, meta["name"], run.task_id, run.id, run.value)
        return AttemptSurroundings(origin, self._keyvalues, meta["namespace"])

    async def apply(
        self, execution: Object, key: AttemptKey, granted: PairUse | None, ended: Observation
    ) -> Observation:
        """Make so what an ended attempt wants changed. Where that can't be, it has failed."""
        if ended.state is not State.SUCCESS or not (ended.effects or granted):
            return ended
        try:
            change = wanted_change(ended.effects, granted)
            if change is not None:
                tenant = execution["metadata"]["namespace"]
                await self._writer.change(tenant, change, attempt_name(execution, key))
        except KeyExists as error:
            return _failed(ended, "KeyExists", str(error))
        except EffectRefused as error:
            return _failed(ended, "InvalidEffects", str(error))
        except PairNameTaken as error:
            return _failed(ended, error.reason, f"the key can't be written: {error}")
        except ApiError as error:
            if is_passing(error):
                raise
            return _failed(ended, error.reason, f"the key can't be written: {error}")
        return ended


def attempt_name(execution: Object, key: AttemptKey) -> str:
    """Name an attempt among all that there ever are."""
    meta, (run, number) = execution["metadata"], key
    return f"{meta['name']}/{meta['uid']}/{run}/{number}"


def recorded_in(executions: ObjectStore, tenant: str, attempt: str) -> bool:
    """Tell whether the end of an attempt is written: nobody asks for its change again."""
    name, _, rest = attempt.partition("/")
    uid, _, rest = rest.partition("/")
    run_id, _, number = rest.partition("/")
    execution = executions.get(tenant, name)
    if execution is None or execution["metadata"]["uid"] != uid:
        return True
    for run in (execution.get("status") or {}).get("taskRuns") or ():
        if run["id"] == run_id:
            return all(
                State(item["state"]).terminated
                for item in run.get("attempts") or ()
                if str(item["number"]) == number
            )
    # Ended task runs of a long execution are archived.
    return True


def granted_to(attempt: SeenAttempt) -> PairUse | None:
    """Read what an attempt may change: the controller wrote it on the attempt's Job. What stands on
    a pod says nothing."""
    if attempt.job is None:
        return None
    text = (attempt.job["metadata"].get("annotations") or {}).get(PAIRS)
    return None if text is None else PairUse.from_json(text)


def _failed(ended: Observation, reason: str, message: str) -> Observation:
    return replace(
        ended, state=State.FAILED, reason=reason, message=message, outputs=None, effects=()
    )
