"""What a shell and kubectl offer while a command is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from penstock.cli.commands import cli
from penstock.cli.completion import offered
from penstock.cli.start import complete_for_kubectl
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS
from tests.fixtures.apiserver import Refused
from tests.unit.cli.conftest import Call, PlayedCluster
from tests.unit.cli.test_flow_in_cluster import HELLO


def words(*typed: str) -> list[str]:
    """What is offered, without the explanations."""
    return [line.partition("\t")[0] for line in offered(cli, typed)]


def test_commands_and_options_are_offered() -> None:
    assert "execute" in words("flow", "")
    assert words("flow", "exec") == ["execute", ":4"]
    assert "--follow" in words("flow", "execute", "dev", "hello", "--f")
    assert words("execution", "list", "--state", "SUC") == ["success", ":4"]
    assert words("flow", "validate", "") == [":0"]


def test_names_come_from_the_cluster(played: PlayedCluster) -> None:
    played.flow(HELLO)
    played.flow(HELLO.replace("namespace: dev", "namespace: prod").replace("hello_", "other_"))
    played.execution("report-1")

    assert words("flow", "execute", "") == ["dev", "prod", ":4"]
    assert words("flow", "execute", "dev", "") == ["hello_world", ":4"]
    assert words("execution", "kill", "rep") == ["report-1", ":4"]


def test_where_the_cluster_refuses_nothing_is_said(played: PlayedCluster) -> None:
    for resource in (FLOWS, EXECUTIONS):
        played.server.refuse("GET", resource, Refused(403, "Forbidden"))

    assert words("flow", "execute", "") == [":4"]
    assert words("execution", "get", "") == [":4"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_calls_the_command_line(call: Call, shell: str) -> None:
    called = call("completion", shell)

    assert called.code == 0
    assert f"_PENSTOCK_COMPLETE={shell}_complete" in called.out


def test_bash_takes_the_script_and_is_answered() -> None:
    text = (
        "source <(penstock completion bash)\n"
        "COMP_WORDS=(penstock flow exp) COMP_CWORD=2\n"
        "_penstock_completion penstock\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    answer = subprocess.run(
        ["bash", "-c", text],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert answer.stdout == "export\n", answer.stderr


def test_kubectl_finds_the_command_line_and_what_completes_it() -> None:
    scripts = {script.name: script for script in entry_points(group="console_scripts")}

    assert scripts["kubectl-penstock"].load() is scripts["penstock"].load()
    assert scripts["kubectl_complete-penstock"].load() is complete_for_kubectl
