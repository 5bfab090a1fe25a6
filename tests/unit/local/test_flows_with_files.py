"""Whole flows whose tasks hand files and state to each other, on this machine."""

from __future__ import annotations

import pytest

from penstock.flow.loading import load_document
from penstock.flow.task import RunnableTask
from penstock.resources.execution import State
from penstock.types import flow_parser
from tests.unit.local.conftest import Hall, Try

FILES = """
tasks:
  - id: numbers
    type: io.kestra.plugin.core.storage.Write
    content: "1\\n2\\n3\\n"
    extension: .csv
  - id: doubled
    type: io.kestra.plugin.scripts.shell.Commands
    inputFiles:
      in.csv: "{{ outputs.numbers.uri }}"
    outputFiles: ["out/*.csv"]
    commands:
      - mkdir out
      - while read n; do echo $((n * 2)); done < in.csv > out/doubled.csv
  - id: parts
    type: io.kestra.plugin.core.storage.Split
    from: "{{ outputs.doubled.outputFiles['out/doubled.csv'] }}"
    rows: 2
  - id: last
    type: io.kestra.plugin.scripts.shell.Commands
    commands:
      - cat {{ outputs.parts.uris[1] }}
"""

STATE = """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: ["a", "b"]
    tasks:
      - id: before
        type: io.kestra.plugin.core.state.Get
        taskrunValue: false
      - id: set
        type: io.kestra.plugin.core.state.Set
        taskrunValue: false
        data:
          seen: "{{ (currentEachOutput(outputs.before).data.seen ?? '') ~ taskrun.value }}"
  - id: after
    type: io.kestra.plugin.core.state.Get
"""


async def test_tasks_hand_files_to_each_other(try_: Try, hall: Hall) -> None:
    # when
    status = await try_(FILES).run()
    # then
    assert status.state is State.SUCCESS, [run.message for run in status.task_runs]
    assert hall.seen[0].lines == [("last", "6")]


async def test_state_outlives_a_task(try_: Try) -> None:
    # when
    status = await try_(STATE).run()
    # then
    after = next(run for run in status.task_runs if run.task_id == "after")
    assert after.outputs == {"count": 1, "data": {"seen": "ab"}}


def test_types_say_which_properties_are_rendered_how() -> None:
    # given
    text = """
id: tried
namespace: company.team
tasks:
  - id: pair
    type: io.kestra.plugin.core.kv.Set
    key: k
    value: "{{ 1 + 1 }}"
  - id: unique
    type: io.kestra.plugin.core.storage.DeduplicateItems
    from: "{{ outputs.x.uri }}"
    expr: "{{ id }}"
"""
    # when
    flow = flow_parser().parse(load_document(text)).flow
    pair, unique = (task for task in flow.tasks if isinstance(task, RunnableTask))
    # then
    assert (pair.typed, pair.unrendered) == (frozenset({"value"}), frozenset())
    assert (unique.typed, unique.unrendered) == (frozenset(), frozenset({"expr"}))


LOOP = """
tasks:
  - id: lines
    type: io.kestra.plugin.core.storage.Write
    content: "ONE\\nTWO\\n"
    extension: .ENDING
  - id: each
    type: io.kestra.plugin.core.flow.Loop
    values: "{{ outputs.lines.uri }}"
    outputs: [{id: said, type: STRING, value: "{{ outputs.say.value }}"}]
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: "got {{ item.value }}"}
"""


@pytest.mark.parametrize(
    ("ending", "one", "two", "said"),
    [
        ("txt", "a", "b", ["got a", "got b"]),
        ("jsonl", '{\\"n\\": 1}', "2", ['got {"n": 1}', "got 2"]),
        ("ion", "{n:1}", "{n:2}", ['got {"n":1}', 'got {"n":2}']),
    ],
)
async def test_a_loop_over_the_lines_of_a_file(
    try_: Try, ending: str, one: str, two: str, said: list[str]
) -> None:
    text = LOOP.replace("ENDING", ending).replace("ONE", one).replace("TWO", two)
    status = await try_(text).run()
    assert status.state is State.SUCCESS, [run.message for run in status.task_runs]
    loop = next(run for run in status.task_runs if run.task_id == "each")
    assert loop.outputs is not None
    assert [entry["outputs"]["said"] for entry in loop.outputs["outputs"]] == said
