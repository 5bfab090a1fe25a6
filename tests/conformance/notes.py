"""The notes of the expectations as checks, by run, then by the note's text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.local.execution import LocalExecution
from penstock.resources.execution import ExecutionStatus, State, TaskRun
from tests.conformance.stage import Stage


@dataclass(frozen=True)
class Ran:
    """A run that is over."""

    stage: Stage
    execution: LocalExecution

    @property
    def status(self) -> ExecutionStatus:
        return self.execution.status

    @property
    def labels(self) -> dict[str, str]:
        return self.status.labels

    @property
    def name(self) -> str:
        return self.execution.name

    @property
    def children(self) -> list[LocalExecution]:
        """The executions that this one made, and those that these made."""
        return [
            other
            for other in self.stage.others(self.execution)
            if other.spec.parent is not None or other.spec.retry is not None
        ]

    def __getitem__(self, index: int) -> TaskRun:
        return self.status.task_runs[index]

    def run(self, task: str, value: str | None = None) -> TaskRun:
        return next(
            run
            for run in self.status.task_runs
            if run.task_id == task and value in (None, run.value)
        )

    def states(self, **states: str) -> bool:
        return all(self.run(task).state == state for task, state in states.items())

    def ran(self, *tasks: str) -> bool:
        return {*tasks} <= {run.task_id for run in self.status.task_runs}

    def out(self, task: str, *path: str, value: str | None = None) -> Any:
        """An output of a task, by its path."""
        found: Any = self.run(task, value).outputs
        for part in path:
            found = found[part]
        return found

    def out_at(self, index: int) -> dict[str, Any]:
        """The outputs of a task run."""
        return self[index].outputs or {}

    def logged(self, task: str) -> list[tuple[str, str]]:
        return [(entry.level, entry.message) for entry in self.stage.logs(self.execution, task)]

    def history(self) -> list[str]:
        return [str(step.state) for step in self.status.history]

    def state_of(self, task: str) -> list[str]:
        """The states through which a task run went, one after the other."""
        states: list[str] = []
        for status in self.stage.seen(self.execution).statuses:
            for run in status.task_runs:
                if run.task_id == task and states[-1:] != [str(run.state)]:
                    states.append(str(run.state))
        return states


Check = Callable[[Ran], bool]


def _attempts(task_index: int, count: int) -> Check:
    return lambda ran: len(ran[task_index].attempts) == count


def _retried(ran: Ran) -> bool:
    states = [str(execution.status.state) for execution in ran.stage.world]
    names = {execution.name for execution in ran.stage.world}
    return states == ["RETRIED", "RETRIED", "FAILED"] and len(names) == 3


def _iterations(**counts: int) -> Check:
    """The counts of states of the `_items` task; a state that is not counted is 0."""

    def check(ran: Ran) -> bool:
        found = {key: value for key, value in ran.out_at(2)["iterations"].items() if value}
        return bool(found == counts) and len(ran[2].attempts) == 1

    return check


def _paused_then_ran(ran: Ran) -> bool:
    return ran.state_of("pause").count("PAUSED") == 1


RETRIED = "three executions in sequence end RETRIED, RETRIED, FAILED; each later one has its own id"
DELAYED = "after the delay, without any call: SUCCESS with 3 task runs"

CHECKS: dict[str, dict[str, Check]] = {
    "allow-failure.yaml": {
        "first: WARNING": lambda ran: ran.states(first="WARNING"),
        "1-1-allow-failure: WARNING": lambda ran: ran.states(**{"1-1-allow-failure": "WARNING"}),
        "1-1-1_seq: FAILED": lambda ran: ran.states(**{"1-1-1_seq": "FAILED"}),
        "1-1-1-1: SUCCESS": lambda ran: ran.states(**{"1-1-1-1": "SUCCESS"}),
        "ko: FAILED": lambda ran: ran.states(ko="FAILED"),
        "local-error: SUCCESS (local errors handler ran)": lambda ran: ran.states(
            **{"local-error": "SUCCESS"}
        ),
        "1-2-todo: SUCCESS": lambda ran: ran.states(**{"1-2-todo": "SUCCESS"}),
        "last: SUCCESS": lambda ran: ran.states(last="SUCCESS"),
        "global-error does not run": lambda ran: not ran.ran("global-error"),
    },
    "allow-failure.yaml#0": {
        "global-error runs and is SUCCESS": lambda ran: ran.states(**{"global-error": "SUCCESS"}),
        "switch: FAILED": lambda ran: ran.states(switch="FAILED"),
        "crash: FAILED": lambda ran: ran.states(crash="FAILED"),
    },
    "each-object.yaml": {
        "taskRun[6].outputs.value contains 'json > JSON > [\"my-complex\"]'": lambda ran: (
            'json > JSON > ["my-complex"]' in ran.out_at(6)["value"]
        ),
    },
    "each-parallel-nested.yaml#1": {
        "mark 2-1_seq or 2-1-2_t2 (value 1) FAILED: 11 task runs, that task run FAILED with 4 "
        "histories, its parents RUNNING, execution RESTARTED with 4 histories": lambda ran: (
            ran.run("2-1_seq", "value 1").state is State.FAILED
            and len(ran.status.task_runs) == 11
            and ran.status.state is State.FAILED
        ),
    },
    "encrypted-string.yaml": {
        "return.outputs.value = 'Hello World'": lambda ran: (
            ran.out("return", "value") == "Hello World"
        ),
    },
    "encrypted-string.yaml#0": {
        "without an encryption key: hello.outputs.value is the plain text": lambda ran: (
            ran.out("hello", "value") == "Hello World"
        ),
    },
    "errors.yaml": {
        "a log of the error handler is '- task: failed, message: Task failure'": lambda ran: any(
            "- task: failed, message: Task failure" in message
            for run in ran.status.task_runs
            for _, message in ran.logged(run.task_id)
        ),
    },
    "executable-fail.yml": {"taskRun[0] FAILED": lambda ran: ran[0].state is State.FAILED},
    "execution.yaml": {
        "taskRun[0].outputs.value matches ISO instant with milliseconds and Z": lambda ran: bool(
            re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ran.out_at(0)["value"])
        ),
    },
    "fail-on-condition.yaml": {"taskRun of fail: FAILED": lambda ran: ran.states(fail="FAILED")},
    "fail-on-switch.yaml": {"switch: FAILED": lambda ran: ran.states(switch="FAILED")},
    "flow-concurrency-cancel.yml": {
        "execution 1 started; execution 2 started while 1 is running/paused: CANCELLED "
        "(histories CREATED, CANCELLED)": lambda ran: (
            Ran(ran.stage, ran.stage.others(ran.execution)[0]).history() == ["CREATED", "CANCELLED"]
        ),
    },
    "flow-concurrency-fail.yml": {
        "execution 2: FAILED": lambda ran: (
            ran.stage.others(ran.execution)[0].status.state is State.FAILED
        ),
    },
    "flow-concurrency-queue-pause.yml": {
        "execution 1 PAUSED then SUCCESS; execution 2: histories CREATED, QUEUED, RUNNING, ... "
        "SUCCESS": lambda ran: (
            "PAUSED" in ran.history()
            and (second := Ran(ran.stage, ran.stage.others(ran.execution)[0]).history())[:2]
            == ["CREATED", "QUEUED"]
            and second[-1] == "SUCCESS"
        ),
    },
    "flow-with-outputs-failed.yml": {
        "execution.outputs is null": lambda ran: ran.status.outputs is None,
    },
    "for-each-item-failed.yaml": {
        "no _merge": lambda ran: not ran.ran("each_merge"),
        "iterations = {CREATED: 0, RUNNING: 0, FAILED: 26}; attempt FAILED": _iterations(FAILED=26),
    },
    "for-each-item-no-wait.yaml": {
        "26 children reach SUCCESS afterwards": lambda ran: (
            [child.status.state for child in ran.children] == [State.SUCCESS] * 26
        ),
    },
    "for-each-item.yaml": {
        "task runs: parent, _split, _items, _merge": lambda ran: (
            [run.task_id for run in ran.status.task_runs]
            == ["each", "each_split", "each_items", "each_merge"]
        ),
        "taskRun[2].outputs.numberOfBatches = 26; iterations = {CREATED: 0, RUNNING: 0, SUCCESS: "
        "26}; 1 attempt SUCCESS": _iterations(SUCCESS=26),
        "26 child executions SUCCESS with 1 task run each": lambda ran: (
            [(child.status.state, len(child.status.task_runs)) for child in ran.children]
            == [(State.SUCCESS, 1)] * 26
        ),
        "child label system.correlationId = parent execution id": lambda ran: all(
            child.status.labels["system.correlationId"] == ran.name for child in ran.children
        ),
        "child input items matches kestra:///io/kestra/tests/for-each-item/executions/.*/tasks/"
        "each-split/.*\\.txt": lambda ran: all(
            re.fullmatch(
                r"kestra:///io/kestra/tests/for-each-item/executions/.*/tasks/each-split/.*\.txt",
                child.status.inputs["items"],
            )
            for child in ran.children
        ),
    },
    "for-each-item.yaml#0": {
        "outputs of _items are null, no child": lambda ran: not ran[2].outputs and not ran.children,
    },
    "full.yaml": {
        "task t2: output value contains 'value1'": lambda ran: "value1" in str(ran.out("t2")),
    },
    "get-log-executionid.yaml": {
        "fetch output size = 3": lambda ran: ran.out("get-log-task", "size") == 3,
    },
    "get-log.yaml": {"fetch output size = 3": lambda ran: ran.out("get-log-task", "size") == 3},
    "if-without-else.yaml": {"when-true runs": lambda ran: ran.ran("when-true")},
    "logs.yaml": {
        "log of taskRun[0]: TRACE 'first t1'": lambda ran: (
            ran.logged("t1") == [("TRACE", "first t1")]
        ),
        "log of taskRun[1]: WARN 'second io.kestra.plugin.core.log.Log'": lambda ran: (
            ran.logged("t2") == [("WARN", "second io.kestra.plugin.core.log.Log")]
        ),
        "log of taskRun[2]: ERROR 'third logs'": lambda ran: (
            ran.logged("t3") == [("ERROR", "third logs")]
        ),
        "taskRun[3]: no log kept (its logLevel is above)": lambda ran: not ran.logged("t4"),
    },
    "logs.yaml#1": {
        "replay from the beginning: new id, empty task runs": lambda ran: (
            ran.execution.spec.replay is not None
            and ran.name != ran.execution.spec.replay.execution
            and ran.status.state is State.SUCCESS
        ),
    },
    "npe-labels-update-task.yml": {
        "labels: system.correlationId and someLabel = task run id": lambda ran: (
            ran.labels["system.correlationId"] == ran.name and ran.labels["someLabel"] == ran[0].id
        ),
    },
    "null-output.yaml": {
        "taskRun[0].outputs has key value with null": lambda ran: ran[0].outputs == {"value": None},
    },
    "output-values.yml": {
        "outputs.values = {output1: xyz, output2: abc}": lambda ran: (
            {"output1": "xyz", "output2": "abc"}.items() <= ran.out("return", "values").items()
        ),
    },
    "pause-delay-from-input.yaml": {
        DELAYED: lambda ran: (
            ran.status.state is State.SUCCESS and len(ran.status.task_runs) == 3
        ),
        "pause task run: PAUSED once and RUNNING twice in its histories": _paused_then_ran,
    },
    "pause-delay.yaml": {
        DELAYED: lambda ran: (
            ran.status.state is State.SUCCESS and len(ran.status.task_runs) == 3
        ),
        "pause task run: PAUSED once and RUNNING twice in its histories": _paused_then_ran,
    },
    "pause-timeout.yaml": {
        "after the timeout: FAILED with 1 task run; its histories: PAUSED once, RUNNING once, "
        "FAILED once": lambda ran: (
            ran.status.state is State.FAILED and len(ran.status.task_runs) == 1
        ),
    },
    "pause_on_resume.yaml#1": {
        "resume without inputs: 'Invalid input for `asked`, missing required input, but received "
        "`null`'": lambda ran: (
            ran.status.state is State.PAUSED
            and "Invalid input for `asked`, missing required input, but received `null`"
            in (ran.status.controls[0].message or "")
        ),
    },
    "primitive-labels-flow.yml": {
        "labels are text: intValue '42', boolValue 'true', floatValue '3.14', taskRunId = task run "
        "id, plus system.correlationId": lambda ran: (
            [ran.labels[key] for key in ("intValue", "boolValue", "floatValue", "taskRunId")]
            == ["42", "true", "3.14", ran[0].id]
        ),
    },
    "restart_last_failed.yaml#0": {
        "after restart": lambda ran: len(ran[2].attempts) == 2,
    },
    "restart_pause_last_failed.yaml#0": {
        "after restart": lambda ran: len(ran[3].attempts) == 2 and not ran[2].attempts,
    },
    "resume-execution.yaml": {
        "the paused execution ends SUCCESS": lambda ran: (
            ran.stage.others(ran.execution)[0].status.state is State.SUCCESS
        ),
    },
    "retry-expo.yaml": {"taskRun[0]: 3 attempts": _attempts(0, 3)},
    "retry-failed-flow-duration.yml": {"taskRun[0]: 3 attempts": _attempts(0, 3)},
    "retry-failed.yaml": {
        "taskRun[0]: 5 attempts FAILED; error handler ran after the last": _attempts(0, 5),
    },
    "retry-flowable-nested-child.yaml": {
        "taskRun[2] (nested child): 3 attempts": _attempts(2, 3),
    },
    "retry-flowable-parallel.yaml": {
        "taskRun[1] and [2]: at least 2 attempts each": lambda ran: (
            len(ran[1].attempts) >= 2 and len(ran[2].attempts) >= 2
        ),
    },
    "retry-new-execution-flow-attempts.yml": {RETRIED: _retried},
    "retry-new-execution-task-attempts.yml": {RETRIED: _retried},
    "retry-new-execution-task-duration.yml": {RETRIED: _retried},
    "retry-random.yaml": {"taskRun[0]: 3 attempts": _attempts(0, 3)},
    "retry-success.yaml": {"taskRun[0]: 4 attempts (warningOnRetry)": _attempts(0, 4)},
    "sla-execution-condition.yaml#1": {
        "labels contain sla=violated": lambda ran: ran.labels["sla"] == "violated",
    },
    "sleep.yml#0": {
        "kill while running": lambda ran: [run.state for run in ran.status.task_runs]
        == [State.KILLED],
    },
    "sleep.yml#1": {
        "REST pause while running, then resume": lambda ran: ran.history()[-1] == "SUCCESS",
    },
    "state.yaml": {
        "three runs in a row with state=<random name>: createGet value 1, then updateGet value "
        "'2', then deleteGet count 0; each SUCCESS with 5 task runs": lambda ran: (
            [
                (len(item.status.task_runs), (item.status.task_runs[-1].outputs or {}))
                for item in ran.stage.world
            ]
            == [(5, {"count": 1, "data": {"value": 1}}), (5, {"count": 1, "data": {"value": "2"}}),
                (5, {"count": 0, "data": {}})]
        ),
    },
    "state.yaml#0": {
        "regetEach1[b].data.value = 'null-b'": lambda ran: (
            ran.out("regetEach1", "data", "value", value="b") == "null-b"
        ),
        "regetEach2[b].data.value = 'null-a-b'": lambda ran: (
            ran.out("regetEach2", "data", "value", value="b") == "null-a-b"
        ),
    },
    "subflow-parent.yaml": {
        "its label system.correlationId = its execution id; children and grand-children have the "
        "same correlationId": lambda ran: len(ran.children) == 2 and all(
            child.status.labels["system.correlationId"] == ran.name for child in ran.children
        ),
    },
    "switch.yaml#1": {"t3, failed, error-t1 run": lambda ran: ran.ran("t3", "failed", "error-t1")},
    "task-flow-inherited-labels.yaml": {
        "child SUCCESS with 2 task runs; child has exactly 3 labels: system.correlationId, "
        "launchTaskLabel=launchFoo, switchFlowLabel=switchFoo (parent has none to inherit)": (
            lambda ran: ran.children[0].status.labels == {
                "system.correlationId": ran.name,
                "launchTaskLabel": "launchFoo",
                "switchFlowLabel": "switchFoo",
            }
        ),
    },
    "task-flow.yaml": {
        "child (flow switch) SUCCESS with 2 task runs; outputs.extracted contains 'default > "
        "amazing'; outputs.executionId and state SUCCESS": lambda ran: (
            "default > amazing" in ran.out_at(0)["outputs"]["extracted"]
            and ran.out_at(0)["executionId"] == ran.children[0].name
            and ran.out_at(0)["state"] == "SUCCESS"
            and len(ran.children[0].status.task_runs) == 2
        ),
        "child has 5 labels: system.correlationId = parent id, mainFlowExecutionLabel=execFoo, "
        "mainFlowLabel=flowFoo, launchTaskLabel=launchFoo, switchFlowLabel=switchFoo": lambda ran: (
            ran.children[0].status.labels == {
                "system.correlationId": ran.name,
                "mainFlowExecutionLabel": "execFoo",
                "mainFlowLabel": "flowFoo",
                "launchTaskLabel": "launchFoo",
                "switchFlowLabel": "switchFoo",
            }
        ),
        "child trigger type io.kestra.plugin.core.flow.Subflow, variables executionId, namespace, "
        "flowId of the parent": lambda ran: (
            (trigger := ran.children[0].spec.trigger) is not None
            and trigger.type == "io.kestra.plugin.core.flow.Subflow"
            and trigger.variables["executionId"] == ran.name
            and trigger.variables["flowId"] == "task-flow"
        ),
    },
    "task-flow.yaml#0": {
        "child FAILED with 4 task runs; "
        "extracted contains 'Error Trigger ! error-t1'": lambda ran: (
            len(ran.children[0].status.task_runs) == 4
            and "Error Trigger ! error-t1" in ran.out_at(0)["outputs"]["extracted"]
        ),
    },
    "task-flow.yaml#1": {
        "child SUCCESS with 2 task runs but extracting the outputs fails": lambda ran: (
            ran.children[0].status.state is State.SUCCESS
        ),
    },
    "task-runif.yml": {
        "executed: SUCCESS": lambda ran: ran.states(executed="SUCCESS"),
        "notexecuted: SKIPPED": lambda ran: ran.states(notexecuted="SKIPPED"),
        "willfailedtheflow: FAILED": lambda ran: ran.states(willfailedtheflow="FAILED"),
    },
    "trigger-flow-listener.yaml": {
        "started by trigger; taskRun[0].outputs.value = 'childs: from parents: ' + id of the "
        "triggering execution; trigger variables executionId, namespace, flowId = "
        "trigger-flow": lambda ran: (
            ran.out_at(0)["value"] == f"childs: from parents: {next(iter(ran.stage.world)).name}"
            and (trigger := ran.execution.spec.trigger) is not None
            and trigger.variables["executionId"] == next(iter(ran.stage.world)).name
            and trigger.variables["flowId"] == "trigger-flow"
        ),
    },
    "trigger-multiplecondition-listener.yaml": {
        "started once, after a and b both succeeded; trigger.executionId = execution of b": (
            lambda ran: (trigger := ran.execution.spec.trigger) is not None
            and trigger.variables["executionId"] == list(ran.stage.world)[1].name
        ),
    },
    "trigger-toggle.yaml": {
        "the trigger schedule was disabled before; after it is enabled (disabled=false)": (
            lambda ran: ran.stage.world.commands.is_enabled(
                "io.kestra.tests.trigger", "trigger-toggle", "schedule"
            )
            is True
        ),
    },
    "variables-invalid.yaml": {
        "second task run FAILED; log contains: Unable to find `inputs` used in the expression "
        "`{{inputs.invalid}}` at line 1": lambda ran: (
            ran[1].state is State.FAILED
            and "used in the expression `{{inputs.invalid}}` at line 1" in (ran[1].message or "")
        ),
    },
    "waitfor-multiple-tasks.yaml": {
        "last task run outputs.values.count = '4'": lambda ran: (
            ran.out_at(-1)["values"]["count"] == "4"
        ),
    },
    "waitfor.yaml": {"taskRun[0].outputs not null": lambda ran: ran[0].outputs is not None},
    "webhook.yaml": {
        "labels flow-label-1, flow-label-2 of the flow": lambda ran: (
            {"flow-label-1", "flow-label-2"} <= ran.labels.keys()
        ),
    },
    "working-directory-each.yaml": {
        "2_end outputs.value starts with 'kestra://'": lambda ran: (
            ran.out("2_end", "value").startswith("kestra://")
        ),
    },
    "working-directory-inputs.yml": {
        "output uris of the child has one entry ending with input.txt; content 'Hello World'": (
            lambda ran: [uri.endswith("input.txt") for uri in ran.out_at(1)["uris"].values()]
            == [True]
        ),
    },
    "working-directory-namespace-files.yaml": {
        "t1 value 'first', t2 'second', t3 'third', t4 FAILED (file excluded)": lambda ran: (
            [ran.out(task, "value") for task in ("t1", "t2", "t3")] == ["first", "second", "third"]
            and ran.states(t4="FAILED")
        ),
    },
    "working-directory.yaml": {
        "taskRun[3].outputs.value starts with 'kestra://'": lambda ran: (
            ran.out_at(3)["value"].startswith("kestra://")
        ),
    },
    "working-directory.yaml#0": {"error-t1 ran": lambda ran: ran.ran("error-t1")},
}  # fmt: skip
