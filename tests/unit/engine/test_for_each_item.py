"""ForEachItem: another flow for each batch of a file's items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock.resources.execution import State
from tests.fixtures.engine import Given, Outcome

Flow = Callable[[str], Given]

FLOW = """
tasks:
  - id: f
    type: ForEachItem
    items: "{{ inputs.file }}"
    batch: {rows: 10}
    namespace: other.team
    flowId: child
    inputs: {file: "{{ taskrun.items }}", index: "{{ taskrun.iteration }}"}
    errors: [{id: e, type: Work}]
  - {id: after, type: Work}
inputs: [{id: file, type: STRING, defaults: "kestra:///x.txt"}]
"""
PLAIN = FLOW.replace("    errors: [{id: e, type: Work}]\n", "")


def with_(properties: str) -> str:
    return PLAIN.replace("flowId: child", f"flowId: child\n    {properties}")


def batches(count: int) -> dict[str, Any]:
    """The outputs of the task that splits the file."""
    return {
        "outputs": {
            "f_split": {"splits": "kestra:///s", "count": count, "pattern": "kestra:///s/*"}
        }
    }


def counts(outcome: Outcome) -> Any:
    return (outcome.task_run("f_items").outputs or {})["iterations"]


def test_the_file_is_split_the_flow_run_and_the_outputs_merged(given: Flow) -> None:
    flow = given(PLAIN).when_tasks(**batches(2)).when_children(outputs={"child#1": {"n": 2}})
    outcome = flow.run()
    outcome.then.ended("SUCCESS").ran("f_split", "f_merge", "after").made("child", "child")
    split = outcome.start("f_split").properties
    assert (split["items"], split["batch"]["rows"]) == ("kestra:///x.txt", 10)
    assert outcome.start("f_merge").properties["children"] == '[{"n":2}]'


def test_each_execution_gets_its_batch(given: Flow) -> None:
    outcome = given(PLAIN).when_tasks(**batches(2)).run()
    assert [start.spec.inputs for start in outcome.children] == [
        {"file": "kestra:///s/0", "index": "0"},
        {"file": "kestra:///s/1", "index": "1"},
    ]


def test_its_executions_are_counted(given: Flow) -> None:
    flow = given(PLAIN).when_tasks(**batches(3))
    flow = flow.when_children(states={"child#1": State.WARNING})
    outcome = flow.run()
    outcome.then.ended("WARNING")
    assert counts(outcome) == {"CREATED": 0, "RUNNING": 0, "SUCCESS": 2, "WARNING": 1}


def test_no_more_than_the_limit_run_at_once(given: Flow) -> None:
    flow = given(PLAIN).when_tasks(**batches(7)).limits(children=3)
    outcome = flow.when_children(seconds={"child": 10}).run()
    outcome.then.ended("SUCCESS").made(*["child"] * 7).took(1 + 30 + 1 + 1)


def test_without_items_there_is_nothing_to_do(given: Flow) -> None:
    outcome = given(PLAIN).when_tasks(**batches(0)).run()
    outcome.then.ended("SUCCESS").made().ran("f_split", "f_merge", "after")


def test_a_failed_execution_fails_it_when_all_have_ended(given: Flow) -> None:
    flow = (
        given(FLOW).when_tasks(**batches(3)).when_children(fail=["child#0"], seconds={"child": 9})
    )
    outcome = flow.run()
    outcome.then.ended("FAILED").made(*["child"] * 3).ran("f_split", "e").without("f_merge")
    outcome.then.says("1 of 3 executions failed")


def test_failures_that_are_not_transmitted(given: Flow) -> None:
    flow = given(with_("transmitFailed: false")).when_tasks(**batches(2))
    flow.when_children(fail=["child"]).run().then.ended("SUCCESS").ran(
        "f_split", "f_merge", "after"
    )


def test_a_killed_execution_kills_it(given: Flow) -> None:
    flow = given(PLAIN).when_tasks(**batches(2)).when_children(states={"child#1": State.KILLED})
    flow.run().then.ended("KILLED")


def test_not_waiting_it_ends_once_all_executions_are_there(given: Flow) -> None:
    flow = given(with_("wait: false")).when_tasks(**batches(3))
    outcome = flow.when_children(seconds={"child": 90}, fail=["child"]).run()
    outcome.then.ended("SUCCESS").made(*["child"] * 3).took(3)


def test_an_execution_that_was_refused_fails_it(given: Flow) -> None:
    flow = given(PLAIN).when_tasks(**batches(2)).when_children(refused=["child"])
    flow.run().then.ended("FAILED").says("an execution was refused: there is no such flow")


def test_a_split_that_failed_fails_it(given: Flow) -> None:
    outcome = given(FLOW).when_tasks(fail=["f_split"]).run()
    outcome.then.ended("FAILED").ran("f_split", "e").made()


def test_a_failure_may_be_allowed(given: Flow) -> None:
    flow = given(with_("allowFailure: true")).when_tasks(**batches(1)).when_children(fail=["child"])
    flow.run().then.ended("WARNING").ran("f_split", "after")


def test_a_kill_kills_its_executions(given: Flow) -> None:
    flow = given(PLAIN).when_tasks(**batches(3)).when_children(seconds={"child": 60})
    outcome = flow.at(9).kill().run()
    outcome.then.ended("KILLED")
    assert [outcome.child(index).kills for index in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("value", ["x", "y"])
def test_in_a_loop_each_value_has_its_own(given: Flow, value: str) -> None:
    outcome = (
        given("""
    tasks:
      - id: each
        type: ForEach
        values: [x, y]
        tasks:
          - id: f
            type: ForEachItem
            items: "{{ parent.taskrun.value }}"
            namespace: t
            flowId: child
    """)
        .when_tasks(**batches(2))
        .when_children(outputs={"child": {"n": 1}})
        .run()
    )
    outcome.then.ended("SUCCESS").made(*["child"] * 4)
    assert outcome.start(f"f_split[{value}]").properties["items"] == value
    assert outcome.start(f"f_merge[{value}]").properties["children"] == '[{"n":1},{"n":1}]'


def test_an_input_that_is_null_has_its_default_in_each_execution(given: Flow) -> None:
    child = """
    inputs: [{id: n, type: INT, defaults: 5}, {id: file, type: STRING}]
    tasks: [{id: c, type: Work}]
    """
    flow = given(PLAIN.replace('index: "{{ taskrun.iteration }}"', 'n: "{{ null }}"'))
    outcome = flow.flow("child", child).when_tasks(**batches(2)).run()
    outcome.then.ended("SUCCESS")
    assert [outcome.child(index).status.inputs["n"] for index in range(2)] == [5, 5]
