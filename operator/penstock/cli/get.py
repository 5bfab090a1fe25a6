"""`penstock get`: an Execution in the cluster with all its task runs, wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.cli.cluster import read_execution
from penstock.cli.display import label, metrics, seconds, shorten
from penstock.cli.errors import OK
from penstock.cli.printing import Format, print_data, reference, table, whole
from penstock.cli.terminal import echo
from penstock.resources.execution import ExecutionStatus, TaskRun


def print_execution(
    execution: str, namespace: str | None, task: str | None, output: Format | None
) -> int:
    """Print the Execution, and return the exit code."""
    found = read_execution(execution, namespace)
    status = found.status
    if task is not None:
        runs = [run for run in status.task_runs if run.task_id == task]
        status = status.model_copy(update={"task_runs": runs})
    if output in ("json", "yaml"):
        written = status.model_copy(update={"archive": []}).to_json()
        print_data({**whole("Execution", found.body), "status": written}, output)
    elif output == "name":
        echo(reference("Execution", found.body))
    else:
        for line in _table(status, is_wide=output == "wide"):
            echo(line)
    return OK


def _table(status: ExecutionStatus, *, is_wide: bool) -> Iterator[str]:
    titles = ["TASK", "STATE", "ATTEMPTS", "DURATION", *(["ID", "JOB"] if is_wide else [])]
    rows = [_row(run, is_wide=is_wide) for run in status.task_runs]
    yield from table([[*titles, "MESSAGE"], *rows])
    yield from _metrics(status)


def _metrics(status: ExecutionStatus) -> Iterator[str]:
    lines = [f"{label(run)}  {metric}" for run in status.task_runs for metric in metrics(run)]
    if lines:
        yield from ("", "METRICS", *lines)
    dropped = sum(run.metrics_dropped or 0 for run in status.task_runs)
    if dropped:
        yield f"… and {dropped} more, which were not kept"


def _row(run: TaskRun, *, is_wide: bool) -> list[str]:
    message = shorten(run.message, 120) if run.message else ""
    attempts = str(len(run.attempts)) if run.attempts else ""
    jobs = [attempt.job for attempt in run.attempts if attempt.job is not None]
    more = [run.id, *(jobs[-1:] or [""])] if is_wide else []
    taken = seconds(run.start_date, run.end_date)
    return [label(run), str(run.state), attempts, taken, *more, message]
