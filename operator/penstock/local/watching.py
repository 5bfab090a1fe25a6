"""The watchers of executions on this machine, such as the terminal of `penstock run`."""

from __future__ import annotations

from typing import Protocol

from penstock.engine.interface.actions import Report
from penstock.resources.execution import ExecutionStatus, TaskRun


class Watcher(Protocol):
    """Watches one execution."""

    def changed(self, status: ExecutionStatus) -> None:
        """The execution's status has changed."""

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        """A task wrote a line."""

    def reported(self, report: Report) -> None:
        """The engine reports something."""


class Audience(Protocol):
    """Watches all executions."""

    def opened(self, execution: str, flow: str, maker: str | None) -> Watcher:
        """An execution begins; the watcher of it is given back. `flow` is `namespace.id`, `maker`
        the execution that made it."""
