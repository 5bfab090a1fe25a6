"""Tasks that count executions and clear away what is left of them: the controller does it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.scenario import ExecutionView, FlowView, Scenario

pytestmark = pytest.mark.cluster

CORE = "io.kestra.plugin.core"
NOW = "{{ now() }}"
AGO = "{{ now() | dateAdd(-1, 'HOURS') }}"
MANY = 40


def task(id: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": f"{CORE}.{kind}", **more}


def flow(scenario: Scenario, id: str, *tasks: dict[str, Any]) -> FlowView:
    return scenario.flow(json.dumps({"id": id, "namespace": "company.team", "tasks": tasks}))


def logged(execution: ExecutionView) -> list[str]:
    """The output of `penstock logs` for an execution without pods."""
    for job in execution.jobs():
        execution.scenario.kubernetes.batch.delete_namespaced_job(
            job["metadata"]["name"], execution.scenario.namespace, propagation_policy="Background"
        )
    command = [sys.executable, "-m", "penstock.cli", "logs", execution.name, "-o", "json"]
    command += ["-n", execution.scenario.namespace]
    execution.scenario.eventually("no pods", lambda: not execution.pods())
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line)["message"] for line in done.stdout.splitlines()]


def test_executions_are_counted_and_what_they_left_is_cleared_away(scenario: Scenario) -> None:
    # given
    old = flow(
        scenario,
        "old",
        task("say", "log.Log", message=["hello", "again"]),
        task("write", "storage.Write", content="hello"),
        task("set", "kv.Set", key="tmp_1", value="x"),
        task("read", "log.Fetch"),  # waits until its own logs are kept
    )
    keeper = flow(
        scenario,
        "keeper",
        task(
            "count",
            "execution.Count",
            flows=[
                {"namespace": "company.team", "flowId": "old"},
                {"namespace": "company.team", "flowId": "silent"},
            ],
            startDate=AGO,
            expression="{{ count < 2 }}",
        ),
        task(
            "errors",
            "log.PurgeLogs",
            endDate=NOW,
            logLevels=["ERROR"],
            namespace="company.team",
            flowId="old",
        ),
        task("lines", "log.PurgeLogs", endDate=NOW, namespace="company.team", flowId="old"),
        task("files", "execution.PurgeExecutions", endDate=NOW, purgeExecution=False),
        task("again", "execution.PurgeExecutions", endDate=NOW, purgeExecution=False),
        task("keys", "kv.PurgeKV", behavior={"type": "key", "expiredOnly": False}),
        task("purge", "execution.PurgeExecutions", endDate=NOW),
    )
    scenario.execution(old).ends("SUCCESS")
    # when
    execution = scenario.execution(keeper).ends("SUCCESS")
    # then
    assert execution.outputs("count") == {
        "results": [
            {"namespace": "company.team", "flowId": "old", "count": 1},
            {"namespace": "company.team", "flowId": "silent", "count": 0},
        ],
        "total": 1,
    }
    assert execution.outputs("errors")["count"] == 0
    assert execution.outputs("lines")["count"] >= 2
    files, again = execution.outputs("files"), execution.outputs("again")
    assert (files["executionsCount"], files["storagesCount"]) == (0, 2)
    assert (again["logsCount"], again["storagesCount"]) == (0, 0)
    assert execution.outputs("keys") == {"size": 1}
    assert execution.outputs("purge")["executionsCount"] == 1
    scenario.eventually(
        "one execution", lambda: [item.name for item in scenario.executions()] == [execution.name]
    )
    assert not execution.jobs()


@pytest.mark.alone("kills the controller")
def test_purged_lines_are_gone_for_good(scenario: Scenario, controller: Controller) -> None:
    # given
    old = flow(scenario, "old", task("say", "log.Log", message="hello"), task("r", "log.Fetch"))
    keeper = flow(scenario, "keeper", task("lines", "log.PurgeLogs", endDate=NOW))
    execution = scenario.execution(old).ends("SUCCESS")
    # when
    purged = scenario.execution(keeper).ends("SUCCESS").outputs("lines")
    controller.kill()  # the next one looks at every pod that is there
    controller.is_ready()
    # then
    assert purged["count"] >= 1
    assert "hello" not in logged(execution)


@pytest.mark.alone("kills the controller")
def test_a_purge_survives_a_killed_controller(scenario: Scenario, controller: Controller) -> None:
    # given
    old = flow(scenario, "old", task("mark", "execution.Labels", labels={"a": "b"}))
    keeper = flow(scenario, "keeper", task("purge", "execution.PurgeExecutions", endDate=NOW))
    for execution in [scenario.execution(old) for _ in range(MANY)]:
        execution.ends("SUCCESS")
    # when
    execution = scenario.execution(keeper)
    scenario.eventually(
        "the numbers",
        lambda: "penstock.dev/planned" in execution.body["metadata"].get("annotations", {}),
    )
    controller.kill()
    # then
    execution.ends("SUCCESS")
    assert execution.outputs("purge")["executionsCount"] == MANY
    scenario.eventually("one execution", lambda: len(scenario.executions()) == 1)
    assert len(execution.run("purge")["attempts"]) == 1
