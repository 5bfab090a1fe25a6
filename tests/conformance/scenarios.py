"""Runs cases that take more than to start their flow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from penstock.flow.document import Flow
from penstock.flow.loading import load_document
from penstock.local.execution import LocalExecution
from penstock.resources.execution import (
    Control,
    ExecutionStatus,
    MarkRequest,
    ReplayRequest,
    RestartRequest,
    ResumeRequest,
    State,
    TriggerReference,
)
from penstock.storage.execution import NamespaceFiles
from tests.conformance.cases import Case, given_inputs, parser
from tests.conformance.stage import Stage

Scenario = Callable[[Stage, Flow, Case, Path], Awaitable[LocalExecution]]
"""Runs the case; the execution of which its expectations speak."""

PAUSED_FLOW = """
id: waiting
namespace: io.kestra.tests
tasks: [{id: pause, type: io.kestra.plugin.core.flow.Pause}]
"""


async def plain(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
    execution = begin(stage, flow, case, folder)
    await stage.run()
    return execution


def begin(stage: Stage, flow: Flow, case: Case, folder: Path, **of_spec: Any) -> LocalExecution:
    """Start the flow of a case with its inputs; `<…>` stands for what has to be prepared."""
    inputs = given_inputs(case)
    files: dict[str, Path] = {}
    for item in flow.inputs:
        if item.type == "FILE" and item.id in inputs:
            files[item.id] = folder / f"{item.id}.txt"
            files[item.id].write_text(_lines(case, str(inputs.pop(item.id))), "utf-8")
    return stage.start(flow, inputs, files, **of_spec)


def _lines(case: Case, described: str) -> str:
    if "empty" in described:
        return ""
    count = 102 if case.name.startswith("for-each-item") else 10
    return "".join(f"{number:>20}\n" for number in range(count))


def control(**asked: Any) -> Scenario:
    """Run to the end, ask for something, run on."""

    async def run(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
        execution = await plain(stage, flow, case, folder)
        stage.world.control(execution.name, Control(id="asked", **asked))
        await stage.run()
        (result,) = execution.status.controls
        assert result.done, result.message
        return execution

    return run


def replay(task: str | None = None, value: str | None = None) -> Scenario:
    """Run to the end, then do it again from a task on."""
    again = control(replay=ReplayRequest(task=task, value=value))

    async def run(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
        execution = await again(stage, flow, case, folder)
        return stage.others(execution)[-1]

    return run


async def two_at_once(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
    first = begin(stage, flow, case, folder)
    begin(stage, flow, case, folder)
    await stage.run()
    return first


def while_running(*asked: Callable[[Stage, LocalExecution], None]) -> Scenario:
    """Ask for things, one after the other, each as soon as the execution runs or is paused."""

    async def run(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
        execution = begin(stage, flow, case, folder)
        remaining = list(asked)

        def on_change(status: ExecutionStatus) -> None:
            runs = [item for item in status.task_runs if item.state is State.RUNNING]
            if remaining and (runs or status.state is State.PAUSED):
                asyncio.get_running_loop().call_soon(remaining.pop(0), stage, execution)

        stage.seen(execution).on_change = on_change
        await stage.run()
        return execution

    return run


def _kill(stage: Stage, execution: LocalExecution) -> None:
    stage.world.kill(execution.name)


def _pause(stage: Stage, execution: LocalExecution) -> None:
    stage.world.control(execution.name, Control(id="pause", pause=True))


def _resume(stage: Stage, execution: LocalExecution) -> None:
    stage.world.control(execution.name, Control(id="resume", resume=ResumeRequest()))


async def resume_without_inputs(
    stage: Stage, flow: Flow, case: Case, folder: Path
) -> LocalExecution:
    execution = await plain(stage, flow, case, folder)
    _resume(stage, execution)
    await stage.run()
    return execution


async def resume_with_inputs(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
    execution = await plain(stage, flow, case, folder)
    file = folder / "data.txt"
    file.write_text("data", "utf-8")
    uri = stage.hosts.stored_input(execution.name, flow, "data", file)
    inputs = {"asked": case.inputs["(resume) asked"], "data": uri}
    request = ResumeRequest(inputs=inputs)
    stage.world.control(execution.name, Control(id="resume", resume=request))
    await stage.run()
    return execution


async def resume_another(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
    waiting = parser().parse(load_document(PAUSED_FLOW)).flow
    stage.flows.add(waiting)
    paused = stage.start(waiting, {}, {})
    await stage.run()
    assert paused.status.state is State.PAUSED
    execution = stage.start(flow, {"executionId": paused.name}, {})
    await stage.run()
    return execution


async def three_in_a_row(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
    inputs = {"state": "any"}
    executions = []
    for _ in range(3):
        executions.append(stage.start(flow, inputs, {}))
        await stage.run()
    return executions[-1]


async def with_namespace_files(
    stage: Stage, flow: Flow, case: Case, folder: Path
) -> LocalExecution:
    files = NamespaceFiles(stage.services.storage, flow.namespace)
    for path, text in {
        "test/a/b/c/1.txt": "first",
        "a/b/c/2.txt": "second",
        "a/b/3.txt": "third",
        "ignore/4.txt": "4th",
    }.items():
        file = folder / "namespace-file"
        file.write_text(text, "utf-8")
        with file.open("rb") as source:
            files.put(path, source)
    return await plain(stage, flow, case, folder)


async def by_webhook(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
    variables = {"body": {"a": 1, "b": True}, "parameters": {"name": ["john"], "age": ["12", "13"]}}
    kind = "io.kestra.plugin.core.trigger.Webhook"
    trigger = TriggerReference(id="webhook", type=kind, variables=variables)
    execution = begin(stage, flow, case, folder, trigger=trigger)
    await stage.run()
    return execution


def after(*flow_ids: str, labels: dict[str, str] | None = None) -> Scenario:
    """Run other flows of the same namespace, one after the other; the flow's trigger starts it."""

    async def run(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
        for flow_id in flow_ids:
            other = stage.flows.get(flow.namespace, flow_id)
            assert other is not None
            stage.start(other, {}, {}, labels=labels or {})
            await stage.run()
        (execution,) = (item for item in stage.world if item.flow is flow)
        return execution

    return run


def labelled(**labels: str) -> Scenario:
    async def run(stage: Stage, flow: Flow, case: Case, folder: Path) -> LocalExecution:
        execution = begin(stage, flow, case, folder, labels=labels)
        await stage.run()
        return execution

    return run


restart = control(restart=RestartRequest())

SCENARIOS: dict[str, Scenario] = {
    "each-parallel-nested.yaml#0": replay("2-1_seq", "value 1"),
    "each-parallel-nested.yaml#1": control(
        mark_as=MarkRequest(task="2-1_seq", value="value 1", state=State.FAILED)
    ),
    "each-sequential-nested.yaml#0": replay("1-2_each", "s1"),
    "each-sequential-nested.yaml#1": replay("1-2-1_return", "a a"),
    "flow-concurrency-cancel.yml": two_at_once,
    "flow-concurrency-fail.yml": two_at_once,
    "flow-concurrency-queue-pause.yml": two_at_once,
    "flow-trigger-preconditions-flow-listen.yaml": after(
        "flow-trigger-preconditions-flow-a",
        "flow-trigger-preconditions-flow-a",
        "flow-trigger-preconditions-flow-b",
        labels={"some": "label"},
    ),
    "logs.yaml#0": replay("t2"),
    "logs.yaml#1": replay(),
    "pause_on_resume.yaml#0": resume_with_inputs,
    "pause_on_resume.yaml#1": resume_without_inputs,
    "restart_last_failed.yaml#0": restart,
    "restart_last_failed.yaml#1": restart,
    "restart_pause_last_failed.yaml#0": restart,
    "resume-execution.yaml": resume_another,
    "sleep.yml#0": while_running(_kill),
    "sleep.yml#1": while_running(_pause, _resume),
    "state.yaml": three_in_a_row,
    "task-flow.yaml": labelled(mainFlowExecutionLabel="execFoo"),
    "trigger-flow-listener-no-inputs.yaml": after("trigger-flow"),
    "trigger-flow-listener.yaml": after("trigger-flow"),
    "trigger-multiplecondition-listener.yaml": after(
        "trigger-multiplecondition-flow-a", "trigger-multiplecondition-flow-b"
    ),
    "webhook-dynamic-key.yaml": by_webhook,
    "webhook.yaml": by_webhook,
    "working-directory-namespace-files.yaml": with_namespace_files,
    "working-directory.yaml#1": restart,
}
