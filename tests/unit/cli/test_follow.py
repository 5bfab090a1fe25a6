"""`penstock flow execute --follow`: an Execution is shown until it has ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.cli.executions.follow import follow
from penstock.cluster.connection import Cluster
from penstock.kubernetes.api.client import EXECUTIONS, Object
from penstock.resources.execution import State
from tests.fixtures.apiserver import Refused
from tests.unit.cli.conftest import Call, PlayedCluster
from tests.unit.cli.test_flow_in_cluster import HELLO
from tests.unit.cli.test_live import Terminal

START = "2026-01-01T00:00:00Z"
END = "2026-01-01T00:00:01Z"
FOLLOW = ("flow", "execute", "dev", "hello_world", "--follow")


def at(state: str, *runs: dict[str, Any], **more: Any) -> Any:
    """A step of the controller: it gives an execution a state and these task runs."""

    def step(body: Object) -> Object:
        return {"state": state, "taskRuns": list(runs), "startDate": START, **more}

    return step


def run(task: str, state: str, **more: Any) -> dict[str, Any]:
    ended = {"endDate": END} if state in ("SUCCESS", "FAILED") else {}
    attempt = {"number": 1, "state": state, "createdDate": START, "job": "job"}
    head = {"id": task, "taskId": task, "state": state, "startDate": START}
    return {**head, "attempts": [attempt], **ended, **more}


@pytest.fixture(autouse=True)
def _flow(played: PlayedCluster) -> None:
    played.flow(HELLO)


def test_each_change_is_shown_and_at_last_how_it_ended(call: Call, played: PlayedCluster) -> None:
    # given
    played.then(at("RUNNING", run("greet", "RUNNING")))
    played.then(at("RUNNING", run("greet", "SUCCESS"), run("bye", "RUNNING")))
    outputs = {"greeting": "Hello"}
    last = (run("greet", "SUCCESS"), run("bye", "SUCCESS"))
    played.then(at("SUCCESS", *last, duration="1.5s", outputs=outputs))

    # when
    called = call(*FOLLOW)

    # then
    (body,) = played.executions()
    assert called.code == 0
    assert called.out.splitlines() == [
        f"execution {body['metadata']['name']} of dev.hello_world",
        "RUNNING  greet",
        "SUCCESS  greet (1.0s)",
        "RUNNING  bye",
        "SUCCESS  bye (1.0s)",
        "SUCCESS after 1.5s",
        "  greeting = Hello",
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"state": "WARNING"}, 0),
        ({"state": "FAILED", "message": "no luck"}, 1),
        ({"state": "KILLED"}, 1),
        ({"state": "FAILED", "refusal": "InvalidInputs"}, 2),
        ({"state": "FAILED", "refusal": "FlowNotFound"}, 1),
    ],
)
def test_the_exit_code_tells_how_it_ended(
    call: Call, played: PlayedCluster, status: dict[str, str], code: int
) -> None:
    played.then(lambda body: status)

    assert call(*FOLLOW).code == code


def test_what_waits_for_somebody_is_told_once_and_followed_further(
    call: Call, played: PlayedCluster
) -> None:
    around = run("around", "PAUSED")
    asks = run("ask", "PAUSED", parent="around")
    for _ in range(2):
        played.then(at("PAUSED", around, asks))
    played.then(at("SUCCESS", run("ask", "SUCCESS")))

    called = call(*FOLLOW)

    assert called.code == 0
    assert called.out.count("the task ask waits for somebody: `penstock execution resume") == 1
    assert "the task around waits" not in called.out


def test_the_work_after_an_execution_is_waited_for(call: Call, played: PlayedCluster) -> None:
    played.then(at("SUCCESS", afterExecution="RUNNING"))
    played.then(at("SUCCESS", run("tell", "SUCCESS"), afterExecution="SUCCESS"))

    assert "SUCCESS  tell" in call(*FOLLOW).out


def test_json_is_the_ended_execution_and_the_rest_goes_to_stderr(
    call: Call, played: PlayedCluster
) -> None:
    played.then(at("SUCCESS", run("greet", "SUCCESS")))

    called = call(*FOLLOW, "-o", "json")

    assert json.loads(called.out)["status"]["state"] == "SUCCESS"
    assert "SUCCESS  greet" in called.err


def test_logs_stand_between_the_states(
    call: Call, played: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    entry = {
        "taskRunId": "greet",
        "taskId": "greet",
        "timestamp": START,
        "attempt": 1,
        "level": "INFO",
        "message": "Hello, World!",
    }

    async def followed(self: object) -> Any:
        yield entry

    monkeypatch.setattr("penstock.cluster.execution_logs.ExecutionLogs.followed", followed)
    played.then(at("SUCCESS", run("greet", "SUCCESS")))

    # when
    called = call(*FOLLOW, "--logs")

    # then
    assert "greet | Hello, World!" in called.out
    refused = call("flow", "execute", "dev", "hello_world", "--logs")
    assert (refused.code, "--logs: it is for `--follow`" in refused.err) == (2, True)


def test_a_lost_connection_is_made_anew(call: Call, played: PlayedCluster) -> None:
    # given: a moment in which the API server answers no watch, and has forgotten its versions
    def lose_a_call(body: Object) -> Object:
        played.server.refuse("GET", EXECUTIONS, Refused(410, "Expired"), times=1)
        return {"state": "RUNNING", "taskRuns": [run("greet", "RUNNING")]}

    played.then(lose_a_call)
    played.then(at("SUCCESS", run("greet", "SUCCESS")))

    # when
    called = call(*FOLLOW)

    # then
    assert called.code == 0
    assert "SUCCESS  greet" in called.out


def test_an_execution_that_is_deleted_meanwhile_is_told(call: Call, played: PlayedCluster) -> None:
    played.then(lambda body: None)

    called = call(*FOLLOW)

    assert called.code == 1
    assert "was deleted meanwhile" in called.err


async def test_a_terminal_gets_the_tree_and_no_control_characters_of_others(
    played: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    played.execution("report-1")
    title = "\x1b]0;owned\x07"
    failed = run("greet", "FAILED", message=f"no {title} luck")
    played.then(at("FAILED", failed, message=f"{title} failed", outputs={"a": title}))

    # when
    whole = await follow(Cluster(played.server.api, "data"), "report-1")

    # then
    assert whole.status.state is State.FAILED
    shown = terminal.getvalue()
    assert "company.team.report" in shown
    assert "✗ greet" in shown
    assert "\\x1b]0;owned" in shown
    assert title not in shown
