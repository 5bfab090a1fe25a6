"""`penstock get`: an Execution in the cluster with all its task runs, wherever they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

from penstock.cli.cluster import read_execution
from penstock.cli.display import label, metrics, seconds, shorten
from penstock.cli.errors import OK
from penstock.cli.terminal import echo
from penstock.resources.execution import ExecutionStatus, TaskRun


def print_execution(
    execution: str, namespace: str | None, task: str | None, *, as_json: bool
) -> int:
    """Print the Execution, and return the exit code."""
    found = read_execution(execution, namespace)
    status = found.status
    if task is not None:
        runs = [run for run in status.task_runs if run.task_id == task]
        status = status.model_copy(update={"task_runs": runs})
    if as_json:
        written = status.model_copy(update={"archive": []}).to_json()
        echo(json.dumps({**found.body, "status": written}, indent=2, ensure_ascii=False))
        return OK
    for line in _table(status):
        echo(line)
    return OK


def _table(status: ExecutionStatus) -> Iterator[str]:
    rows = [("TASK", "STATE", "ATTEMPTS", "DURATION", "MESSAGE")]
    rows += [_row(run) for run in status.task_runs]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for *columns, message in rows:
        padded = (text.ljust(width) for text, width in zip(columns, widths, strict=True))
        yield f"{'  '.join(padded)}  {message}".rstrip()
    yield from _metrics(status)


def _metrics(status: ExecutionStatus) -> Iterator[str]:
    lines = [f"{label(run)}  {metric}" for run in status.task_runs for metric in metrics(run)]
    if lines:
        yield from ("", "METRICS", *lines)
    dropped = sum(run.metrics_dropped or 0 for run in status.task_runs)
    if dropped:
        yield f"… and {dropped} more, which were not kept"


def _row(run: TaskRun) -> tuple[str, str, str, str, str]:
    message = shorten(run.message, 120) if run.message else ""
    attempts = str(len(run.attempts)) if run.attempts else ""
    return label(run), str(run.state), attempts, seconds(run.start_date, run.end_date), message
