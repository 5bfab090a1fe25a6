"""Observing an execution, with its attempts and children, writes nothing and remembers nothing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.executions.observe import NewExecution, Observer, OpenExecution
from penstock.controller.executions.resolution import Refusal
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, PODS, Object
from penstock.resources.execution import ExecutionStatus, State
from penstock.storage.key import create_key
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until
from tests.fixtures.pods import ended, pod_of

PARENT = """
    id: flow
    namespace: company.team
    tasks:
      - id: both
        type: io.kestra.plugin.core.flow.Parallel
        tasks:
          - {id: own, type: io.kestra.plugin.core.debug.Return, format: x}
          - id: called
            type: io.kestra.plugin.core.flow.Subflow
            namespace: company.team
            flowId: child
"""
CHILD = """
    id: child
    namespace: company.team
    tasks: [{id: theirs, type: io.kestra.plugin.core.debug.Return, format: x}]
"""


class Story:
    """A controller at rest, to whose calls everything but reading is a fault from now on."""

    def __init__(self, controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
        self.controller = controller
        reconcile: Any = controller.operator.runtime.reconcilers.of("Execution")
        self._observer: Observer = reconcile.__self__._observer
        api = controller.operator.runtime.api
        request = api._request

        async def read(verb: Any, *what: Any) -> bytes:
            assert verb == "GET", f"an observation wants to {verb} {what}"
            return await request(verb, *what)

        monkeypatch.setattr(api, "_request", read)

    def execution(self, name: str = "run") -> Object:
        found = self.controller.stores.executions.get(NAMESPACE, name)
        assert found is not None
        return found

    async def observed(self) -> NewExecution | OpenExecution:
        body = self.execution()
        text = body.get("status") or {}
        status = ExecutionStatus.from_json(text) if text.get("state") else None
        memories = self.controller.operator.runtime.memories
        before = {uid: copy.deepcopy(memory.slots) for uid, memory in memories._memories.items()}
        try:
            return await self._observer.observe(body, status)
        finally:
            after = {uid: memory.slots for uid, memory in memories._memories.items()}
            assert after == before, "an observation is remembered by nobody"


async def test_attempts_and_children_are_seen_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a task whose pod has ended, and a child whose task runs
    controller = Controller(tmp_path)
    create_key(controller.operator.files.storage.root)
    server = controller.server
    async with controller.running():
        server.put(FLOWS, flow(CHILD))
        server.put(FLOWS, flow(PARENT))
        server.put(EXECUTIONS, execution())
        await until(lambda: len(server.all(JOBS)) == 2)
    (job,) = [job for job in server.all(JOBS) if job["metadata"]["name"].startswith("run-own-")]
    server.put(PODS, {**pod_of(job), "status": ended(0, {"value": "x"})})
    controller.watch()
    story = Story(controller, monkeypatch)
    # when
    seen = await story.observed()
    # then
    assert isinstance(seen, OpenExecution)
    (own,) = seen.attempts.values()
    assert own.run.task_id == "own"
    assert own.observation is not None
    assert own.observation.state is State.SUCCESS
    assert own.effects, "its end is still to be remembered"
    (child,) = seen.children.values()
    assert child.status.state is State.RUNNING


async def test_of_a_new_execution_nothing_is_made_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(CHILD))
    controller.server.put(EXECUTIONS, execution(flow="child"))
    controller.watch()
    # when
    seen = await Story(controller, monkeypatch).observed()
    # then
    assert isinstance(seen, NewExecution)
    assert seen.spec.flow.name == "child"


async def test_what_is_no_spec_is_refused_by_who_observes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    controller = Controller(tmp_path)
    controller.server.put(EXECUTIONS, execution(spec={"inputs": "none"}))
    controller.watch()
    # then
    with pytest.raises(Refusal) as refused:
        await Story(controller, monkeypatch).observed()
    assert refused.value.reason == "InvalidExecution"
