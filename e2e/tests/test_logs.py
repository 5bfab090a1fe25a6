"""Logs are kept after their pods are gone, and read the same either way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import wait_for
from e2e.fixtures.scenario import SHELL_IMAGE, ExecutionView, FlowView, Scenario

pytestmark = pytest.mark.cluster

CORE = "io.kestra.plugin.core"
NOBODY = {"Impersonate-User": "nobody", "Impersonate-Group": "system:authenticated"}


def script(id: str, text: str, **more: Any) -> dict[str, Any]:
    kind = "io.kestra.plugin.scripts.shell.Script"
    return {"id": id, "type": kind, "containerImage": SHELL_IMAGE, "script": text, **more}


def core(id: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": f"{CORE}.{kind}", **more}


def given_tasks(scenario: Scenario, *tasks: dict[str, Any]) -> FlowView:
    return scenario.flow(json.dumps({"id": "f", "namespace": "company.team", "tasks": tasks}))


def printed(execution: ExecutionView, *options: str) -> str:
    """The output of `penstock logs`."""
    command = [sys.executable, "-m", "penstock.cli", "logs", execution.name]
    command += ["-n", execution.scenario.namespace, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def entries(execution: ExecutionView, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed(execution, "-o", "json", *options).splitlines()]


def messages(execution: ExecutionView, *options: str) -> list[str]:
    return [entry["message"] for entry in entries(execution, *options)]


def without_pods(execution: ExecutionView) -> ExecutionView:
    """The execution, once all of its Jobs and pods are gone."""
    scenario = execution.scenario
    for job in execution.jobs():
        name = job["metadata"]["name"]
        scenario.kubernetes.batch.delete_namespaced_job(
            name, scenario.namespace, propagation_policy="Background"
        )
    wait_for("no pods", lambda: not scenario.kubernetes.pods(scenario.namespace))
    return execution


def archived(execution: ExecutionView, count: int) -> ExecutionView:
    """The execution, once so many logs are archived to their end."""

    def ended() -> int:
        return sum(item["ended"] for item in json.loads(asked(execution, "/attempts")))

    wait_for(f"{count} archived logs", lambda: ended() == count, describe=ended)
    return execution


def asked(
    execution: ExecutionView, part: str = "", token: str | None = None, method: str = "GET"
) -> str:
    """The storage service's answer, by the API server's proxy, to a user without any right."""
    logs = execution.status["logs"]
    client: ApiClient = execution.scenario.kubernetes.core.api_client
    answer = client.call_api(
        method,
        client.configuration.host + logs["path"] + part,
        {"Penstock-Token": token or logs["token"], **NOBODY},
    )
    text: bytes = answer.read() or b""
    if answer.status >= 400:
        raise ApiException(status=answer.status, reason=text.decode())
    return text.decode()


def test_a_log_is_the_same_from_pods_and_from_the_archive(scenario: Scenario) -> None:
    # given
    bad = '::{"logs":[{"level":"ERROR","message":"bad"}]}::'
    given = given_tasks(
        scenario,
        core("hello", "log.Log", message=["hello", "two\nlines"], level="WARN"),
        core(
            "each",
            "flow.ForEach",
            values=["a", "b"],
            tasks=[script("item", "echo 'out {{ taskrun.value }}'; echo err >&2; echo")],
        ),
        script("said", f"echo '{bad}'; seq 1 3"),
    )
    # when
    execution = scenario.execution(given).ends("SUCCESS")
    live = entries(execution)
    archived(execution, 4)
    from_archive = entries(execution)
    without_pods(execution)
    # then
    assert live == from_archive == entries(execution)
    assert [(entry["taskId"], entry["level"], entry["message"]) for entry in live[:3]] == [
        ("hello", "WARN", "hello"),
        ("hello", "WARN", "two"),
        ("hello", "WARN", "lines"),
    ]
    items = [entry for entry in live if entry["taskId"] == "item"]
    assert {entry["value"] for entry in items} == {"a", "b"}
    assert sorted(entry["message"] for entry in items) == ["", "", "err", "err", "out a", "out b"]
    said = [(entry["level"], entry["message"]) for entry in live if entry["taskId"] == "said"]
    assert said == [("ERROR", "bad"), ("INFO", "1"), ("INFO", "2"), ("INFO", "3")]
    assert [entry["timestamp"] for entry in live] == sorted(entry["timestamp"] for entry in live)
    assert set(messages(execution, "--task", "item")) == {"", "err", "out a", "out b"}
    assert " WARN  hello | hello\n" in printed(execution)


def test_every_attempt_has_its_log(scenario: Scenario) -> None:
    count = "{{ taskrun.attemptsCount }}"
    retry = {"type": "constant", "interval": "PT1S", "maxAttempts": 3}
    given = given_tasks(
        scenario, script("flaky", f"echo 'try {count}'; test '{count}' = 1", retry=retry)
    )
    execution = without_pods(archived(scenario.execution(given).ends("SUCCESS"), 2))
    assert [(entry["attempt"], entry["message"]) for entry in entries(execution)] == [
        (1, "try 0"),
        (2, "try 1"),
    ]
    assert messages(execution, "--attempt", "2") == ["try 1"]
    assert " INFO  flaky #2 | try 1\n" in printed(execution)


def test_a_result_at_the_end_is_no_part_of_a_log(scenario: Scenario) -> None:
    line = '::{"outputs":{"x":"%s"}}::'
    much = "$(head -c 6000 /dev/zero | tr '\\0' x)"
    given = given_tasks(
        scenario,
        script("large", f"echo before; printf '{line}\\n' \"{much}\"; echo after"),
        core("value", "debug.Return", format="{{ outputs.large.vars.x }}"),
    )
    execution = scenario.execution(given).ends("SUCCESS")
    live = messages(execution)
    without_pods(archived(execution, 2))
    found = messages(execution, "--task", "large")
    assert (found[0], found[-1], len(found)) == ("before", "after", 3)
    assert messages(execution) == live
    assert not any("penstock" in message for message in live)


def test_lines_longer_than_a_runtime_writes_at_once_are_whole(scenario: Scenario) -> None:
    """containerd splits what is printed into entries of 16 KiB."""
    # given
    text = r"""
        long() { i=0; while [ $i -lt "$1" ]; do printf 0123456789abcdef; i=$((i+1)); done; }
        long 6400; echo
        printf '::{"outputs":{"short":"'; long 1100; printf '"}}::\n'
        printf '::{"outputs":{"long":"'; long 18750; printf '"},"logs":[{"level":"WARN","message":"'
        long 2000; printf '"}]}::\n'
        echo after
    """
    flow = given_tasks(scenario, script("work", text))
    # when
    execution = scenario.execution(flow).ends("SUCCESS")
    # then
    block = "0123456789abcdef"
    values = execution.outputs("work")["vars"]
    assert values == {"short": block * 1100, "long": block * 18750}
    live = messages(execution)
    assert live[0] == block * 6400
    assert block * 2000 in live
    assert live[-1] == "after"
    assert not any("penstock-" in line for line in live)
    assert messages(without_pods(execution)) == live


def test_a_running_execution_is_followed_to_its_end(scenario: Scenario) -> None:
    given = given_tasks(
        scenario,
        script("slow", "for i in 1 2 3 4; do echo slow $i; sleep 1; done"),
        core("last", "log.Log", message="done"),
    )
    execution = scenario.execution(given).reaches("RUNNING")
    assert messages(execution, "--follow") == ["slow 1", "slow 2", "slow 3", "slow 4", "done"]
    assert execution.status["state"] == "SUCCESS"


def test_a_killed_task_leaves_its_log(scenario: Scenario) -> None:
    given = given_tasks(scenario, script("long", "echo started; sleep 600"))
    execution = scenario.execution(given)
    wait_for("a line", lambda: messages(execution) == ["started"])
    execution.patched({"kill": True}).ends("KILLED")
    archived(execution, 1)
    wait_for("no pods", lambda: not scenario.kubernetes.pods(scenario.namespace))
    # What was printed before the kill is kept. Of what a task prints while it ends, a kubelet that
    # is busy may keep nothing: then the log says that it ends here.
    assert messages(execution)[0] == "started"


def test_a_token_opens_the_logs_of_one_execution(scenario: Scenario) -> None:
    # given
    given = given_tasks(scenario, core("hello", "log.Log", message="hello"))
    mine = archived(scenario.execution(given).ends("SUCCESS"), 1)
    theirs = archived(scenario.execution(given).ends("SUCCESS"), 1)
    # then
    assert '"hello"' in asked(mine)
    for token in (mine.status["logs"]["token"], "x", "0" * 64):
        with pytest.raises(ApiException) as refused:
            asked(theirs, token=token)
        assert refused.value.status == 403
        assert "token" in str(refused.value)
    with pytest.raises(ApiException, match=r"nobody.*cannot create resource"):
        asked(mine, method="POST")


def test_a_token_opens_nothing_when_its_execution_is_made_anew(scenario: Scenario) -> None:
    # given
    given = given_tasks(scenario, core("hello", "log.Log", message="hello"))
    first = archived(scenario.execution(given, name="again").ends("SUCCESS"), 1)
    old = first.status["logs"]["token"]
    # when
    scenario.kubernetes.delete("executions", scenario.namespace, "again")
    second = archived(scenario.execution(given, name="again").ends("SUCCESS"), 1)
    # then
    assert '"hello"' in asked(second)
    # Its logs are deleted within seconds, and those of the other are not in the folder that it
    # opens.
    wait_for(
        "the end of the old logs",
        lambda: json.loads(asked(second, "/attempts", token=old)) == [],
    )
    assert "hello" not in asked(second, token=old)


def test_a_task_reads_what_was_printed_just_before(scenario: Scenario) -> None:
    given = given_tasks(
        scenario,
        script("one", "seq 1 5"),
        core("two", "log.Log", message="careful", level="WARN"),
        core("all", "log.Fetch"),
        core("warnings", "log.Fetch", level="WARN"),
        core("some", "log.Fetch", tasksId=["one"]),
    )
    execution = scenario.execution(given).ends("SUCCESS")
    assert execution.outputs("all")["size"] == 6
    assert execution.outputs("warnings")["size"] == 1
    assert execution.outputs("some")["size"] == 5


@pytest.mark.alone("kills the controller")
def test_logs_of_a_controller_that_was_away(scenario: Scenario, controller: Controller) -> None:
    # given
    given = given_tasks(scenario, script("slow", "echo begin; sleep 4; echo end"))
    execution = scenario.execution(given)
    wait_for("a line", lambda: messages(execution) == ["begin"])
    # when
    controller.kill()
    controller.is_ready()
    # then
    execution.ends("SUCCESS")
    without_pods(archived(execution, 1))
    assert messages(execution) == ["begin", "end"]


@pytest.mark.long
def test_a_task_that_prints_very_much_is_cut(scenario: Scenario) -> None:
    # given
    many = "yes 'a line of some forty characters in all' | head -c 62914560"
    values = '::{"outputs":{"n":1}}::'
    given = given_tasks(
        scenario, script("much", f"echo first; {many}; echo; echo '{values}'; echo last")
    )
    # when
    began = time.monotonic()
    execution = scenario.execution(given).ends("SUCCESS", seconds=240)
    ended = time.monotonic()
    archived(execution, 1)
    print(f"ended after {ended - began:.1f} s, archived {time.monotonic() - ended:.1f} s later")
    without_pods(execution)
    # then
    found = entries(execution)
    notes = [entry["message"] for entry in found if entry["level"] == "WARN"]
    assert notes
    assert all("cut" in note or "missing" in note for note in notes)
    assert [entry["timestamp"] for entry in found] == sorted(e["timestamp"] for e in found)
    size = sum(len(entry["message"]) + 32 for entry in found)
    assert 1_000 < size < 11 * 1024 * 1024
    assert found[-1]["message"] == "last"
    assert execution.outputs("much")["vars"] == {"n": 1}


def test_metrics_stand_on_the_task_run(scenario: Scenario) -> None:
    rows = {"name": "rows", "type": "counter", "value": 2, "tags": {"a": "b"}}
    line = f"::{json.dumps({'metrics': [rows]})}::"
    given = given_tasks(
        scenario,
        script("script", f"echo '{line}'; echo '{line}'"),
        core("core", "metric.Publish", metrics=[{"type": "timer", "name": "took", "value": 1.5}]),
    )
    execution = scenario.execution(given).ends("SUCCESS")
    assert execution.run("script")["metrics"] == [rows | {"value": 4}]
    assert execution.run("core")["metrics"] == [
        {"type": "timer", "name": "took", "value": 1.5, "tags": {}}
    ]
