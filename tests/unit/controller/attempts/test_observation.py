"""Observing attempts writes nothing; what it leads to is settled in its order, and only then."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.attempts.directory_observation import DirectoryObserver
from penstock.controller.attempts.effects import (
    ChangeKeyValues,
    GiveUpJob,
    KeepInTaskCache,
    ObservedAttempt,
    RememberEnd,
    TakeInPods,
)
from penstock.controller.attempts.observation import AttemptObserver
from penstock.controller.attempts.pending import Pending
from penstock.engine.interface.actions import Observation
from penstock.kubernetes.api.client import (
    EXECUTIONS,
    FLOWS,
    JOBS,
    KEY_VALUES,
    PODS,
    Api,
    Object,
)
from penstock.resources.execution import ExecutionStatus, State
from penstock.storage.key import create_key
from penstock.tasks.contract.framing import Result, encode_result
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until
from tests.fixtures.pods import complete, pod_of

KEEP = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.kv.Set, key: k, value: v}]
"""
CACHED = """
    id: flow
    namespace: company.team
    tasks:
      - id: only
        type: io.kestra.plugin.core.debug.Return
        format: x
        taskCache: {enabled: true}
"""
SET = {"kv": "set", "namespace": "company.team", "key": "k", "value": "v", "overwrite": True}


class ReadOnly(Api):
    """The API server, for somebody who may not write: every try fails the test."""

    async def _request(self, verb: Any, *what: Any, **more: Any) -> bytes:
        assert verb == "GET", f"an observation wants to {verb} {what}"
        return await super()._request(verb, *what, **more)


class Story:
    """An execution whose only Job is made, and a controller that is at rest."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.server = controller.server

    @classmethod
    async def begun(cls, folder: Path, text: str) -> Story:
        controller = Controller(folder)
        create_key(controller.operator.files.storage.root)
        async with controller.running():
            controller.server.put(FLOWS, flow(text))
            controller.server.put(EXECUTIONS, execution())
            await until(lambda: controller.server.all(JOBS))
        return cls(controller)

    @property
    def job(self) -> Object:
        (job,) = self.server.all(JOBS)
        return job

    @property
    def execution(self) -> Object:
        found = self.controller.stores.executions.get(NAMESPACE, "run")
        assert found is not None
        return found

    @property
    def status(self) -> ExecutionStatus:
        return ExecutionStatus.from_json(self.execution["status"])

    def pod(self, result: Result, **meta: Any) -> Object:
        """The pod of the Job, which has succeeded with a result."""
        pod = pod_of(self.job)
        state = {"terminated": {"exitCode": 0, "message": encode_result(result)[0], **_DATES}}
        status = {
            "phase": "Succeeded",
            "containerStatuses": [{"name": "task", "state": state, "restartCount": 0}],
        }
        return self.server.put(
            PODS, {**pod, "metadata": {**pod["metadata"], **meta}, "status": status}
        )

    async def observed(self, patience: float = 600) -> ObservedAttempt:
        """What an observer sees that may not write; that it remembers nothing is looked at too."""
        api = self.server.api
        read_only = ReadOnly(api._client)
        attempts = self.controller.attempts
        pending = Pending(read_only, patience)
        observer = AttemptObserver(
            read_only, attempts, DirectoryObserver(attempts, pending), pending
        )
        before = copy.deepcopy(self._memory())
        (run,) = self.status.task_runs
        seen = await observer.observe(self.execution, self.status, run)
        assert self._memory() == before, "an observation is remembered by nobody"
        return seen

    async def settled(self, seen: ObservedAttempt) -> Observation | None:
        effects = self.controller.operator.rooms.attempts.effects
        return await effects.settle(self.execution, self.status, seen)

    def _memory(self) -> Any:
        attempts, uid = self.controller.attempts, self.execution["metadata"]["uid"]
        logs = self.controller.operator.logs
        return attempts.of(uid), attempts.directories(uid), set(logs._logs)


_DATES = {"startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:06Z"}


@pytest.fixture
async def keeps(tmp_path: Path) -> Story:
    return await Story.begun(tmp_path, KEEP)


async def test_the_change_of_a_key_is_an_effect_and_made_when_it_is_settled(keeps: Story) -> None:
    # given
    keeps.pod(Result({}, effects=[SET]))
    keeps.controller.watch()
    # when
    seen = await keeps.observed()
    # then
    assert seen.observation is not None
    assert seen.observation.state is State.SUCCESS
    assert [type(effect) for effect in seen.effects] == [ChangeKeyValues, RememberEnd]
    assert keeps.server.all(KEY_VALUES) == []
    # and when
    end = await keeps.settled(seen)
    # then
    (pair,) = keeps.server.all(KEY_VALUES)
    assert (pair["spec"]["key"], pair["spec"]["value"]) == ("k", "v")
    assert (await keeps.observed()) == ObservedAttempt(seen.run, end), "nothing is left to do"


async def test_what_cannot_be_changed_is_asked_for_again_and_no_end_is_remembered(
    keeps: Story,
) -> None:
    # given: the first call is lost
    keeps.pod(Result({}, effects=[SET]))
    keeps.controller.watch()
    keeps.server.refuse("POST", KEY_VALUES, OSError("lost"), times=1)
    seen = await keeps.observed()
    # when
    with pytest.raises(Exception, match="lost"):
        await keeps.settled(seen)
    # then
    again = await keeps.observed()
    assert [type(effect) for effect in again.effects] == [ChangeKeyValues, RememberEnd]
    await keeps.settled(again)
    assert len(keeps.server.all(KEY_VALUES)) == 1


async def test_a_refused_change_ends_the_attempt_otherwise_than_its_pod_says(keeps: Story) -> None:
    # given: a result that asks for more than the task may change
    keeps.pod(Result({}, effects=[{**SET, "key": "another"}]))
    keeps.controller.watch()
    # when
    end = await keeps.settled(await keeps.observed())
    # then
    assert end is not None
    assert (end.state, end.reason) == (State.FAILED, "InvalidEffects")
    assert (await keeps.observed()).observation == end


async def test_a_pod_that_no_watch_has_shown_is_listed_and_taken_in_later(keeps: Story) -> None:
    # given: the watch of the Jobs is ahead of that of the pods
    pod = keeps.pod(Result({}, effects=[SET]))
    keeps.controller.lose_watch()
    keeps.controller.tell("jobs", "MODIFIED", keeps.server.put(JOBS, complete(keeps.job)))
    # when
    seen = await keeps.observed()
    # then
    assert seen.observation is not None
    assert seen.observation.state is State.SUCCESS
    assert isinstance(seen.effects[0], TakeInPods)
    # and when
    await keeps.settled(seen)
    # then
    (known,) = keeps.controller.attempts.of(keeps.execution["metadata"]["uid"]).values()
    assert list(known.pods) == [pod["metadata"]["name"]]


async def test_a_job_whose_pod_does_not_start_is_given_up_when_that_is_settled(
    keeps: Story,
) -> None:
    # given: a pod that has waited for too long
    long_ago = datetime.now(UTC) - timedelta(minutes=20)
    made = {"creationTimestamp": long_ago.isoformat()}
    job = {**keeps.job, "metadata": {**keeps.job["metadata"], **made}}
    keeps.server.put(PODS, {**pod_of(job), "status": {"phase": "Pending"}})
    keeps.server.put(JOBS, job)
    keeps.controller.watch()
    # when
    seen = await keeps.observed()
    # then
    assert [type(effect) for effect in seen.effects] == [GiveUpJob, RememberEnd]
    assert keeps.server.all(JOBS)
    # and when
    end = await keeps.settled(seen)
    # then
    assert keeps.server.all(JOBS) == []
    assert end is not None
    assert end.state is State.FAILED
    assert str(end.message).startswith("not started within 600 s: ")


async def test_outputs_are_kept_for_later_runs_when_that_is_settled(tmp_path: Path) -> None:
    # given
    story = await Story.begun(tmp_path, CACHED)
    story.pod(Result({"value": "x"}))
    story.controller.watch()
    storage = story.controller.operator.files.storage.storage(NAMESPACE)
    # when
    seen = await story.observed()
    # then
    assert [type(effect) for effect in seen.effects] == [KeepInTaskCache, RememberEnd]
    before = list(storage.list("/"))
    await story.settled(seen)
    assert len(list(storage.list("/"))) == len(before) + 1
