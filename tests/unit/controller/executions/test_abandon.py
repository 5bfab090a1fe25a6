"""An Execution of which each reconcile fails by an error of the controller's own ends."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.runtime import faults
from penstock.controller.runtime.faults import Faults
from penstock.engine.decision.engine import Engine
from penstock.kubernetes.api.client import EVENTS, EXECUTIONS, FLOWS, JOBS, Object
from penstock.resources.execution import ExecutionStatus
from tests.fixtures.controller import NAMESPACE, Controller, conditions, execution, flow, until

TWO = """
    id: flow
    namespace: company.team
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return, format: x}
      - {id: second, type: io.kestra.plugin.core.debug.Return, format: y}
"""


class Story:
    """A controller that fails to decide for one execution."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.controller = Controller(folder)
        self.server = self.controller.server
        self.failing: set[str] = set()
        decide = Engine._advance

        def fail(engine: Engine, decision: Any, *args: Any) -> Any:
            if decision.identity.name in self.failing:
                raise KeyError("hunter2")
            return decide(engine, decision, *args)

        monkeypatch.setattr(Engine, "_advance", fail)
        monkeypatch.setattr(faults, "LASTING_SECONDS", 1.0)

    def body(self, name: str) -> Object:
        body = self.server.get(EXECUTIONS, NAMESPACE, name)
        assert body is not None
        return body

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.body(name).get("status") or {}
        return found

    def events(self) -> list[str]:
        return [event["note"] for event in self.server.all(EVENTS) if _is_fault(event)]

    async def begin(self, name: str) -> None:
        """Let an execution begin, and then fail whatever is decided of it."""
        self.server.put(FLOWS, flow(TWO))
        self.server.put(EXECUTIONS, execution(name))
        await until(lambda: self.server.all(JOBS))
        self.failing.add(name)

    def change(self, name: str, **spec: Any) -> None:
        body = self.body(name)
        self.server.put(EXECUTIONS, {**body, "spec": {**body["spec"], **spec}})


def _is_fault(event: Object) -> bool:
    return bool(event["reason"] == "InternalError")


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(tmp_path, monkeypatch)


async def test_an_execution_that_fails_again_and_again_ends_and_its_jobs_go(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    async with story.controller.running():
        # given
        await story.begin("bad")
        # when
        with caplog.at_level(logging.WARNING):
            story.change("bad", labels={"looked": "at"})
            await until(lambda: story.status("bad").get("state") == "FAILED", seconds=20)
            await until(lambda: not story.server.all(JOBS))
        # then another one is served
        story.server.put(EXECUTIONS, execution("good"))
        await until(lambda: story.server.all(JOBS))
    status = ExecutionStatus.from_json(story.status("bad"))
    assert status.refusal == "InternalError"
    assert "KeyError" in str(status.message)
    assert [run.state for run in status.task_runs] == ["CANCELLED"]
    assert [attempt.state for attempt in status.task_runs[0].attempts] == ["CANCELLED"]
    assert conditions(story.body("bad"))["Stalled"][0] == "InternalError"
    assert "KeyError" in story.events()[-1]
    assert "hunter2" not in str(story.body("bad")) + str(story.events())
    assert caplog.text.count("Traceback") == 1


async def test_kill_ends_it_at_the_first_failure(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "LASTING_SECONDS", 1_000.0)
    async with story.controller.running():
        await story.begin("bad")
        story.change("bad", kill=True)
        await until(lambda: story.status("bad").get("state") == "KILLED")
        await until(lambda: not story.server.all(JOBS))
    assert "killed as its spec asks" in story.status("bad")["message"]


async def test_what_people_want_of_one_that_has_ended_is_refused(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with story.controller.running():
        # given: one that was killed in good order
        await story.begin("bad")
        story.failing.clear()
        story.change("bad", kill=True)
        await until(lambda: story.status("bad").get("state") == "KILLED")
        # when
        story.failing.add("bad")
        story.change("bad", kill=False, controls=[{"id": "again", "restart": {}}])
        await until(lambda: story.status("bad").get("controls"), seconds=20)
    (told,) = story.status("bad")["controls"]
    assert (told["id"], told["done"]) == ("again", False)
    assert story.status("bad")["state"] == "KILLED"


async def test_one_whose_status_nobody_can_read_ends_with_a_new_one(story: Story) -> None:
    async with story.controller.running():
        status = {"state": "RUNNING", "taskRuns": [{"id": "x"}], "flow": {"name": "flow"}}
        story.server.put(EXECUTIONS, execution("odd", status=status))
        await until(lambda: story.status("odd").get("state") == "FAILED", seconds=20)
    assert story.status("odd")["refusal"] == "InternalError"
    assert story.status("odd").get("taskRuns", []) == []


async def test_one_whose_error_passes_goes_on(story: Story) -> None:
    async with story.controller.running():
        await story.begin("bad")
        story.change("bad", labels={"looked": "at"})
        await until(lambda: story.events() or story.controller.operator.queue.depth == 0)
        story.failing.clear()
        story.change("bad", kill=True)
        await until(lambda: story.status("bad").get("state") == "KILLED")
    assert "without its tasks" not in story.status("bad")["message"]


def test_an_error_lasts_by_times_and_by_seconds() -> None:
    known = Faults()
    for second in range(4):
        known.add("a", second * 10.0)
    assert not known.is_lasting("a", 100.0)
    known.add("a", 40.0)
    assert known.is_lasting("a", 40.0)
    # and when one reconcile ends well
    known.forget("a")
    assert known.add("a", 41.0) == 1
    for _ in range(10):
        known.add("b", 50.0)
    assert not known.is_lasting("b", 55.0)
