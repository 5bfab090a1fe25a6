"""`penstock execution`: what is found, what is asked of Executions, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.kubernetes.api.client import EXECUTIONS, Object
from tests.unit.cli.conftest import Call, PlayedCluster


def of(flow: str, state: str, namespace: str = "company.team", **labels: str) -> dict[str, Any]:
    """The status of an execution."""
    return {
        "state": state,
        "flow": {"namespace": namespace, "id": flow, "revision": 2},
        "labels": {"system.correlationId": "x", **labels},
        "trigger": "manual",
        "progress": "1/2",
        "taskRuns": [],
    }


def created(hour: int) -> dict[str, str]:
    return {"creationTimestamp": f"2026-01-01T{hour:02d}:00:00Z"}


def listed(call: Call, *options: str) -> list[str]:
    """The names that a list gives, in its order."""
    called = call("execution", "list", *options, "-o", "name")
    assert called.code == 0, called.err
    return [line.removeprefix("execution.penstock.dev/") for line in called.out.splitlines()]


@pytest.fixture
def four(played: PlayedCluster) -> PlayedCluster:
    """Four Executions, the oldest first."""
    played.execution("a", of("report", "SUCCESS", team="data"), **created(1))
    played.execution("b", of("report", "FAILED", team="data"), **created(2))
    played.execution("c", of("import", "RUNNING"), **created(3))
    played.execution("d", of("import", "SUCCESS", "company"), **created(4))
    return played


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["d", "c", "b", "a"]),
        (["company.team"], ["c", "b", "a"]),
        (["--flow", "import"], ["d", "c"]),
        (["--state", "SUCCESS"], ["d", "a"]),
        (["--state", "failed", "--state", "running"], ["c", "b"]),
        (["--label", "team=data", "--state", "FAILED"], ["b"]),
        (["--limit", "2"], ["d", "c"]),
        (["--limit", "0"], ["d", "c", "b", "a"]),
        (["company.other"], []),
    ],
)
@pytest.mark.usefixtures("four")
def test_executions_are_found(call: Call, options: list[str], names: list[str]) -> None:
    assert listed(call, *options) == names


@pytest.mark.usefixtures("four")
def test_what_a_limit_leaves_out_is_told(call: Call) -> None:
    called = call("execution", "list", "--limit", "1")

    header, row = called.out.splitlines()
    assert header.split() == [
        "NAME", "NAMESPACE", "FLOW", "STATE", "PROGRESS", "TRIGGER", "DURATION", "AGE",
    ]  # fmt: skip
    assert row.split()[:6] == ["d", "company", "import", "SUCCESS", "1/2", "manual"]
    assert called.err == "… and 3 older ones: --limit 0 shows all\n"
    assert "team=data" in call("execution", "list", "-o", "wide").out
    assert "system." not in call("execution", "list", "-o", "wide").out


def test_one_that_has_not_begun_is_found_by_its_spec(call: Call, played: PlayedCluster) -> None:
    played.execution("new")

    assert listed(call, "company.team", "--flow", "report", "--state", "CREATED") == ["new"]


@pytest.mark.usefixtures("four")
def test_one_is_got_in_each_form(call: Call) -> None:
    assert call("execution", "get", "a", "-o", "name").out == "execution.penstock.dev/a\n"
    assert json.loads(call("execution", "get", "a", "-o", "json").out)["status"]["state"]
    assert "state: SUCCESS" in call("get", "a", "-o", "yaml").out
    assert call("execution", "get", "a", "-o", "wide").out.split()[:5] == [
        "TASK", "STATE", "ATTEMPTS", "DURATION", "ID",
    ]  # fmt: skip


# kill


@pytest.mark.usefixtures("four")
def test_what_runs_is_killed_and_what_has_ended_is_told(call: Call, played: PlayedCluster) -> None:
    called = call("execution", "kill", "c", "a")

    assert called.out == "execution.penstock.dev/c is being killed\n"
    assert (called.code, called.err) == (1, "error: execution.penstock.dev/a has ended SUCCESS\n")
    assert played.get("c")["spec"]["kill"] is True
    assert "kill" not in played.get("a")["spec"]


def test_one_that_is_not_there_is_told(call: Call, played: PlayedCluster) -> None:
    for command in ("kill", "pause", "restart", "delete"):
        called = call("execution", command, "nobody")
        assert called.code == 1
        assert 'executions "nobody" not found in the namespace `data`' in called.err
        assert "`penstock execution list -n data`" in called.err


# controls


def answered(message: str | None = None, done: bool = True) -> Any:
    """A step of the controller: it answers what was asked last."""

    def step(body: Object) -> Object:
        control = body["spec"]["controls"][-1]
        result = {"id": control["id"], "date": "2026-01-01T00:00:00Z", "done": done}
        told = {} if message is None else {"message": message}
        return {**body["status"], "controls": [result | told]}

    return step


@pytest.mark.parametrize(
    ("arguments", "wish", "words"),
    [
        (["pause"], {"pause": True}, "paused"),
        (["resume"], {"resume": {"inputs": {}, "approve": True}}, "resumed"),
        (
            ["resume", "--task", "ask", "--value", "x", "-i", "count=4", "--by", "ada"],
            {
                "resume": {
                    "task": "ask", "value": "x", "inputs": {"count": "4"}, "approve": True,
                    "by": "ada",
                }
            },
            "resumed",
        ),
        (["resume", "--deny"], {"resume": {"inputs": {}, "approve": False}}, "denied"),
        (["restart"], {"restart": {}}, "restarted"),
        (["restart", "--revision", "4"], {"restart": {"revision": 4}}, "restarted"),
        (
            ["replay", "--task-run", "abc", "--revision", "2", "-i", "day=1"],
            {"replay": {"taskRun": "abc", "revision": 2, "inputs": {"day": "1"}}},
            "replayed",
        ),
    ],
)  # fmt: skip
def test_a_wish_is_written_into_the_spec_and_its_answer_told(
    call: Call, played: PlayedCluster, arguments: list[str], wish: Object, words: str
) -> None:
    played.execution("a", of("report", "RUNNING"))
    played.then(answered())
    command, *options = arguments

    called = call("execution", command, "a", *options)

    assert (called.code, called.out) == (0, f"execution.penstock.dev/a {words}\n")
    (control,) = played.get("a")["spec"]["controls"]
    assert {key: value for key, value in control.items() if key != "id"} == wish


def test_what_a_wish_made_is_told(call: Call, played: PlayedCluster) -> None:
    played.execution("a", of("report", "FAILED"))
    played.then(answered("made the execution a-replay-1"))

    called = call("execution", "replay", "a")

    assert called.out == "execution.penstock.dev/a replayed: made the execution a-replay-1\n"


def test_why_a_wish_is_refused_is_told(call: Call, played: PlayedCluster) -> None:
    played.execution("a", of("report", "SUCCESS"))
    played.then(answered("nothing of the execution is paused", done=False))

    called = call("execution", "resume", "a")

    assert called.code == 1
    assert "can't be resumed: nothing of the execution is paused" in called.err


def test_without_a_controller_nobody_waits_for_ever(
    call: Call, played: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.execution("a", of("report", "RUNNING"))
    monkeypatch.setattr("penstock.cli.executions.control._PATIENCE", 0.05)

    called = call("execution", "pause", "a")

    assert (called.code, "the controller has not answered" in called.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--task-run", "x", "--task", "y"], "--task-run: it stands in the place of"),
        (["--value", "x"], "--value: say with --task of which task"),
        (["-i", "count"], "write --input KEY=VALUE"),
    ],
)
def test_a_wish_that_is_not_clear_asks_nothing(
    call: Call, played: PlayedCluster, options: list[str], words: str
) -> None:
    played.execution("a", of("report", "PAUSED"))

    called = call("execution", "resume", "a", *options)

    assert (called.code, words in called.err) == (2, True)
    assert "controls" not in played.get("a")["spec"]


# delete


def test_a_deletion_says_what_goes(call: Call, played: PlayedCluster) -> None:
    # given
    attempt = {
        "number": 1, "state": "RUNNING", "createdDate": "2026-01-01T00:00:00Z", "job": "job-1",
    }  # fmt: skip
    run = {
        "id": "1", "taskId": "load", "state": "RUNNING", "startDate": "2026-01-01T00:00:00Z",
        "attempts": [attempt],
    }  # fmt: skip
    status = {**of("report", "RUNNING"), "taskRuns": [run]}
    uid = played.execution("a", status)["metadata"]["uid"]
    child = played.execution("a-child", **made_by(uid))["metadata"]["uid"]
    played.execution("a-grandchild", **made_by(child))
    stranger = {"labels": {"penstock.dev/parent-uid": uid}}
    played.execution("stranger", **stranger)

    # when
    told = call("execution", "delete", "a", "--dry-run")
    kept = len(played.server.all(EXECUTIONS))
    deleted = call("execution", "delete", "a")

    # then
    assert kept == 4
    assert told.out == (
        "execution.penstock.dev/a (RUNNING) would be deleted, with its files, outputs and logs and "
        "the Job that runs, and the 2 Executions that its tasks made: a-child, a-grandchild\n"
    )
    assert deleted.out == told.out.replace("would be deleted", "deleted")
    assert played.server.get(EXECUTIONS, "data", "a") is None


def made_by(uid: str) -> dict[str, Any]:
    """The metadata of an execution that a task of another made."""
    return {"labels": {"penstock.dev/parent-uid": uid}, "ownerReferences": [{"uid": uid}]}
