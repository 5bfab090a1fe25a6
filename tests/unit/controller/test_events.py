"""What each piece of news leads to: who is reconciled, and who is left in peace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.controller.concurrency.standing import FlowKey
from penstock.controller.executions.resume_task import WaitsForExecution
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, KEY_VALUES, Object
from penstock.kubernetes.api.labels import EXECUTION_NAME, EXECUTION_UID
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow

ONE = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.debug.Return, format: x}]
"""


@pytest.fixture
def given(tmp_path: Path) -> Controller:
    return Controller(tmp_path)


def names(given: Controller, kind: str = "Execution") -> set[str]:
    """The objects of a kind that wait to be reconciled, by name."""
    return {key.name for key in given.queued() if key.kind == kind}


def child(state: str, **status: Any) -> Object:
    """An execution that `parent` called."""
    spec = {"parent": {"execution": "parent", "taskRun": "r", "attempt": 1}}
    return execution("child", spec=spec, status={"state": state, **status})


def queued(name: str, second: int, **spec: Any) -> Object:
    """An execution that waits for its turn since some second."""
    history = [{"state": "QUEUED", "date": f"2030-01-01T00:00:{second:02}Z"}]
    status = {"state": "QUEUED", "flow": {"name": "flow"}, "history": history}
    return execution(name, status=status, spec=spec)


def test_a_parent_looks_again_when_the_state_of_its_child_is_news(given: Controller) -> None:
    # given
    given.server.put(EXECUTIONS, child("RUNNING"))
    given.watch()
    assert names(given) == {"child", "parent"}
    # when nothing changes that a parent asks for, though the object does
    given.server.put(EXECUTIONS, child("RUNNING", progress="1/2"))
    given.watch()
    # then
    assert names(given) == {"child"}
    # and when it does
    given.server.put(EXECUTIONS, child("SUCCESS"))
    given.watch()
    assert names(given) == {"child", "parent"}


def test_the_result_of_a_control_is_news_as_well(given: Controller) -> None:
    # given
    given.server.put(EXECUTIONS, child("PAUSED"))
    given.watch()
    given.queued()
    # when
    given.server.put(EXECUTIONS, child("PAUSED", controls=[{"id": "c", "done": False}]))
    given.watch()
    # then
    assert names(given) == {"child", "parent"}


def test_a_parent_is_told_that_its_child_is_gone(given: Controller) -> None:
    # given
    given.server.put(EXECUTIONS, child("RUNNING"))
    given.watch()
    given.queued()
    # when
    given.server.remove(EXECUTIONS, NAMESPACE, "child")
    given.watch()
    # then
    assert names(given) == {"parent"}


def test_a_retry_tells_the_execution_that_it_does_again(given: Controller) -> None:
    retry = {"original": "first", "attempt": 2, "firstDate": "2030-01-01T00:00:00Z"}
    given.server.put(EXECUTIONS, execution("again", spec={"retry": retry}))
    given.watch()
    assert names(given) == {"again", "first"}


def test_whose_task_waits_for_an_execution_looks_again_once(given: Controller) -> None:
    # given
    asking = given.server.put(EXECUTIONS, execution("asking"))
    given.operator.runtime.memories.mark(asking, WaitsForExecution(NAMESPACE, "asked"))
    # when
    given.server.put(EXECUTIONS, execution("asked", flow="other"))
    given.watch()
    assert names(given) == {"asking", "asked"}
    given.server.put(EXECUTIONS, execution("asked", flow="other", metadata={"labels": {"x": "y"}}))
    given.watch()
    # then
    assert names(given) == {"asked"}


async def test_the_first_that_waits_is_called_when_a_limit_changes_or_a_slot_is_free(
    given: Controller,
) -> None:
    # given: two that wait, and one that runs
    given.server.put(FLOWS, flow(ONE))
    given.server.put(EXECUTIONS, queued("second", 2))
    given.server.put(EXECUTIONS, queued("first", 1))
    holder = {"state": "RUNNING", "flow": {"name": "flow"}}
    given.server.put(EXECUTIONS, execution("holder", status=holder))
    given.watch()
    given.queued()
    # when
    given.server.put(FLOWS, flow(ONE.replace("format: x", "format: y")))
    given.watch()
    # then
    assert names(given) == {"first"}
    # and when
    given.operator.runtime.slots.slots.learn(FlowKey(NAMESPACE, "flow"), 1)
    given.server.remove(EXECUTIONS, NAMESPACE, "holder")
    given.watch()
    # then
    assert names(given) == {"first"}


def test_a_job_and_its_end_lead_to_its_execution(given: Controller) -> None:
    # given
    labels, notes = {EXECUTION_UID: "u"}, {EXECUTION_NAME: "run"}
    job = {
        "metadata": {"name": "j", "namespace": NAMESPACE, "labels": labels, "annotations": notes}
    }
    given.server.put(JOBS, job)
    given.watch()
    assert given.queued() == {Key("Execution", NAMESPACE, "run")}
    # when
    given.server.remove(JOBS, NAMESPACE, "j")
    given.watch()
    # then
    assert given.queued() == {Key("Execution", NAMESPACE, "run")}


def test_a_key_that_is_gone_is_reconciled_no_more(given: Controller) -> None:
    # given
    spec = {"namespace": "company.team", "key": "k", "value": 1}
    given.server.put(KEY_VALUES, {"metadata": {"name": "k", "namespace": NAMESPACE}, "spec": spec})
    given.watch()
    assert names(given, "KeyValue") == {"k"}
    # when
    given.server.remove(KEY_VALUES, NAMESPACE, "k")
    given.watch()
    # then
    assert given.queued() == set()
