"""Attempts run on this machine: as the same task would run in a pod."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.flow.task import RunnableTask
from penstock.local.attempt import run_locally
from penstock.resources.execution import Attempt, State, TaskRun

CORE = "io.kestra.plugin.core"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
PYTHON = "io.kestra.plugin.scripts.python.Script"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def start(
    task_type: str, properties: Mapping[str, Any], timeout: float | None = None
) -> StartAttempt:
    return StartAttempt(
        TaskRun(id="r", task_id="t", state=State.CREATED, start_date=NOW),
        Attempt(number=1, state=State.CREATED, created_date=NOW),
        RunnableTask(id="t", type=task_type),
        properties,
        timedelta(seconds=timeout) if timeout is not None else None,
    )


class Logs:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))


async def run(task_type: str, timeout: float | None = None, **properties: Any) -> Observation:
    return await run_locally(start(task_type, properties, timeout))


async def test_a_core_task_runs_in_this_process() -> None:
    # given
    logs = Logs()
    # when
    seen = await run_locally(start(f"{CORE}.log.Log", {"message": ["a", "b\nc"]}), logs)
    # then
    assert seen.state is State.SUCCESS
    assert logs.lines == [("stdout", "a"), ("stdout", "b"), ("stdout", "c")]
    assert seen.start_date is not None
    assert seen.end_date is not None


async def test_outputs_of_a_core_task() -> None:
    done = await run(f"{CORE}.output.OutputValues", values={"a": "x"})
    assert done.outputs == {"values": {"a": "x"}}


async def test_a_failing_core_task_says_why() -> None:
    seen = await run(f"{CORE}.execution.Fail", errorMessage="sorry")
    assert (seen.state, seen.reason, seen.message) == (State.FAILED, "TaskFailed", "sorry")


async def test_a_wrong_property_fails_the_attempt() -> None:
    seen = await run(f"{CORE}.flow.Sleep", duration="soon")
    assert seen.state is State.FAILED
    assert "property `duration`" in (seen.message or "")


async def test_sleep_times_out() -> None:
    began = time.monotonic()
    seen = await run(f"{CORE}.flow.Sleep", timeout=0.2, duration="PT20S")
    assert (seen.reason, seen.message) == ("Timeout", "Timeout after PT0.2S")
    assert time.monotonic() - began < 15


async def test_a_script_runs_as_a_process() -> None:
    # given
    logs = Logs()
    properties = {
        "commands": [
            "echo $GREETING",
            "cat file",
            'echo \'::{"outputs":{"a":1}}::\' >&2',
            "exit 3",
        ],
        "env": {"GREETING": "hi"},
        "inputFiles": {"file": "no line end"},
    }
    # when
    seen = await run_locally(start(SHELL, properties), logs)
    # then
    assert (seen.state, seen.exit_code, seen.message) == (State.FAILED, 3, "exit code 3")
    assert seen.outputs == {"vars": {"a": 1}, "exitCode": 3, "outputFiles": {}}
    assert ("stdout", "hi") in logs.lines
    assert ("stdout", "no line end") in logs.lines
    assert ("stderr", '::{"outputs":{"a":1}}::') in logs.lines


async def test_a_python_script() -> None:
    seen = await run(PYTHON, script='print(\'::{"outputs":{"n": 6}}::\')')
    assert seen.state is State.SUCCESS
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"n": 6}


async def test_the_environment_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE", "secret")
    logs = Logs()
    await run_locally(start(SHELL, {"commands": ["env", "ls $HOME $TMPDIR"]}), logs)
    assert not any("secret" in line for _, line in logs.lines)


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
async def test_a_timeout_kills_the_whole_group(trap: str, tmp_path: Path) -> None:
    # given
    began = time.monotonic()
    script = f"{trap} echo $$ >{tmp_path}/pid; (sleep 30; echo x) & sleep 30; sleep 30"
    # when
    seen = await run(SHELL, timeout=0.3, commands=[script])
    # then
    assert seen.reason == "Timeout"
    assert time.monotonic() - began < 20
    assert not alive(tmp_path / "pid")


async def test_a_cancelled_script_is_killed(tmp_path: Path) -> None:
    # given
    task = asyncio.create_task(run(SHELL, commands=[f"echo $$ >{tmp_path}/pid; sleep 30; :"]))
    await asyncio.sleep(0.5)
    # when
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # then
    await asyncio.sleep(0.1)
    assert not alive(tmp_path / "pid")


async def test_a_process_left_behind_is_not_waited_for_long() -> None:
    began = time.monotonic()
    seen = await run(SHELL, commands=['(sleep 30) & echo \'::{"outputs":{"a":1}}::\''])
    assert time.monotonic() - began < 20
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"a": 1}


async def test_a_signal_is_128_and_its_number() -> None:
    seen = await run(SHELL, commands=["kill -9 $$"])
    assert (seen.exit_code, seen.message) == (137, "exit code 137 (SIGKILL)")


async def test_a_missing_interpreter() -> None:
    seen = await run(SHELL, commands=["x"], interpreter=["/no/such", "-c"])
    assert (seen.state, seen.exit_code) == (State.FAILED, 127)


async def test_too_large_outputs() -> None:
    seen = await run(
        SHELL, commands=["printf '::{'; head -c 1100000 /dev/zero | tr '\\0' x; echo '}::'"]
    )
    assert (seen.state, seen.message) == (State.FAILED, "outputs are larger than 1 MiB")


async def test_large_outputs_and_a_long_line() -> None:
    script = (
        "import sys\nsys.stdout.write('y' * 5_000_000 + '\\n')\n"
        "print('::{\"outputs\":{\"a\":\"' + 'x' * 1_000_000 + '\"}}::')"
    )
    seen = await run(PYTHON, script=script)
    assert seen.outputs is not None
    assert len(seen.outputs["vars"]["a"]) == 1_000_000


def alive(file: Path) -> bool:
    try:
        os.kill(int(file.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_script_runs_with_the_interpreter_of_this_machine() -> None:
    script = 'print "::{\\"outputs\\":{\\"sum\\":", 1 + 2, "}}::\\n"; exit 3'
    seen = await run("io.kestra.plugin.scripts.perl.Script", script=script)
    assert (seen.exit_code, seen.message) == (3, "exit code 3")
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"sum": 3}


@pytest.mark.parametrize(
    ("task_type", "properties", "words"),
    [
        ("io.kestra.plugin.scripts.groovy.Script", {"script": "x"}, "no `groovy`"),
        ("io.kestra.plugin.scripts.powershell.Commands", {"commands": ["x"]}, "no `pwsh`"),
    ],
)
async def test_an_interpreter_that_this_machine_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, task_type: str, properties: dict[str, Any], words: str
) -> None:
    # given
    monkeypatch.setenv("PATH", "/usr/sbin")
    # when
    seen = await run(task_type, **properties)
    # then
    assert seen.exit_code == 127
    assert seen.message is not None
    assert f"this machine has {words}" in seen.message


async def test_a_command_that_is_missing_is_not_the_interpreters_fault() -> None:
    seen = await run(SHELL, commands=["nosuchcommand"])
    assert seen.message == "exit code 127 (the command was not found)"


async def test_pip_keeps_its_cache_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    seen = await run(SHELL, commands=['echo "::{\\"outputs\\":{\\"at\\":\\"$PIP_CACHE_DIR\\"}}::"'])
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"at": "/caches/pip"}
