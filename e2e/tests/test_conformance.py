"""Kestra's own core flows on a cluster: the same task runs and states as without one.

The flows are not part of this repository; where they do not lie beside the checkout, this is
skipped. The other tests of this folder have flows of their own for each behaviour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e.fixtures.scenario import ExecutionView, Scenario
from penstock.flow.document import Flow
from penstock.flow.loading import load_document
from penstock.resources.flow import flow_resource_name
from tests.conformance.cases import FOLDER, read
from tests.conformance.stage import Stage

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not FOLDER.exists(), reason="../shared/conformance is not beside us"),
]

FILE = "".join(f"item {number}\n" for number in range(10))
"""What stands in the file that a flow asks for."""

RUNS: dict[str, dict[str, Any]] = {
    "allow-failure.yaml": {},
    "disable-simple.yaml": {},
    "each-parallel-nested.yaml": {},
    "each-parallel-pause.yml": {},
    "each-sequential-nested.yaml": {},
    "errors.yaml": {},
    "fail-on-condition.yaml": {"param": "fail"},
    "for-each-item-failed.yaml": {"file": FILE},
    "for-each-item-no-wait.yaml": {"file": FILE},
    "for-each-item.yaml": {"file": FILE, "batch": "4"},
    "foreach-concurrent.yaml": {},
    "get-log.yaml": {},
    "if-without-else.yaml": {"param": "true"},
    "npe-labels-update-task.yml": {},
    "output-values.yml": {},
    "pause-delay.yaml": {},
    "retry-success.yaml": {},
    "sequential-with-local-errors.yaml": {},
    "sla-max-duration-fail.yaml": {},
    "state.yaml": {"state": "each"},
    "subflow-parent.yaml": {},
    "switch.yaml": {"string": "SECOND"},
    "task-allow-failure-executable-foreachitem.yml": {"file": FILE},
    "task-flow.yaml": {"string": "OK"},
    "task-runif.yml": {},
    "waitfor-multiple-tasks.yaml": {},
    "working-directory-each.yaml": {},
    "working-directory-inputs.yml": {},
    "working-directory.yaml": {"failed": "false"},
}
"""The flows with what they are given: every flowable, files, logs and state. Those that only put
such tasks together in another way are decided by the engine alone: they run without a cluster."""

CALLED = (
    "for-each-item-subflow-failed.yaml",
    "for-each-item-subflow.yaml",
    "subflow-child.yaml",
    "subflow-grand-child.yaml",
)

Outline = list[tuple[str, str | None, str]]


@pytest.mark.long
def test_a_cluster_does_what_a_local_run_does(scenario: Scenario, tmp_path: Path) -> None:
    for file, given in RUNS.items():
        deploy(scenario, file, given)
    for file in CALLED:
        deploy(scenario, file, {"items": "given by the caller"})
    views = {
        file: scenario.execution(
            flow_resource_name(flow_of(file).namespace, flow_of(file).id), as_uris(given)
        )
        for file, given in RUNS.items()
    }
    expected = {
        file: asyncio.run(outline_of_a_local_run(flow_of(file), given, tmp_path / file))
        for file, given in RUNS.items()
    }

    for file, view in views.items():
        assert outline_on_the_cluster(view, expected[file][0]) == expected[file][1], file


def file_path(file: str) -> Path:
    return FOLDER / "flows" / "valids" / file


def flow_of(file: str) -> Flow:
    flow = read(f"flows/valids/{file}").flows[0].flow
    assert flow is not None
    return flow


def deploy(scenario: Scenario, file: str, given: Mapping[str, Any]) -> None:
    """Deploy a flow without the inputs that Kestra's tests leave out: they call its engine
    directly, which misses no required one."""
    spec = load_document(file_path(file).read_bytes()).value
    asked = spec.pop("inputs", [])
    spec["inputs"] = [
        item
        for item in asked
        if item["id"] in given or "defaults" in item or item.get("required") is False
    ]
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Flow",
        "metadata": {"name": flow_resource_name(spec["namespace"], spec["id"])},
        "spec": spec,
    }
    scenario.kubernetes.create("flows", scenario.namespace, body)


def as_uris(given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of an Execution, in which a small file stands as a data URI."""
    return {key: f"data:,{item}" if key == "file" else item for key, item in given.items()}


async def outline_of_a_local_run(
    flow: Flow, given: Mapping[str, Any], folder: Path
) -> tuple[str, Outline]:
    with Stage.set(folder, flow, given) as stage:
        files = {key: folder / "given.txt" for key in given if key == "file"}
        for file in files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(FILE)
        execution = stage.start(stage.flow(flow), given, files)
        await stage.run()
        runs = [(run.task_id, run.value, str(run.state)) for run in execution.status.task_runs]
        return str(execution.status.state), sorted(runs, key=str)


def outline_on_the_cluster(view: ExecutionView, state: str) -> Outline:
    status = view.ends(state, seconds=240).status
    runs = [(run["taskId"], run.get("value"), run["state"]) for run in status["taskRuns"]]
    return sorted(runs, key=str)
