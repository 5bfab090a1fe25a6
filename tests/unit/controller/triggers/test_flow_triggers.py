"""Flow triggers on a cluster: what other executions do starts one, once, whatever happens to the
controller between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, TRIGGER_STATES, Object
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow
from tests.fixtures.triggers import armed, change, looked, status

REPORT = """
id: report
namespace: company.team
inputs: [{id: rows, type: INT, defaults: 0}]
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    inputs: {rows: "{{ trigger.outputs.rows }}"}
    labels: {of: "{{ trigger.executionId }}"}
    states: [SUCCESS, PAUSED]
    conditions:
      - {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: load}
"""
BOTH = """
id: report
namespace: company.team
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    preconditions:
      id: both
      flows:
        - {namespace: company.team, flowId: load, states: [SUCCESS]}
        - {namespace: company.team, flowId: clean, states: [SUCCESS]}
"""
ENDLESS = REPORT.replace("flowId: load", "flowId: report2")


def came(name: str, flow_id: str, *states: str, ago: float = 0, **more: Any) -> Object:
    """An execution that came into states now, one after the other."""
    now = datetime.now(UTC) - timedelta(seconds=ago)
    dates = [now + timedelta(microseconds=number) for number in range(len(states))]
    history = [
        {"state": state, "date": date.isoformat()}
        for state, date in zip(states, dates, strict=True)
    ]
    pinned = {"namespace": "company.team", "id": flow_id, "name": flow_id, "revision": 1}
    told = {"state": states[-1], "flow": pinned, "history": history, **more}
    return execution(name, flow_id, status=told, metadata={"uid": name})


def started(controller: Controller) -> list[Object]:
    found = controller.server.all(EXECUTIONS)
    return [body for body in found if body["spec"]["flow"]["name"] == "report"]


async def happens(controller: Controller, *bodies: Object) -> None:
    for body in bodies:
        controller.server.put(EXECUTIONS, body)
    await looked(controller)


def again(controller: Controller, folder: Path) -> Controller:
    """Another controller in front of the same API server."""
    return Controller(folder, server=controller.server)


async def test_an_execution_that_ends_starts_one_with_its_outputs(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    assert status(controller, "after")["state"] == "Armed"
    # when
    await happens(controller, came("first", "load", "RUNNING", "SUCCESS", outputs={"rows": 7}))
    # then
    (made,) = started(controller)
    assert made["spec"]["inputs"] == {"rows": 7}
    assert made["spec"]["labels"] == {"of": "first"}
    variables = made["spec"]["trigger"]["variables"]
    assert (variables["executionId"], variables["state"]) == ("first", "SUCCESS")


async def test_each_time_that_it_comes_into_a_state_counts_once(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    paused = ("RUNNING", "PAUSED", "RUNNING", "PAUSED")
    await happens(controller, came("first", "load", *paused, outputs={"rows": 1}))
    assert len(started(controller)) == 2
    # when it is looked at again, by the same controller and by another one
    await looked(controller)
    await looked(again(controller, tmp_path))
    assert len(started(controller)) == 2


async def test_what_does_not_concern_it_starts_nothing(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    before = came("before", "load", "SUCCESS", ago=5)
    controller.server.put(EXECUTIONS, before)
    await armed(controller, REPORT)
    fails = came("fails", "load", "RUNNING", "FAILED")
    own = came("own", "report", "SUCCESS")
    own["spec"]["flow"]["name"] = "theirs"
    other = came("other", "clean", "SUCCESS")
    elsewhere = came("elsewhere", "load", "SUCCESS")
    elsewhere["metadata"]["namespace"] = "elsewhere"
    await happens(controller, fails, own, other, elsewhere)
    assert started(controller) == []
    assert status(controller, "after")["state"] == "Armed"


async def test_a_controller_that_ends_before_it_writes_its_memory_starts_it_once(
    tmp_path: Path,
) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, BOTH)
    await happens(controller, came("load-1", "load", "SUCCESS"))
    memory = status(controller, "after")["memory"]
    await happens(controller, came("clean-1", "clean", "SUCCESS"))
    (made,) = started(controller)
    # when the memory is as it was before, as if it had not been written
    change(controller, "status", "after", memory=memory)
    for next_one in (controller, again(controller, tmp_path)):
        await looked(next_one)
        assert started(controller) == [made]
    # then all are to be met anew
    await happens(controller, came("clean-2", "clean", "SUCCESS"))
    assert len(started(controller)) == 1
    await happens(controller, came("load-2", "load", "SUCCESS"))
    assert len(started(controller)) == 2


async def test_what_happened_while_no_controller_ran_is_not_lost(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, BOTH)
    for name in ("load", "clean"):
        controller.server.put(EXECUTIONS, came(f"{name}-1", name, "SUCCESS"))
    await looked(again(controller, tmp_path))
    assert len(started(controller)) == 1


async def test_a_write_that_comes_late_is_not_passed_over(tmp_path: Path) -> None:
    # given an event that was dealt with
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    late = came("late", "load", "SUCCESS", outputs={"rows": 1})
    await happens(controller, came("early", "load", "SUCCESS", outputs={"rows": 2}))
    assert len(started(controller)) == 1
    # when one is seen that is dated before it
    await happens(controller, late)
    assert len(started(controller)) == 2


async def test_what_happens_while_it_is_disabled_does_not_count(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    change(controller, "spec", "after", disabled=True)
    await happens(controller, came("first", "load", "SUCCESS", outputs={"rows": 1}))
    change(controller, "spec", "after", disabled=False)
    await looked(controller)
    assert started(controller) == []
    await happens(controller, came("second", "load", "SUCCESS", outputs={"rows": 1}))
    assert len(started(controller)) == 1


async def test_what_happened_before_the_trigger_was_changed_does_not_count(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    await happens(controller, came("first", "clean", "SUCCESS", outputs={"rows": 1}))
    await armed(controller, REPORT.replace("flowId: load", "flowId: clean"))
    await looked(again(controller, tmp_path))
    assert started(controller) == []


async def test_one_that_cannot_be_rendered_is_told_and_the_next_one_fires(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    await happens(controller, came("without", "load", "SUCCESS"))
    told = status(controller, "after")
    assert (told["state"], started(controller)) == ("Failing", [])
    assert "rows" in told["message"]
    await happens(controller, came("with", "load", "SUCCESS", outputs={"rows": 1}))
    assert len(started(controller)) == 1
    assert status(controller, "after")["state"] == "Armed"


async def test_flows_do_not_start_each_other_without_end(tmp_path: Path) -> None:
    # given a chain of executions that started each other
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    chain = []
    for number in range(20):
        body = came(f"run-{number}", "load", "SUCCESS", outputs={"rows": 1}, ago=-number / 1000)
        if number:
            variables = {"executionId": f"run-{number - 1}"}
            reference = {"id": "t", "type": "io.kestra.plugin.core.trigger.Flow"}
            body["spec"]["trigger"] = {**reference, "variables": variables}
        chain.append(body)
    await happens(controller, *chain)
    # then all but the last one start one
    assert len(started(controller)) == 19
    assert "without end" in status(controller, "after")["message"]


async def test_only_triggers_that_may_listen_are_told_of_an_execution(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(REPORT))
    await looked(controller)
    controller.queued()
    key = Key("TriggerState", NAMESPACE, "report.after")
    controller.server.put(EXECUTIONS, came("other", "clean", "SUCCESS"))
    controller.watch()
    assert key not in controller.queued()
    controller.server.put(EXECUTIONS, came("one", "load", "SUCCESS"))
    controller.watch()
    assert key in controller.queued()
    # and when its state is gone
    body = controller.server.get(TRIGGER_STATES, NAMESPACE, "report.after") or {}
    controller.server.remove(TRIGGER_STATES, NAMESPACE, body["metadata"]["name"])
    controller.watch()
    controller.queued()
    controller.server.put(EXECUTIONS, came("two", "load", "SUCCESS"))
    controller.watch()
    assert key not in controller.queued()


@pytest.mark.parametrize("states", ["[SUCCESS]", "[RUNNING]"])
async def test_a_state_that_was_passed_at_once_is_seen(tmp_path: Path, states: str) -> None:
    controller = Controller(tmp_path)
    await armed(controller, REPORT.replace("[SUCCESS, PAUSED]", states))
    await happens(controller, came("first", "load", "RUNNING", "SUCCESS", outputs={"rows": 1}))
    assert len(started(controller)) == 1
