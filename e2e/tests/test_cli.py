"""The command line on the real cluster: an execution is followed, with what its pods print."""

from __future__ import annotations

import os
import subprocess

import pytest

from e2e.fixtures.scenario import SHELL_IMAGE, Scenario
from tests.unit.docs.snippets import ROOT

pytestmark = pytest.mark.cluster

FLOW = f"""
    id: counting
    namespace: company.team
    inputs: [{{id: to, type: INT, defaults: 2}}]
    tasks:
      - id: count
        type: io.kestra.plugin.scripts.shell.Script
        containerImage: {SHELL_IMAGE}
        script: for i in $(seq 1 {{{{ inputs.to }}}}); do echo "number $i"; sleep 1; done
      - id: check
        type: io.kestra.plugin.core.execution.Assert
        conditions: ["{{{{ inputs.to < 4 }}}}"]
"""


def called(scenario: Scenario, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return subprocess.run(
        [*words, "-n", scenario.namespace],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_execution_is_followed_with_its_logs_and_gives_its_exit_code(
    scenario: Scenario,
) -> None:
    # given
    scenario.flow(FLOW)
    follow = ("penstock", "flow", "execute", "company.team", "counting", "--follow", "--logs")

    # when
    good = called(scenario, *follow)
    bad = called(scenario, *follow, "--input", "to=4")

    # then
    assert good.returncode == 0, good.stderr
    lines = good.stdout.splitlines()
    assert "count | number 1" in lines
    assert "count | number 2" in lines
    # Logs come from the pod itself, which may be ahead of what its Execution says.
    ended = next(place for place, line in enumerate(lines) if line.startswith("SUCCESS  count"))
    assert lines.index("count | number 1") < lines.index("count | number 2") < ended
    assert lines[-1].startswith("SUCCESS after")
    assert bad.returncode == 1
    assert "count | number 4" in bad.stdout
    assert bad.stdout.splitlines()[-1].startswith("FAILED after")


def test_kubectl_calls_the_command_line_as_its_own(scenario: Scenario) -> None:
    scenario.flow(FLOW)

    listed = called(scenario, "kubectl", "penstock", "flow", "list", "company.team")

    assert "counting" in listed.stdout, listed.stderr
