"""Whoever looks on while executions run on this machine."""

from __future__ import annotations

from typing import Protocol

from penstock.engine.interface.actions import Report
from penstock.resources.execution import ExecutionStatus, TaskRun


class Watcher(Protocol):
    """Looks at one execution."""

    def changed(self, status: ExecutionStatus) -> None:
        """The execution's status is another."""

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        """A task wrote a line."""

    def reported(self, report: Report) -> None:
        """The engine has something to say."""


class Audience(Protocol):
    """Looks at all of them."""

    def opened(self, execution: str, flow: str, maker: str | None) -> Watcher:
        """There is a further execution. `flow` is `namespace.id`, `maker` the execution that made
        it."""
