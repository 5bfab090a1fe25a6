"""Tasks whose outputs are taken again."""

from __future__ import annotations

import pytest

from penstock.resources.execution import ExecutionStatus, State
from tests.unit.local.conftest import Hall, Try

FLOW = """
inputs: [{id: who, type: STRING}]
tasks:
  - id: dear
    type: io.kestra.plugin.scripts.shell.Commands
    taskCache: {enabled: true, ttl: PT1H}
    env: {WHO: "{{ inputs.who }}"}
    outputFiles: [made.txt]
    commands:
      - echo "ran for $WHO"
      - echo "for $WHO" > made.txt
      - 'echo "::{\\"outputs\\": {\\"pid\\": $$}}::"'
  - id: use
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["cat {{ outputs.dear.outputFiles['made.txt'] }}"]
"""


async def run(try_: Try, text: str, who: str) -> ExecutionStatus:
    status = await try_(text, {"who": who}).run()
    assert status.state is State.SUCCESS, [item.message for item in status.task_runs]
    return status


async def test_a_second_run_with_the_same_properties_is_spared(try_: Try, hall: Hall) -> None:
    # when
    first, second = await run(try_, FLOW, "x"), await run(try_, FLOW, "x")
    # then
    assert first.task_runs[0].outputs["vars"] == second.task_runs[0].outputs["vars"]  # type: ignore[index]
    assert hall.seen[1].lines == [("use", "for x")]


async def test_its_files_are_the_later_executions_own(try_: Try) -> None:
    first, second = await run(try_, FLOW, "x"), await run(try_, FLOW, "x")
    files = [status.task_runs[0].outputs["outputFiles"] for status in (first, second)]  # type: ignore[index]
    assert files[0] != files[1]


async def test_other_properties_make_another_run(try_: Try, hall: Hall) -> None:
    await run(try_, FLOW, "x")
    await run(try_, FLOW, "y")
    assert ("dear", "ran for y") in hall.seen[1].lines


@pytest.mark.parametrize("cache", ["{enabled: false}", "{enabled: true, ttl: PT0S}"])
async def test_without_a_cache_that_counts_it_runs(try_: Try, hall: Hall, cache: str) -> None:
    text = FLOW.replace("{enabled: true, ttl: PT1H}", cache)
    await run(try_, text, "x")
    await run(try_, text, "x")
    assert hall.seen[1].lines[0] == ("dear", "ran for x")


async def test_a_failure_is_not_kept(try_: Try, hall: Hall) -> None:
    text = """
    tasks:
      - id: no
        type: io.kestra.plugin.scripts.shell.Commands
        taskCache: {enabled: true}
        commands: [echo ran, exit 1]
    """
    for _ in range(2):
        assert (await try_(text).run()).state is State.FAILED
    assert [seen.lines for seen in hall.seen] == [[("no", "ran")]] * 2
