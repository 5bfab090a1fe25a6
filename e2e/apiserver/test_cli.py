"""The command line against a real API server with the controller at work: the tests play the pods,
and the commands run as a person calls them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import yaml

from e2e.apiserver.background import played
from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.stage import Stage
from e2e.fixtures.kubernetes import Kubernetes
from e2e.fixtures.scenario import Scenario
from tests.unit.docs.snippets import ROOT, Command, blocks, commands, run

_PAGE = ROOT / "docs" / "cli.md"
WAITING = """
    id: waiting
    namespace: dev
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return, format: a}
      - {id: second, type: io.kestra.plugin.core.debug.Return, format: b}
"""


@dataclass
class CommandLine:
    """Commands in a namespace of their own."""

    scenario: Scenario
    stage: Stage
    kubeconfig: Path
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of commands that need not say in which namespace they are."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        for context in config["contexts"]:
            context["context"]["namespace"] = self.stage.namespace
        self.kubeconfig.write_text(yaml.safe_dump(config))
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def without_rights(self) -> CommandLine:
        """The same, as somebody whom nobody gave a right."""
        return replace(self, kubeconfig=self.stage.plane.kubeconfig_of("ada"))

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["penstock", *words],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Tests that a shell runs in the background ignore SIGINT, and would hand that on.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def call(self, *words: str, code: int = 0) -> str:
        """Run a command to its end, and give what it printed."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, f"{words}: {process.returncode}\n{out}\n{err}"
        return out + err


@pytest.fixture
def line(plane: ControlPlane, tmp_path: Path) -> Iterator[CommandLine]:
    with played(plane, tmp_path) as stage:
        kubeconfig = plane.kubeconfig(f"cli-{stage.namespace}")
        scenario = Scenario(Kubernetes(kubeconfig), stage.namespace)
        yield CommandLine(scenario, stage, kubeconfig, tmp_path)


def stories() -> list[list[Command]]:
    """The commands that the page shows, in parts that need nothing of each other: each begins with
    the file of a flow."""
    found: list[list[Command]] = []
    for block in blocks(_PAGE):
        for command in commands(block) if block.mark == "cluster" else ():
            if command.here_document is not None:
                found.append([])
            found[-1].append(command)
    return found


def test_the_page_tells_of_three_flows() -> None:
    assert [len(story) > 5 for story in stories()] == [True, True, True]


@pytest.mark.parametrize("story", stories(), ids=["run", "resume", "trigger"])
def test_the_page_shows_what_the_commands_do(line: CommandLine, story: list[Command]) -> None:
    line.stage.script = lambda task, attempt: (0, {"value": "Hello, Ada!"})

    for command in story:
        run(command, line.environment, line.folder)


def test_an_execution_is_followed_until_it_is_killed(line: CommandLine) -> None:
    line.scenario.flow(WAITING)
    line.stage.hold.add("second")
    following = line.start("flow", "execute", "dev", "waiting", "--follow")
    try:
        (execution,) = line.scenario.eventually("an execution", line.scenario.executions)
        name = execution.name
        line.scenario.eventually("the second task", lambda: execution.runs("second"))

        assert line.call("execution", "list", "dev", "--state", "running", "-o", "name") == (
            f"execution.penstock.dev/{name}\n"
        )
        assert line.call("execution", "pause", name) == f"execution.penstock.dev/{name} paused\n"
        assert "is being killed" in line.call("execution", "kill", name)

        out, err = following.communicate(timeout=60)
    finally:
        following.kill()
    assert following.returncode == 1, err
    assert "SUCCESS  first" in out
    assert out.rstrip().splitlines()[-1].startswith("KILLED after")
    assert "has ended KILLED" in line.call("execution", "kill", name, code=1)


def test_who_interrupts_a_display_leaves_the_execution_alone(line: CommandLine) -> None:
    line.scenario.flow(WAITING)
    line.stage.hold.add("first")
    following = line.start("flow", "execute", "dev", "waiting", "--follow")
    try:
        (execution,) = line.scenario.eventually("an execution", line.scenario.executions)
        line.scenario.eventually("its first task", lambda: execution.runs("first"))

        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=60)
    finally:
        following.kill()
    assert following.returncode == 130
    assert f"the execution goes on: `penstock execution kill {execution.name}` ends it" in err
    line.stage.hold.clear()
    execution.ends("SUCCESS")


def test_who_has_no_rights_is_told_which_are_missing(line: CommandLine) -> None:
    line.scenario.flow(WAITING)

    refused = line.without_rights().call("flow", "list", code=1)

    assert 'User "ada" cannot list resource "flows" in API group "penstock.dev"' in refused
    assert f'in the namespace "{line.scenario.namespace}"' in refused
    assert "by the cluster role `view` (to look) or `edit` (to change)" in refused
