"""Files that executions hand to each other on this machine, and those that they do not get."""

from __future__ import annotations

import pytest

from penstock.resources.execution import (
    Control,
    ExecutionSpec,
    FlowReference,
    ReplayRequest,
    State,
    TaskRun,
)
from tests.unit.local.conftest import Hall, Tried, Try

REPORTS = """
---
id: report
namespace: company.team
inputs: [{id: month, type: STRING, defaults: may}]
tasks:
  - {id: rows, type: io.kestra.plugin.core.storage.Write, content: "a\\nb\\n", extension: .txt}
  - {id: draft, type: io.kestra.plugin.core.storage.Write, content: "secret", extension: .txt}
outputs:
  - {id: file, type: FILE, value: "{{ outputs.rows.uri }}"}
  - {id: told, type: STRING, value: "for {{ inputs.month }}: {{ outputs.rows.uri }}"}
---
id: reader
namespace: company.team
inputs: [{id: file, type: FILE}]
tasks:
  - {id: read, type: io.kestra.plugin.core.debug.Return, format: "{{ read(inputs.file) }}"}
outputs:
  - {id: content, type: STRING, value: "{{ outputs.read.value }}"}
  - {id: same, type: STRING, value: "{{ inputs.file }}"}
---
id: echo
namespace: company.team
inputs: [{id: f, type: STRING}]
tasks: [{id: nothing, type: io.kestra.plugin.core.debug.Return, format: x}]
outputs: [{id: f, type: FILE, value: "{{ inputs.f }}"}]
---
id: department
namespace: company.team
tasks:
  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: report}
outputs:
  - {id: file, type: FILE, value: "{{ outputs.call.outputs.file }}"}
"""


def call(flow: str, **inputs: str) -> str:
    given = ", ".join(f'{name}: "{value}"' for name, value in inputs.items())
    return f"""{{id: {flow}, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team,
        flowId: {flow}, inputs: {{{given}}}}}"""


def run_of(tried: Tried, task: str) -> TaskRun:
    return next(run for run in tried.execution.status.task_runs if run.task_id == task)


FILE = "{{ outputs.report.outputs.file }}"


@pytest.mark.parametrize(
    ("task", "output", "value"),
    [
        ("{type: storage.Concat, files: ['%s']}", "uri", None),
        ("{type: storage.Size, uri: '%s'}", "size", 4),
        ("{type: storage.Reverse, from: '%s'}", "uri", None),
        ("{type: storage.Split, from: '%s', rows: 1}", "uris", None),
        ("{type: storage.Delete, uri: '%s'}", "deleted", True),
        ("{type: debug.Return, format: '%s'}", "value", "a\nb\n"),
    ],
)
async def test_a_parent_uses_the_file_of_its_subflow(
    try_: Try, task: str, output: str, value: object
) -> None:
    # given
    is_function = "Return" in task
    named = FILE if not is_function else "{{ read(outputs.report.outputs.file) }}"
    text = (task % named).replace("type: ", "id: use, type: io.kestra.plugin.core.")
    # when
    tried = try_(f"tasks: [{call('report')}, {text}]{REPORTS}")
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    outputs = run_of(tried, "use").outputs or {}
    assert outputs[output] == value if value is not None else outputs[output]


async def test_a_script_finds_it_as_an_input_file_and_as_a_path(try_: Try, hall: Hall) -> None:
    # when
    status = await try_(f"""
tasks:
  - {call("report")}
  - id: use
    type: io.kestra.plugin.scripts.shell.Commands
    inputFiles: {{in.txt: "{FILE}"}}
    commands: ["head -1 in.txt", "tail -1 {FILE}"]
{REPORTS}""").run()
    # then
    assert status.state is State.SUCCESS, status.message
    assert [line for seen in hall.seen for _, line in seen.lines] == ["a", "b"]


async def test_it_is_handed_to_a_sibling_and_item_by_item(try_: Try) -> None:
    # when
    tried = try_(f"""
tasks:
  - {call("report")}
  - {call("reader", file=FILE)}
  - id: each
    type: io.kestra.plugin.core.flow.ForEachItem
    items: "{FILE}"
    namespace: company.team
    flowId: reader
    inputs: {{file: "{{{{ taskrun.items }}}}"}}
  - {{id: merged, type: io.kestra.plugin.core.debug.Return,
     format: "{{{{ read(outputs.each_merge.subflowOutputs) }}}}"}}
{REPORTS}""")
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    assert (run_of(tried, "reader").outputs or {})["outputs"]["content"] == "a\nb\n"
    merged = (run_of(tried, "merged").outputs or {})["value"]
    assert '"content": "a' in merged
    assert '"content": "b' in merged


async def test_it_is_handed_up_twice_and_across(try_: Try) -> None:
    # when
    given = "{{ outputs.department.outputs.file }}"
    tried = try_(f"""
tasks:
  - {call("department")}
  - {call("reader", file=given)}
  - {{id: size, type: io.kestra.plugin.core.storage.Size,
     uri: "{{{{ outputs.reader.outputs.same }}}}"}}
{REPORTS}""")
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    assert (run_of(tried, "size").outputs or {})["size"] == 4


async def test_an_output_of_another_type_names_it_as_well(try_: Try) -> None:
    # when
    tried = try_(f"""
tasks:
  - {call("report")}
  - {{id: read, type: io.kestra.plugin.core.debug.Return,
     format: "{{{{ read(outputs.report.outputs.told | split(': ') | last) }}}}"}}
{REPORTS}""")
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    assert (run_of(tried, "read").outputs or {})["value"] == "a\nb\n"


async def test_what_the_subflow_did_not_give_is_refused(try_: Try) -> None:
    # given: the parent takes the URI together from what it knows
    tried = try_(f"""
tasks:
  - {call("report")}
  - id: read
    type: io.kestra.plugin.core.storage.Size
    uri: "{{{{ outputs.report.outputs.file | replace({{'/rows/': '/draft/'}}) }}}}"
{REPORTS}""")
    # when
    status = await tried.run()
    # then
    assert status.state is State.FAILED
    assert "nor as an output of an execution that it called" in (status.message or "")


async def test_a_trigger_hands_on_the_outputs_of_what_fired_it(try_: Try) -> None:
    # given: a flow that gives the file of its subflow, and one that listens to it
    tried = try_(f"""
tasks: [{call("report")}]
outputs: [{{id: file, type: FILE, value: "{FILE}"}}]
---
id: listener
namespace: company.team
inputs: [{{id: file, type: FILE}}]
triggers:
  - id: on-tried
    type: io.kestra.plugin.core.trigger.Flow
    inputs: {{file: "{{{{ trigger.outputs.file }}}}"}}
    conditions:
      - type: io.kestra.plugin.core.condition.ExecutionFlow
        namespace: company.team
        flowId: tried
tasks:
  - {{id: read, type: io.kestra.plugin.core.debug.Return, format: "{{{{ read(inputs.file) }}}}"}}
{REPORTS}""")
    # when
    await tried.run()
    # then
    _, listener = tried.others()
    assert listener.status.state is State.SUCCESS, listener.status.message
    assert listener.status.task_runs[0].outputs == {"value": "a\nb\n"}


async def test_outputs_that_a_subflow_takes_itself_are_handed_on(try_: Try) -> None:
    # given: the deprecated property, which sees what the child's tasks gave
    taking = call("report").replace("inputs: {}", "outputs: {mine: '{{ outputs.draft.uri }}'}")
    tried = try_(f"""
tasks:
  - {taking}
  - {{id: use, type: io.kestra.plugin.core.storage.Size,
     uri: "{{{{ outputs.report.outputs.mine }}}}"}}
{REPORTS}""")
    # when
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message


async def test_a_replay_finds_what_the_first_run_was_handed(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - {call("report")}
  - {{id: use, type: io.kestra.plugin.core.storage.Size, uri: "{FILE}"}}
{REPORTS}""")
    await tried.run()
    # when: from the task on that uses the file; the subflow does not run again
    again = ReplayRequest(task="use")
    tried.world.control(tried.execution.name, Control(id="again", replay=again))
    await tried.world.run()
    # then
    replay = tried.others()[-1]
    assert replay.status.state is State.SUCCESS, replay.status.message
    assert (replay.status.task_runs[-1].outputs or {})["size"] == 4


FOREIGN = """
id: foreign
tasks: [{id: theirs, type: io.kestra.plugin.core.storage.Write, content: theirs}]
"""


@pytest.mark.parametrize(
    "attack",
    [
        # typed by a person, and read
        """inputs: [{id: f, type: STRING}]
tasks: [{id: a, type: io.kestra.plugin.core.storage.Size, uri: "{{ inputs.f }}"}]""",
        # typed, and handed to a child that may be trusted
        f"""inputs: [{{id: f, type: STRING}}]
tasks: [{call("reader", file="{{ inputs.f }}")}]""",
        # typed, handed to a child, and taken back as its output
        """inputs: [{id: f, type: STRING}]
tasks:
  - {id: echo, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: echo,
     inputs: {f: "{{ inputs.f }}"}}
  - {id: a, type: io.kestra.plugin.core.storage.Size, uri: "{{ outputs.echo.outputs.f }}"}""",
        # printed by a script
        """inputs: [{id: f, type: STRING}]
tasks:
  - {id: s, type: io.kestra.plugin.scripts.shell.Commands, env: {F: "{{ inputs.f | slice(9) }}"},
     commands: ['echo "::{\\"outputs\\":{\\"f\\":\\"kestra://$F\\"}}::"']}
  - {id: a, type: io.kestra.plugin.core.storage.Size, uri: "{{ outputs.s.vars.f }}"}""",
    ],
    ids=["typed", "handed-down", "handed-up", "printed"],
)
async def test_a_foreign_file_stays_foreign(try_: Try, attack: str) -> None:
    # given: an execution that has nothing to do with the next one, and its file
    tried = try_(f"{FOREIGN}---\n{attack}{REPORTS}")
    await tried.run()
    uri = (run_of(tried, "theirs").outputs or {})["uri"]
    # when
    asked = ExecutionSpec(
        flow=FlowReference(namespace="company.team", id="tried"), inputs={"f": uri}
    )
    attacker = tried.world.start(asked)
    await tried.world.run()
    # then
    assert attacker.status.state is State.FAILED
    told = [execution.status.message or "" for execution in tried.world]
    assert any("didn't belong to the current execution" in message for message in told)
