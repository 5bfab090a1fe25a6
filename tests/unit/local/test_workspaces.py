"""Tasks that share a directory, and flows for each batch of a file."""

from __future__ import annotations

from penstock.resources.execution import State
from tests.unit.local.conftest import CORE, Try

SHELL = "type: io.kestra.plugin.scripts.shell.Commands"
RETURN = f"type: {CORE}.debug.Return"


async def test_files_go_from_task_to_task_and_what_matches_is_kept(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - id: dir
    type: {CORE}.flow.WorkingDirectory
    inputFiles: {{in.txt: "{{{{ flow.id }}}}"}}
    outputFiles: ["*.out"]
    tasks:
      - {{id: first, {SHELL}, commands: ["tr a-z A-Z < in.txt > made.txt"]}}
      - {{id: second, {SHELL}, commands: ["cp made.txt copy.out"]}}
  - {{id: read, {RETURN}, format: "{{{{ read(outputs.dir.outputFiles['copy.out']) }}}}"}}
""")
    # when
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    assert status.task_runs[-1].outputs == {"value": "TRIED"}


async def test_a_file_that_cannot_be_staged_fails_the_task_that_needs_it(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - id: dir
    type: {CORE}.flow.WorkingDirectory
    inputFiles: {{in.txt: "kestra:///nowhere/at/all"}}
    tasks: [{{id: first, {SHELL}, commands: ["true"]}}]
""")
    # when
    status = await tried.run()
    # then
    assert status.state is State.FAILED
    assert "kestra:///nowhere/at/all" in (status.message or "")


CACHED = f"""
tasks:
  - id: dir
    type: {CORE}.flow.WorkingDirectory
    cache: {{patterns: ["kept/**"]}}
    tasks:
      - id: count
        {SHELL}
        commands: ["mkdir -p kept; echo x >> kept/count; touch gone; ls gone kept/*"]
      - id: say
        {SHELL}
        commands:
          - |
            echo "::{{\\"outputs\\": {{\\"lines\\": $(wc -l < kept/count)}}}}::"
"""


async def test_a_cache_is_kept_from_one_execution_to_the_next(try_: Try) -> None:
    # given
    tried = try_(CACHED)
    await tried.run()
    # when
    second = tried.world.start(tried.execution.spec)
    await tried.run()
    # then
    lines = [item.status.task_runs[-1].outputs for item in (tried.execution, second)]
    assert [outputs and outputs["vars"] for outputs in lines] == [{"lines": 1}, {"lines": 2}]


EACH = f"""
inputs: [{{id: rows, type: INT}}, {{id: text, type: STRING}}]
tasks:
  - {{id: write, type: {CORE}.storage.Write, content: "{{{{ inputs.text }}}}"}}
  - id: each
    type: {CORE}.flow.ForEachItem
    items: "{{{{ outputs.write.uri }}}}"
    batch: {{rows: "{{{{ inputs.rows }}}}"}}
    namespace: company.team
    flowId: child
    inputs: {{uri: "{{{{ taskrun.items }}}}"}}
---
id: child
inputs: [{{id: uri, type: STRING}}]
tasks: [{{id: read, {RETURN}, format: "{{{{ read(inputs.uri) }}}}"}}]
outputs: [{{id: it, type: STRING, value: "{{{{ outputs.read.value }}}}"}}]
"""


async def test_a_flow_runs_for_each_batch_and_the_outputs_are_merged(try_: Try) -> None:
    # given
    tried = try_(EACH, {"rows": 2, "text": "a\nb\nc"})
    # when
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    split = next(run for run in status.task_runs if run.task_id == "each_split")
    assert split.outputs is not None
    assert split.outputs["count"] == 2
    assert split.outputs["pattern"].endswith("/batch-*.txt")
    assert [child.status.outputs for child in tried.others()] == [{"it": "a\nb\n"}, {"it": "c\n"}]


async def test_a_file_without_items_makes_no_execution(try_: Try) -> None:
    # given
    tried = try_(EACH, {"rows": 2, "text": ""})
    # when
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS, status.message
    assert tried.others() == []
