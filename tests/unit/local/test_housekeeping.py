"""Tasks that count and delete what other executions left, in the world of one run."""

from __future__ import annotations

from typing import Any

from penstock.resources.execution import ExecutionStatus, State
from tests.unit.local.conftest import Try

CORE = "io.kestra.plugin.core"
CALL = f"type: {CORE}.flow.Subflow, namespace: company.team"
NOW = '"{{ now() }}"'
AGO = "\"{{ now() | dateAdd(-1, 'HOURS') }}\""
CHILD = f"""
---
id: child
tasks: [{{id: say, type: {CORE}.log.Log, message: hello}}]
"""


def outputs(status: ExecutionStatus, task: str) -> dict[str, Any]:
    assert status.state is State.SUCCESS, [run.message for run in status.task_runs]
    return next(run.outputs or {} for run in status.task_runs if run.task_id == task)


async def test_executions_are_counted(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - {{id: call, {CALL}, flowId: child}}
  - id: count
    type: io.kestra.core.tasks.executions.Counts
    startDate: {AGO}
    expression: "{{{{ count > 0 }}}}"
    namespaces: [company]
  - id: silent
    type: {CORE}.execution.Count
    startDate: {AGO}
    expression: "{{{{ count == 0 }}}}"
    flows: [{{namespace: company.team, flowId: child}}, {{namespace: company, flowId: nobody}}]
{CHILD}""")
    # when
    status = await tried.run()
    # then
    rows = [("company.team", "child", 1), ("company.team", "tried", 1)]
    count = outputs(status, "count")
    assert ([tuple(row.values()) for row in count["results"]], count["total"]) == (rows, 2)
    silent = outputs(status, "silent")["results"]
    assert silent == [{"namespace": "company", "flowId": "nobody", "count": 0}]


async def test_an_expression_that_fails_fails_the_count(try_: Try) -> None:
    tried = try_(f"""
tasks:
  - id: count
    type: {CORE}.execution.Count
    startDate: {AGO}
    expression: "{{{{ nothing }}}}"
    namespaces: [company]
""")
    status = await tried.run()
    assert status.state is State.FAILED
    assert "nothing" in (status.message or "")


OLD = f"""
tasks:
  - {{id: say, type: {CORE}.log.Log, message: hello}}
  - {{id: write, type: {CORE}.storage.Write, content: hello}}
  - {{id: value, type: {CORE}.debug.Return, format: hello}}
---
id: keeper
inputs: [{{id: name, type: STRING}}]
"""


async def kept_house(try_: Try, tasks: str) -> ExecutionStatus:
    """The end of an execution of these tasks, after another one has ended."""
    tried = try_(OLD + tasks)
    await tried.run()
    flow = {"flow": {"namespace": "company.team", "id": "keeper"}}
    inputs = {"inputs": {"name": tried.execution.name}}
    keeper = tried.world.start(tried.execution.spec.model_validate(flow | inputs))
    await tried.run()
    return keeper.status


async def test_a_purged_execution_leaves_nothing_and_counts_no_more(try_: Try) -> None:
    # when
    status = await kept_house(
        try_,
        f"""
tasks:
  - {{id: purge, type: {CORE}.storage.Purge, endDate: {NOW}, states: [SUCCESS]}}
  - id: count
    type: {CORE}.execution.Count
    startDate: {AGO}
    expression: "true"
    namespaces: [company]
  - {{id: logs, type: {CORE}.log.Fetch, executionId: "{{{{ inputs.name }}}}"}}
  - id: resume
    type: {CORE}.execution.Resume
    executionId: "{{{{ inputs.name }}}}"
    allowFailure: true
    allowWarning: true
""",
    )
    # then
    assert outputs(status, "purge") == {
        "executionsCount": 1,
        "logsCount": 2,
        "storagesCount": 1,
        "metricsCount": 2,
    }
    assert [row["flowId"] for row in outputs(status, "count")["results"]] == ["keeper"]
    assert outputs(status, "logs")["size"] == 0
    resume = status.task_runs[-1].message or ""
    assert resume.startswith("there is no execution")


async def test_files_and_logs_go_from_executions_that_stay(try_: Try) -> None:
    # when
    status = await kept_house(
        try_,
        f"""
tasks:
  - {{id: files, type: {CORE}.execution.PurgeExecutions, endDate: {NOW}, purgeExecution: false,
      purgeLog: false}}
  - {{id: debug, type: {CORE}.log.PurgeLogs, endDate: {NOW}, logLevels: [DEBUG]}}
  - {{id: logs, type: {CORE}.log.PurgeLogs, endDate: {NOW}, namespace: company.team, flowId: tried}}
  - id: count
    type: {CORE}.execution.Count
    startDate: {AGO}
    expression: "true"
    flows: [{{namespace: company.team, flowId: tried}}]
""",
    )
    # then
    files = outputs(status, "files")
    assert [files[f"{name}Count"] for name in ("executions", "logs", "storages")] == [0, 0, 1]
    assert outputs(status, "debug")["count"] == 1
    assert outputs(status, "logs") == {
        "count": 1,
        "executionLogsCount": 1,
        "nonExecutionLogsCount": 0,
    }
    assert outputs(status, "count")["total"] == 1


async def test_keys_are_purged(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - {{id: a, type: {CORE}.kv.Set, key: tmp_1, value: x}}
  - {{id: b, type: {CORE}.kv.Set, key: tmp_2, value: x, namespace: company.team.below}}
  - {{id: c, type: {CORE}.kv.Set, key: kept, value: x}}
  - {{id: expired, type: {CORE}.kv.PurgeKV}}
  - id: purge
    type: {CORE}.kv.PurgeKV
    namespaces: [company]
    keyPattern: tmp_*
    behavior: {{type: key, expiredOnly: false}}
  - {{id: keys, type: {CORE}.kv.GetKeys}}
""")
    # when
    status = await tried.run()
    # then
    assert outputs(status, "expired") == {"size": 0}
    assert outputs(status, "purge") == {"size": 2}
    assert outputs(status, "keys") == {"keys": ["kept"]}
