"""Follows an Execution in the cluster: the display of `penstock run`, with what is read there."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, suppress

from penstock.cli.display import WAITS_FOR_SOMEBODY
from penstock.cli.errors import FAILED, INVALID, OK
from penstock.cli.screen import open_display
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.execution_logs import Entry
from penstock.cluster.executions import WholeExecution
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import Object
from penstock.local.watching import Watcher
from penstock.resources.execution import ExecutionStatus, State, TaskRun


async def follow(
    cluster: Cluster, name: str, *, with_logs: bool = False, on_stderr: bool = False
) -> WholeExecution:
    """Show an Execution until it has ended, and give it as it is then. Raises ``ClusterError``."""
    stream = sys.stderr if on_stderr else sys.stdout
    body = await cluster.executions.get(name)
    with open_display(stream) as display:
        watcher = display.opened(name, _flow(body), None)
        shown = _Shown(cluster, name, watcher)
        logs = asyncio.create_task(shown.show_logs()) if with_logs else None
        try:
            await shown.show_states()
            if logs is not None:
                await logs
        except asyncio.CancelledError:
            echo(f"the execution goes on: `penstock execution kill {name}` ends it", err=True)
            raise
        finally:
            if logs is not None:
                logs.cancel()
                with suppress(asyncio.CancelledError):
                    await logs
        whole = await cluster.executions.read(name)
        display.ended(whole.status)
    return whole


def exit_code(status: ExecutionStatus) -> int:
    """Tell by the exit code how an Execution ended, as `penstock run` does."""
    if status.refusal == "InvalidInputs":
        return INVALID
    return OK if status.state in (State.SUCCESS, State.WARNING) else FAILED


class _Shown:
    """What is shown of one Execution."""

    def __init__(self, cluster: Cluster, name: str, watcher: Watcher) -> None:
        self._cluster = cluster
        self._name = name
        self._watcher = watcher
        self._runs: dict[str, TaskRun] = {}
        self._asking: set[str] = set()

    async def show_states(self) -> None:
        """Show each state until the Execution has ended."""
        async with aclosing(self._cluster.executions.followed(self._name)) as bodies:
            async for body in bodies:
                status = ExecutionStatus.from_json(body.get("status") or {})
                self._runs |= {run.id: run for run in status.task_runs}
                self._watcher.changed(status)
                self._tell_what_waits(status)
                if status.finished:
                    return

    async def show_logs(self) -> None:
        """Show what the tasks print, until all of it was shown."""
        logs = self._cluster.logs(self._name, lambda entry: True, _warn)
        async for entry in logs.followed():
            self._watcher.logged(self._run_of(entry), "stdout", entry["message"])

    def _run_of(self, entry: Entry) -> TaskRun:
        known = self._runs.get(entry["taskRunId"])
        return known or TaskRun(
            id=entry["taskRunId"],
            task_id=entry["taskId"],
            value=entry.get("value"),
            state=State.RUNNING,
            start_date=entry["timestamp"],
        )

    def _tell_what_waits(self, status: ExecutionStatus) -> None:
        """Tell once of each task that waits for a person; others may answer it."""
        around = {run.parent for run in status.task_runs}
        for run in status.task_runs:
            waits = run.state is State.PAUSED and run.next_attempt is None
            if waits and run.id not in self._asking and run.id not in around:
                self._asking.add(run.id)
                told = (
                    f"the task {run.task_id} waits for somebody: `penstock execution resume "
                    f"{self._name}`, with an --input for each of its inputs"
                )
                self._watcher.reported(Report(WAITS_FOR_SOMEBODY, told))


def _flow(body: Object) -> str:
    """The flow of an Execution as people name it."""
    flow = body["spec"]["flow"]
    if flow.get("id") is None:
        return str(flow.get("name"))
    return f"{flow.get('namespace')}.{flow['id']}"


def _warn(text: str) -> None:
    echo(f"warning: {text}", err=True)
