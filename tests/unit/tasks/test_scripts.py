"""What script tasks become: the container, and what is said of properties without effect."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from penstock.flow.types import TaskTypes
from penstock.tasks.contract.task import Resources, TaskFailure
from penstock.tasks.registry.definitions import container, is_script

SHELL = "io.kestra.plugin.scripts.shell"
PYTHON = "io.kestra.plugin.scripts.python"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"


def test_shell_commands_become_one_text() -> None:
    # when
    what = container(
        f"{SHELL}.Commands", {"beforeCommands": ["a"], "commands": ["b", "c"], "env": {"N": 3}}
    )
    # then
    assert what.command == ("/bin/sh", "-c", "set -e\na\nb\nc")
    assert (what.image, what.pull_policy, what.env) == ("ubuntu", "IfNotPresent", {"N": "3"})
    assert what.files == {}


def test_without_fail_fast_there_is_no_set_e() -> None:
    what = container(f"{SHELL}.Script", {"script": "x", "failFast": "false"})
    assert what.command[-1] == "x"


def test_a_foreign_interpreter_gets_the_text_alone() -> None:
    what = container(f"{SHELL}.Script", {"script": "x", "interpreter": ["python3", "-c"]})
    assert what.command == ("python3", "-c", "x")


def test_a_python_script_is_a_file() -> None:
    # when
    what = container(f"{PYTHON}.Script", {"script": "print(1)", "dependencies": ["a b", "kestra"]})
    # then
    assert what.image == "python:3.13-slim"
    assert what.files == {"script.py": "print(1)"}
    lines = what.command[-1].split("\n")
    assert lines[0] == "set -e"
    (install,) = [line for line in lines if "-m pip install" in line]
    assert install.endswith("--user -- 'a b' kestra || exit 1")
    assert lines[-1].startswith("exec ")
    assert lines[-1].endswith("script.py")


def test_the_runners_image_wins() -> None:
    # given
    properties: dict[str, Any] = {"commands": ["x"], "docker": {"image": "old"}}
    # then
    assert container(f"{SHELL}.Commands", properties).image == "old"
    properties["containerImage"] = "mine"
    assert container(f"{SHELL}.Commands", properties).image == "mine"
    properties["taskRunner"] = {"type": DOCKER, "image": "runners"}
    assert container(f"{SHELL}.Commands", properties).image == "runners"


def test_dockers_limits_become_the_pods() -> None:
    # when
    what = container(
        f"{SHELL}.Commands",
        {
            "commands": ["x"],
            "taskRunner": {
                "type": DOCKER,
                "pullPolicy": "ALWAYS",
                "cpu": {"cpus": "1.5"},
                "memory": {"memory": "512MB", "memoryReservation": "0.25g"},
            },
        },
    )
    # then
    assert what.pull_policy == "Always"
    assert what.resources == Resources(
        requests={"memory": "256Mi"}, limits={"cpu": "1500m", "memory": "512Mi"}
    )


def test_a_long_script_is_sourced_from_a_file() -> None:
    # given
    script = "echo x\n" * 20_000
    # when
    what = container(f"{SHELL}.Script", {"script": script})
    # then
    assert what.command[-1] == ". ./.penstock-commands"
    assert what.files == {".penstock-commands": "set -e\n" + script}


def test_small_input_files_are_served() -> None:
    what = container(
        f"{SHELL}.Commands",
        {"commands": ["x"], "inputFiles": {"a/b.txt": "text", "c": "kestra:///file"}},
    )
    assert what.files == {"a/b.txt": "text"}


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"commands": 3}, "property `commands`"),
        ({"commands": ["x"], "failFast": "perhaps"}, "property `failFast`"),
        ({"commands": ["x"], "env": {"A=B": "x"}}, "`A=B` is not the name of a variable"),
        ({"commands": ["x"], "env": {"A": "x" * 100_000}}, "property `env.A`: larger than 96 KiB"),
        ({"commands": ["x"], "inputFiles": {"../x": ""}}, "`../x` does not name a file"),
        ({"commands": ["x"], "inputFiles": {"x": "x" * 1_100_000}}, "larger than 1 MiB"),
        (
            {"commands": ["x"], "taskRunner": {"type": DOCKER, "memory": {"memory": "much"}}},
            "property `taskRunner.memory.memory`: `much` is not a size",
        ),
        (
            {"commands": ["x" * 100_000], "interpreter": ["python3", "-c"]},
            "larger than 96 KiB",
        ),
    ],
)
def test_a_rendered_property_of_the_wrong_type_is_named(
    properties: dict[str, Any], words: str
) -> None:
    with pytest.raises(TaskFailure) as caught:
        container(f"{SHELL}.Commands", properties)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("properties", "where", "words"),
    [
        ({"comands": ["x"], "commands": ["x"]}, ("comands",), "did you mean `commands`"),
        ({"commands": []}, None, ""),
        ({"commands": ["x"], "taskRunner": {}}, ("taskRunner", "type"), "required"),
        (
            {"commands": ["x"], "taskRunner": {"type": "io.kestra.plugin.ee.aws.runner.Batch"}},
            ("taskRunner", "type"),
            "not served",
        ),
        (
            {"commands": ["x"], "taskRunner": {"type": DOCKER, "imag": "x"}},
            ("taskRunner", "imag"),
            "did you mean `image`",
        ),
        (
            {"commands": ["x"], "taskRunner": {"type": DOCKER, "cpu": {"cpus": "many"}}},
            ("taskRunner", "cpu", "cpus"),
            "number",
        ),
        ({"commands": ["x"], "env": ["A=1"]}, ("env",), "dictionary"),
        ({"commands": ["x"], "env": "{{ vars.env }}", "failFast": "{{ x }}"}, None, ""),
        ({"commands": ["x"], "taskRunner": "{{ vars.runner }}"}, None, ""),
        ({"commands": "{{ inputs.commands }}"}, None, ""),
        ({"commands": ["x"], "dependencies": ["x"]}, ("dependencies",), "unknown property"),
    ],
)
def test_properties_are_checked_as_written(
    types: TaskTypes, properties: dict[str, Any], where: tuple[str, ...] | None, words: str
) -> None:
    # given
    task_type = types.find(f"{SHELL}.Commands")
    assert task_type is not None
    assert task_type.check is not None
    # when
    if where is None:
        task_type.check(properties)
        return
    with pytest.raises(ValidationError) as caught:
        task_type.check(properties)
    # then
    (error,) = caught.value.errors()
    assert error["loc"] == where
    assert words in error["msg"]


def test_what_has_no_effect_is_accepted_and_told_of(types: TaskTypes) -> None:
    # given
    properties = {
        "script": "x",
        "warningOnStdErr": False,
        "targetOS": "LINUX",
        "outputFiles": ["*.csv"],
        "namespaceFiles": {"enabled": True},
        "inputFiles": {"a": "text", "b": "{{ outputs.x.uri }}", "c": "kestra:///x"},
        "taskRunner": {
            "type": "io.kestra.core.models.tasks.runners.types.ProcessTaskRunner",
            "networkMode": "host",
            "volumes": ["/a:/a"],
            "memory": {"memory": "1g", "memorySwap": "2g"},
        },
        "docker": {"image": "x", "user": "root"},
        "packageManager": "UV",
    }
    task_type = types.find(f"{PYTHON}.Script")
    assert task_type is not None
    assert task_type.check is not None
    assert task_type.warnings is not None
    # when
    task_type.check(properties)
    told = {name for name, _ in task_type.warnings(properties)}
    # then
    assert told == {
        "warningOnStdErr",
        "targetOS",
        "taskRunner.networkMode",
        "taskRunner.volumes",
        "taskRunner.memory.memorySwap",
        "taskRunner.type",
        "docker.user",
        "packageManager",
    }
    container(f"{PYTHON}.Script", properties)


def test_only_scripts_are_scripts() -> None:
    assert is_script(f"{SHELL}.script")
    assert not is_script("io.kestra.plugin.core.log.Log")


def test_an_unknown_type_has_no_container() -> None:
    with pytest.raises(TaskFailure, match="no runnable task"):
        container("x.Y", {})
