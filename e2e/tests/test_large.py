"""Executions with very many task runs: their statuses stay small, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.scenario import ExecutionView, Scenario

pytestmark = pytest.mark.cluster

VALUES = 10_000
BUDGET = 256 * 1024

LARGE = f"""
    id: large
    namespace: company.team
    tasks:
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: "{{{{ range(1, {VALUES}) }}}}"
        concurrencyLimit: 0
        tasks:
          - id: look
            type: io.kestra.plugin.core.execution.Assert
            conditions: ["{{{{ taskrun.value != '7777' }}}}"]
            allowFailure: true
      - id: hold
        type: io.kestra.plugin.core.flow.Pause
      - {{id: last, type: io.kestra.plugin.core.execution.Labels, labels: {{done: "yes"}}}}
"""


def all_task_runs(view: ExecutionView) -> list[dict[str, object]]:
    """All task runs, as `penstock get` prints them."""
    program = Path(sys.executable).with_name("penstock")
    command: list[str | Path] = [
        program,
        "get",
        view.name,
        "-n",
        view.scenario.namespace,
        "-o",
        "json",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    runs: list[dict[str, object]] = json.loads(done.stdout)["status"]["taskRuns"]
    return runs


@pytest.mark.alone("kills the controller")
def test_a_loop_over_ten_thousand_values(scenario: Scenario, controller: Controller) -> None:
    view = scenario.execution(scenario.flow(LARGE)).reaches("PAUSED", seconds=120)
    assert len(json.dumps(view.status, separators=(",", ":"))) < BUDGET

    controller.kill()
    answer = view.asks(resume={})
    assert answer["done"], answer

    view.ends("WARNING")
    assert len(json.dumps(view.status, separators=(",", ":"))) < BUDGET
    runs = all_task_runs(view)
    looked = [run for run in runs if run["taskId"] == "look"]
    assert [run["iteration"] for run in looked] == list(range(VALUES))
    assert [run["value"] for run in looked if run["state"] != "SUCCESS"] == ["7777"]
    assert [run["taskId"] for run in runs if run not in looked] == ["each", "hold", "last"]
