"""The script tasks that Kestra had first run as those of today."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.flow.task import RunnableTask
from penstock.flow.types import TaskTypes
from penstock.local.attempt import run_locally
from penstock.resources.execution import Attempt, State, TaskRun
from penstock.tasks.registry.definitions import container

OLD = "io.kestra.core.tasks.scripts"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


async def run(task_type: str, **properties: Any) -> Observation:
    start = StartAttempt(
        TaskRun(id="r", task_id="t", state=State.CREATED, start_date=NOW),
        Attempt(number=1, state=State.CREATED, created_date=NOW),
        RunnableTask(id="t", type=task_type),
        properties,
        None,
    )
    return await run_locally(start)


def test_bash_becomes_commands() -> None:
    # when
    what = container(
        f"{OLD}.Bash",
        {
            "commands": ["a", "b"],
            "runner": "DOCKER",
            "dockerOptions": {"image": "php", "memory": {"memory": "512MB"}},
            "outputFiles": ["first"],
            "outputDirs": ["folder"],
        },
    )
    # then
    assert what.command == ("/bin/sh", "-c", "set -e\na\nb")
    assert what.image == "php"
    assert what.resources.limits == {"memory": "512Mi"}
    assert what.output_files == ("first", "folder/**")


def test_bash_takes_its_interpreter_in_two_properties() -> None:
    given = {"commands": ["a"], "exitOnFailed": False, "interpreter": "bash"}
    what = container(f"{OLD}.Bash", {**given, "interpreterArgs": ["-u", "-c"]})
    assert (what.image, what.command) == ("ubuntu", ("bash", "-u", "-c", "a"))


def test_python_installs_its_requirements() -> None:
    given: dict[str, Any] = {"inputFiles": {"main.py": "1"}, "requirements": ["requests"]}
    assert "--user -- requests" in container(f"{OLD}.Python", given).command[2]
    given["virtualEnv"] = False
    assert "requests" not in container(f"{OLD}.Python", given).command[2]


async def test_python_runs_main_with_the_module_kestra() -> None:
    # given
    main = """
import sys
from kestra import Kestra
Kestra.outputs({"arguments": sys.argv[1:]})
Kestra.counter("rows", 3, {"a": "b"})
Kestra.timer("took", lambda: None)
"""
    # when
    seen = await run(f"{OLD}.Python", inputFiles={"main.py": main}, args=["one", "two"])
    # then
    assert (seen.state, seen.message) == (State.SUCCESS, None)
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"arguments": ["one", "two"]}


async def test_pip_stands_where_the_virtual_environment_had_it() -> None:
    seen = await run(f"{OLD}.Python", commands=["./bin/pip --version", "./bin/python -V"])
    assert seen.state is State.SUCCESS


def test_they_are_deprecated(types: TaskTypes) -> None:
    bash = types.find(f"{OLD}.bash")
    assert bash is not None
    assert bash.deprecated == "use `io.kestra.plugin.scripts.shell.Commands`"
