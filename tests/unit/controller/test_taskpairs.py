"""What a task is told of pairs, and what becomes of what it wants changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.cluster.key_value_writer import KeyValueWriter
from penstock.controller.keyvalues.index import KeyValueIndex, pair_keys
from penstock.controller.keyvalues.task_effects import TaskEffects, granted_to
from penstock.controller.runtime.attempt_cache import SeenAttempt
from penstock.controller.runtime.indexes import ObjectStore
from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.flow.task import RunnableTask
from penstock.kubernetes.api.labels import PAIRS
from penstock.kubernetes.observation.results import observe
from penstock.resources.execution import Attempt, PinnedFlow, State, TaskRun
from penstock.tasks.contract.framing import Result, encode_result
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.task import TaskFailure
from tests.fixtures.memory_api import MemoryApi

EXECUTION = {"metadata": {"name": "run", "namespace": "t", "uid": "u"}}
KEY = ("r1", 1)
USE = PairUse("company.team", "k", changes=True)
SET = {"kv": "set", "namespace": "company.team", "key": "k", "value": 1, "overwrite": False}
FLOW = PinnedFlow(namespace="company.team", id="f", revision=1)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class World:
    def __init__(self) -> None:
        self.api = MemoryApi()
        objects = ObjectStore(pair_keys)
        self.pairs = KeyValueIndex(objects, is_listed=True)
        writer = KeyValueWriter(self.api, self.pairs, lambda tenant, attempt: False)  # type: ignore[arg-type]
        self.tasks = TaskEffects(self.pairs, writer)

    async def ended(
        self, result: Result, use: PairUse | None, exit_code: int = 0, *, pod: bool = True
    ) -> Observation:
        """The end of an attempt, as its pod tells of it."""
        annotations = {} if use is None else {PAIRS: use.to_json()}
        job = {
            "metadata": {"annotations": annotations},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]},
        }
        message = encode_result(result)[0]
        state = {"terminated": {"exitCode": exit_code, "reason": "Error", "message": message}}
        body: dict[str, Any] = {
            "metadata": {"name": "p", "annotations": annotations},
            "status": {"containerStatuses": [{"name": "task", "state": state}]},
        }
        seen = SeenAttempt(job=job, pods={"p": body} if pod else {})
        observation = observe(job, list(seen.pods.values()))
        return await self.tasks.apply(EXECUTION, KEY, granted_to(seen), observation)

    def value(self) -> Any:
        pair = self.pairs.get("t", "company.team", "k")
        return None if pair is None else pair.value

    def told(self, use: PairUse) -> dict[str, Any]:
        run = TaskRun(id="r1", task_id="a", state=State.CREATED, start_date=NOW, value="v")
        attempt = Attempt(number=1, state=State.CREATED, created_date=NOW)
        start = StartAttempt(run, attempt, RunnableTask(id="a", type="x", properties={}), {})
        return self.tasks.around(EXECUTION, FLOW, start).snapshot(use)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_successful_task_has_its_way_once(world: World) -> None:
    ended = await world.ended(Result({"a": 1}, effects=[SET]), USE)

    assert (ended.state, ended.outputs, world.value()) == (State.SUCCESS, {"a": 1}, 1)
    again = await world.ended(Result({"a": 1}, effects=[SET]), USE)
    assert (again.state, world.api.writes) == (State.SUCCESS, 1)


async def test_a_failed_task_changes_nothing(world: World) -> None:
    ended = await world.ended(Result(message="no", effects=[SET]), USE, exit_code=1)

    assert (ended.message, world.value()) == ("no", None)


@pytest.mark.parametrize("use", [None, PairUse("company.team", "other", changes=True)])
async def test_a_result_that_asks_for_more_than_is_granted_fails_its_task(
    world: World, use: PairUse | None
) -> None:
    """A script can write any termination message, also that of a core task."""
    ended = await world.ended(Result({"a": 1}, effects=[SET]), use)

    assert (ended.state, ended.reason, ended.outputs) == (State.FAILED, "InvalidEffects", None)
    assert world.api.objects == {}


async def test_a_value_that_is_nested_too_deep_is_kept_under_no_key(world: World) -> None:
    value = json.loads("[" * 900 + "]" * 900)

    ended = await world.ended(Result(effects=[SET | {"value": value}]), USE)

    assert (ended.state, ended.reason) == (State.FAILED, "InvalidEffects")
    assert ended.message == "the value is nested deeper than 100 levels"
    assert world.api.objects == {}


async def test_a_change_that_nobody_can_read_any_more_is_no_success(world: World) -> None:
    ended = await world.ended(Result(), USE, pod=False)

    assert (ended.state, ended.reason) == (State.FAILED, "InvalidEffects")
    assert (await world.ended(Result(), None, pod=False)).state is State.SUCCESS


async def test_a_key_that_is_there_already_fails_in_kestras_words(world: World) -> None:
    await world.ended(Result(effects=[SET]), USE)
    writer = world.tasks._writer
    writer_of_another = {"metadata": EXECUTION["metadata"] | {"name": "other"}}

    ended = await TaskEffects(world.pairs, writer).apply(
        writer_of_another, KEY, USE, Observation(State.SUCCESS, effects=(SET,))
    )

    assert ended.reason == "KeyExists"
    assert ended.message == (
        "Cannot set value for key 'k'. Key already exists and `overwrite` is set to `false`."
    )


async def test_a_task_is_told_what_it_needs_and_no_more(world: World) -> None:
    await world.ended(Result(effects=[SET]), USE)
    own = {"namespace": "company.team"}

    assert world.told(USE) == own | {"values": {}, "keys": ["k"]}
    assert world.told(PairUse("company.team", "k", reads=True))["values"] == {"k": 1}
    assert world.told(PairUse("company.team")) == own | {"values": {}, "keys": ["k"]}
    below = PairUse("company.team.sub", "k", reads=True)
    assert world.told(below)["keys"] == []
    with pytest.raises(TaskFailure, match="is not a key"):
        world.told(PairUse("company.team", "../k"))
    origin = world.tasks.around(EXECUTION, FLOW, _start()).origin
    assert (origin.namespace, origin.flow, origin.execution) == ("company.team", "f", "run")


def _start() -> StartAttempt:
    run = TaskRun(id="r1", task_id="a", state=State.CREATED, start_date=NOW)
    attempt = Attempt(number=1, state=State.CREATED, created_date=NOW)
    return StartAttempt(run, attempt, RunnableTask(id="a", type="x", properties={}), {})
