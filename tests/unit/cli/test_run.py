"""`penstock run`: exit codes, messages, and the Execution that it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Call, Write

GOOD = """\
id: good
namespace: company.team
inputs:
  - {id: who, type: STRING, defaults: World}
  - {id: count, type: INT, required: false}
tasks:
  - id: hello
    type: io.kestra.plugin.core.debug.Return
    format: "Hello {{ inputs.who }}"
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: inner, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }} ö"}
outputs:
  - {id: greeting, type: STRING, value: "{{ outputs.hello.value }}"}
"""
FAILING = """\
id: failing
namespace: company.team
tasks:
  - {id: boom, type: io.kestra.plugin.core.execution.Fail, errorMessage: no luck}
"""
INVALID = """\
id: invalid
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    massage: hello
"""


def test_a_good_flow_is_shown_with_its_outputs(call: Call, write: Write) -> None:
    called = call("run", write(GOOD), "--input", "who=Ada")

    assert called.code == 0
    assert "inner [a] | a ö\n" in called.out
    assert called.out.endswith("  greeting = Hello Ada\n")
    assert called.err == ""


def test_json_is_the_finished_execution_and_the_rest_goes_to_stderr(
    call: Call, write: Write
) -> None:
    called = call("run", write(GOOD), "-o", "json", "--label", "team=blue", "--input", "count=3")

    assert called.code == 0
    assert "inner [a] | a ö" in called.err
    execution = json.loads(called.out)
    assert execution["apiVersion"] == "penstock.dev/v1alpha1"
    assert execution["kind"] == "Execution"
    assert execution["metadata"]["name"].startswith("good-")
    assert execution["metadata"]["uid"]
    assert execution["spec"] == {
        "flow": {"namespace": "company.team", "id": "good"},
        "inputs": {"count": "3"},
        "labels": {"team": "blue"},
    }
    status = execution["status"]
    assert status["state"] == "SUCCESS"
    assert status["inputs"] == {"who": "World", "count": 3}
    assert status["labels"]["team"] == "blue"
    assert status["outputs"] == {"greeting": "Hello World"}
    assert {item["type"]: item["status"] for item in status["conditions"]} == {
        "Succeeded": "True",
        "Ready": "True",
    }
    hello, each, first, second = status["taskRuns"]
    assert (hello["taskId"], hello["state"]) == ("hello", "SUCCESS")
    assert hello["outputs"] == {"value": "Hello World"}
    assert [attempt["state"] for attempt in hello["attempts"]] == ["SUCCESS"]
    assert (each["taskId"], each["attempts"]) == ("each", [])
    assert [(run["taskId"], run["value"]) for run in (first, second)] == [
        ("inner", "a"),
        ("inner", "b"),
    ]


def test_a_failed_execution_says_why(call: Call, write: Write) -> None:
    called = call("run", write(FAILING))

    assert called.code == 1
    assert "task boom: no luck" in called.out


def test_a_warning_is_a_success(call: Call, write: Write) -> None:
    allowed = FAILING.replace("no luck", "no luck, allowFailure: true")

    assert call("run", write(allowed)).code == 0


def test_an_invalid_flow_is_refused_with_file_and_line(call: Call, write: Write) -> None:
    called = call("run", write(INVALID))

    assert called.code == 2
    assert (
        "flow.yaml:6: tasks[0].massage: unknown property `massage`; did you mean `message`?"
        in called.err
    )
    assert called.out == ""


def test_an_invalid_flow_beside_the_one_to_run_is_refused(call: Call, write: Write) -> None:
    called = call("run", write(GOOD), "--flow", write(INVALID, "other.yaml"))

    assert called.code == 2
    assert "other.yaml:6: tasks[0].massage" in called.err


def test_a_flow_that_is_given_twice_is_refused(call: Call, write: Write) -> None:
    called = call("run", write(GOOD), "--flow", write(GOOD, "other.yaml"))

    assert called.code == 2
    assert "company.team.good is given twice" in called.err


def test_bad_input_is_refused_by_name(call: Call, write: Write) -> None:
    called = call("run", write(GOOD), "--input", "count=many", "-o", "json")

    assert called.code == 2
    assert "error: " in called.err
    assert "`count`" in called.err
    status = json.loads(called.out)["status"]
    assert status["state"] == "FAILED"
    assert status["taskRuns"] == []
    assert status["conditions"][0]["reason"] == "InvalidInputs"


def test_a_missing_input_is_refused_by_name(call: Call, write: Write) -> None:
    called = call("run", write(GOOD.replace(", defaults: World", "")))

    assert called.code == 2
    assert "`who`" in called.err


def test_a_mistyped_input_is_told_of(call: Call, write: Write) -> None:
    called = call("run", write(GOOD), "--input", "whom=Ada")

    assert called.code == 0
    assert "the flow has no input `whom`; did you mean `who`?" in called.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", "who"],
        ["--label", "=x"],
        ["--timeout", "soon"],
        ["--timeout", "0s"],
        ["--id", "other"],
        ["--nonsense"],
    ],
)
def test_a_wrong_command_line_is_refused(call: Call, write: Write, arguments: list[str]) -> None:
    called = call("run", write(GOOD), *arguments)

    assert called.code == 2
    assert "Traceback" not in called.err
    assert called.out == ""


def test_a_file_that_is_not_there_is_refused(call: Call, write: Write) -> None:
    assert call("run", "missing.yaml").code == 2


def test_one_flow_of_several_is_chosen(call: Call, write: Write) -> None:
    file = write(f"{GOOD}---\n{FAILING}")

    assert call("run", file).code == 0
    assert call("run", file, "--id", "failing").code == 1


def test_a_disabled_flow_is_not_run(call: Call, write: Write) -> None:
    called = call("run", write(f"{GOOD}disabled: true\n"))

    assert called.code == 1
    assert "the flow is disabled" in called.err


def test_a_timeout_kills_and_is_a_failure(call: Call, write: Write) -> None:
    sleeping = FAILING.replace(
        "execution.Fail, errorMessage: no luck", "flow.Sleep, duration: PT1H"
    )
    called = call("run", write(sleeping), "--timeout", "0.2s", "-o", "json")

    assert called.code == 1
    assert json.loads(called.out)["status"]["state"] == "KILLED"
    assert "longer than the timeout of 0.2s" in called.err


def test_an_interrupt_kills_the_tasks(write: Write) -> None:
    file = write("""\
id: long
namespace: company.team
tasks:
  - id: long
    type: io.kestra.plugin.scripts.shell.Script
    script: |
      echo "pid $$"
      sleep 600
""")
    command = [sys.executable, "-m", "penstock.cli", "run", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "pid" in line)
        pid = int(line.rsplit(" ", 1)[1])
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=20) == 1
    assert "KILLED after" in rest
    assert _is_gone(pid)


def _is_gone(pid: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return False


def test_a_fault_is_one_message_and_debug_shows_where(
    call: Call, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("penstock.cli.run.choose_flow", broken)
    file = write(GOOD)
    called = call("run", file)

    assert called.code == 70
    assert "a fault" in called.err
    assert "Traceback" not in called.err
    monkeypatch.setenv("PENSTOCK_DEBUG", "1")
    with pytest.raises(RuntimeError):
        call("run", file)
