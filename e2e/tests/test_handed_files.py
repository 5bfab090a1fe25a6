"""Files that executions hand to each other, and those that nobody gave: in real pods."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.fixtures.scenario import ExecutionView, Scenario

pytestmark = pytest.mark.cluster

CORE = "io.kestra.plugin.core"
REPORT = f"""
id: report
namespace: company.team
tasks:
  - {{id: rows, type: {CORE}.storage.Write, content: "a\\nb\\n", extension: .txt}}
  - {{id: draft, type: {CORE}.storage.Write, content: "not given", extension: .txt}}
outputs:
  - {{id: file, type: FILE, value: "{{{{ outputs.rows.uri }}}}"}}
"""
READER = f"""
id: reader
namespace: company.team
inputs: [{{id: file, type: FILE}}]
tasks:
  - {{id: read, type: {CORE}.debug.Return, format: "{{{{ read(inputs.file) }}}}"}}
  - {{id: size, type: {CORE}.storage.Size, uri: "{{{{ inputs.file }}}}"}}
outputs:
  - {{id: content, type: STRING, value: "{{{{ outputs.read.value }}}}"}}
  - {{id: file, type: FILE, value: "{{{{ inputs.file }}}}"}}
"""
DEPARTMENT = f"""
id: department
namespace: company.team
tasks:
  - {{id: call, type: {CORE}.flow.Subflow, namespace: company.team, flowId: report}}
outputs:
  - {{id: file, type: FILE, value: "{{{{ outputs.call.outputs.file }}}}"}}
"""
FILE = "{{ outputs.call.outputs.file }}"
COMPANY = f"""
id: company
namespace: company.team
tasks:
  - {{id: call, type: {CORE}.flow.Subflow, namespace: company.team, flowId: department}}
  - id: script
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: penstock.local/busybox:1
    inputFiles: {{in.txt: "{FILE}"}}
    commands: ["head -n 1 in.txt", "tail -n 1 {FILE}"]
  - {{id: join, type: {CORE}.storage.Concat, files: ["{FILE}", "{FILE}"]}}
  - {{id: read, type: {CORE}.debug.Return, format: "{{{{ read(outputs.call.outputs.file) }}}}"}}
  - {{id: sibling, type: {CORE}.flow.Subflow, namespace: company.team, flowId: reader,
     inputs: {{file: "{FILE}"}}}}
  - {{id: back, type: {CORE}.storage.Size, uri: "{{{{ outputs.sibling.outputs.file }}}}"}}
  - id: each
    type: {CORE}.flow.ForEachItem
    items: "{FILE}"
    namespace: company.team
    flowId: reader
    inputs: {{file: "{{{{ taskrun.items }}}}"}}
  - {{id: merged, type: {CORE}.debug.Return,
     format: "{{{{ read(outputs.each_merge.subflowOutputs) }}}}"}}
"""
PROBE = f"""
id: probe
namespace: company.team
inputs: [{{id: uri, type: STRING}}]
tasks:
  - {{id: size, type: {CORE}.storage.Size, uri: "{{{{ inputs.uri }}}}", allowFailure: true}}
  - {{id: read, type: {CORE}.debug.Return, format: "{{{{ read(inputs.uri) }}}}",
     allowFailure: true}}
outputs:
  - {{id: file, type: FILE, value: "{{{{ inputs.uri }}}}"}}
"""
"""Gives as its output what it was given, whether it has a right to it or not."""
LAUNDRY = f"""
id: laundry
namespace: company.team
inputs: [{{id: uri, type: STRING}}]
tasks:
  - {{id: call, type: {CORE}.flow.Subflow, namespace: company.team, flowId: probe,
     inputs: {{uri: "{{{{ inputs.uri }}}}"}}, transmitFailed: false}}
  - {{id: size, type: {CORE}.storage.Size, uri: "{{{{ outputs.call.outputs.file }}}}"}}
"""
WAITING = f"""
id: waiting
namespace: company.team
tasks:
  - {{id: call, type: {CORE}.flow.Subflow, namespace: company.team, flowId: report}}
  - {{id: wait, type: {CORE}.flow.Pause}}
  - {{id: size, type: {CORE}.storage.Size, uri: "{FILE}"}}
"""


def message_of(execution: ExecutionView, task: str) -> str:
    """The message of the last attempt of a task."""
    run = execution.run(task)
    return str(run.get("message") or run["attempts"][-1].get("message"))


def reads_nothing(execution: ExecutionView) -> None:
    """Check that neither the pod of a task nor an expression gets the file."""
    execution.reaches("WARNING", "FAILED")
    for task in ("size", "read"):
        assert "didn't belong to the current execution" in message_of(execution, task)


def test_a_file_is_handed_up_across_and_item_by_item(scenario: Scenario) -> None:
    # given
    for flow in (REPORT, READER, DEPARTMENT):
        scenario.flow(flow)
    # when
    execution = scenario.execution(scenario.flow(COMPANY)).ends("SUCCESS", seconds=300)
    # then
    assert execution.log("script").split("\n")[:2] == ["a", "b"]
    assert execution.outputs("read")["value"] == "a\nb\n"
    assert execution.outputs("sibling")["outputs"]["content"] == "a\nb\n"
    assert execution.outputs("back")["size"] == 4
    merged = execution.outputs("merged")["value"]
    assert '"content": "a\\n"' in merged
    assert '"content": "b\\n"' in merged
    children = execution.children()
    assert len(children) == 4
    caller = {"execution": execution.name, "uid": execution.uid}
    assert all(child.status["calledBy"] == caller for child in children)


def test_a_foreign_file_stays_foreign(scenario: Scenario) -> None:
    # given
    theirs = scenario.execution(scenario.flow(REPORT)).ends("SUCCESS")
    uri = theirs.outputs("rows")["uri"]
    probe = scenario.flow(PROBE)
    # then: typed, for an input of whatever type
    reads_nothing(scenario.execution(probe, {"uri": uri}))
    refused = scenario.execution(scenario.flow(READER), {"file": uri}).ends("FAILED")
    assert "didn't belong to the current execution" in refused.status["message"]
    # and taken from a child that gives what it has no right to
    laundry = scenario.execution(scenario.flow(LAUNDRY), {"uri": uri}).ends("FAILED")
    assert "didn't belong to the current execution" in message_of(laundry, "size")


def claims_to_be_a_child(
    scenario: Scenario, parent: ExecutionView, uri: str, **annotations: str
) -> ExecutionView:
    """An Execution that names a parent and an owner, as whoever may create one can write it."""
    owner = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Execution",
        "name": parent.name,
        "uid": parent.uid,
    }
    reference = {"execution": parent.name, "taskRun": parent.run("call")["id"], "attempt": 1}
    trigger = {"id": "t", "type": f"{CORE}.trigger.Flow"}
    body: dict[str, Any] = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Execution",
        "metadata": {
            "generateName": "forged-",
            "ownerReferences": [owner],
            "annotations": annotations,
        },
        "spec": {
            "flow": {"namespace": "company.team", "id": "probe"},
            "inputs": {"uri": uri},
            "parent": reference,
            "trigger": {**trigger, "variables": {"executionId": parent.name}},
        },
    }
    made = scenario.kubernetes.create("executions", scenario.namespace, body)
    return ExecutionView(scenario, made["metadata"]["name"])


def test_who_claims_a_parent_gets_nothing_of_it(scenario: Scenario) -> None:
    # given: a parent that runs, and a child of it with a signature
    scenario.flow(REPORT)
    scenario.flow(PROBE)
    parent = scenario.execution(scenario.flow(WAITING)).reaches("PAUSED")
    child = parent.child().ends("SUCCESS")
    signature = child.body["metadata"]["annotations"]["penstock.dev/called-by"]
    uri = child.status["outputs"]["file"]
    # then
    reads_nothing(claims_to_be_a_child(scenario, parent, uri))
    reads_nothing(
        claims_to_be_a_child(scenario, parent, uri, **{"penstock.dev/called-by": signature})
    )


def test_a_file_goes_with_its_execution(scenario: Scenario) -> None:
    # given
    scenario.flow(REPORT)
    parent = scenario.execution(scenario.flow(WAITING)).reaches("PAUSED")
    child = parent.child().ends("SUCCESS")
    # when
    scenario.kubernetes.delete("executions", scenario.namespace, child.name)
    parent.is_told(resume={})
    # then
    parent.ends("FAILED")
    assert f"there was no execution `{child.name}` any more" in message_of(parent, "size")


def test_what_a_child_did_not_give_is_its_own(scenario: Scenario) -> None:
    # given: somebody who knows where the draft lies
    scenario.flow(REPORT)
    text = WAITING.replace(FILE, "{{ outputs.call.outputs.file | replace({'/rows/': '/draft/'}) }}")
    # when
    execution = scenario.execution(scenario.flow(text)).reaches("PAUSED").is_told(resume={})
    # then
    execution.ends("FAILED")
    assert "nor as an output of an execution that it called" in message_of(execution, "size")
