"""`penstock execution delete`: says what is deleted, and deletes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.cli.cluster import in_cluster
from penstock.cli.errors import OK
from penstock.cli.printing import reference
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.execution_search import state_of
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionStatus

_NAMED = 10
"""How many Executions are told by their names."""


def delete_executions(executions: Iterable[str], tenant: str | None, *, dry_run: bool) -> int:
    """Delete the Executions, or say what would be deleted, and return the exit code."""

    async def delete(cluster: Cluster) -> None:
        for name in dict.fromkeys(executions):
            body = await cluster.executions.get(name)
            belongings = _belongings(body, await cluster.executions.made_by(body))
            if not dry_run:
                await cluster.executions.delete(body)
            verb = "would be deleted" if dry_run else "deleted"
            echo(f"{reference('Execution', body)} ({state_of(body)}) {verb}, with {belongings}")

    in_cluster(tenant, delete)
    return OK


def _belongings(body: Object, children: Sequence[Object]) -> str:
    """What is deleted with an Execution."""
    own = f"its files, outputs and logs{_jobs(body)}"
    if not children:
        return own
    names = [child["metadata"]["name"] for child in children]
    more = ", …" if len(names) > _NAMED else ""
    count = "the Execution" if len(names) == 1 else f"the {len(names)} Executions"
    return f"{own}, and {count} that its tasks made: {', '.join(names[:_NAMED])}{more}"


def _jobs(body: Object) -> str:
    status = ExecutionStatus.from_json(body.get("status") or {})
    open_jobs = [
        attempt.job
        for run in status.task_runs
        for attempt in run.attempts
        if attempt.job is not None and attempt.end_date is None
    ]
    if not open_jobs:
        return ""
    count = len(open_jobs)
    return " and the Job that runs" if count == 1 else f" and the {count} Jobs that run"
