"""What a person sees of a local execution: live in a terminal, as lines anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

from penstock.engine.actions import Report
from penstock.local.execution import Watcher
from penstock.resources.execution import ExecutionStatus, State, TaskRun

_ENDED_WELL = frozenset({State.SUCCESS, State.SKIPPED})


class Display(Watcher, Protocol):
    """Shows an execution while it runs, and what came of it."""

    def ended(self, status: ExecutionStatus) -> None:
        """The execution has ended, or is paused."""


@contextmanager
def open_display(stream: TextIO, execution: str, flow: str) -> Iterator[Display]:
    """The display that suits a stream."""
    if not stream.isatty():
        yield PlainDisplay(stream, execution, flow)
        return
    from penstock.cli.live import LiveDisplay

    with LiveDisplay(stream, execution, flow) as display:
        yield display


class PlainDisplay:
    """One line for each thing that happens: for pipes, files and CI."""

    def __init__(self, stream: TextIO, execution: str, flow: str) -> None:
        self._stream = stream
        self._states: dict[str, State] = {}
        self._say(f"execution {execution} of {flow}")

    def changed(self, status: ExecutionStatus) -> None:
        news = [
            run
            for run in status.task_runs
            if run.state is not State.CREATED and run.state is not self._states.get(run.id)
        ]
        self._states |= {run.id: run.state for run in news}
        for run in _ends_first(news):
            self._say(f"{run.state:<8} {label(run)}{_after(run)}")

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        self._say(f"{label(run)} | {line}")

    def reported(self, report: Report) -> None:
        """Every report of a local execution is in a state or a message already."""

    def ended(self, status: ExecutionStatus) -> None:
        for line in summary(status):
            self._say(line)

    def _say(self, line: str) -> None:
        text = f"{line}\n"
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        self._stream.flush()


def label(run: TaskRun) -> str:
    """A task run's name: its task, and its value where it stands in a loop."""
    return run.task_id if run.value is None else f"{run.task_id} [{shorten(run.value, 40)}]"


def shorten(text: str, length: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def seconds(start: datetime, end: datetime | None) -> str:
    """How long something took, or takes so far."""
    taken = max(((end or datetime.now(UTC)) - start).total_seconds(), 0)
    if taken < 60:
        return f"{taken:.1f}s"
    minutes, rest = divmod(int(taken), 60)
    return f"{minutes}m{rest:02d}s"


def tries(run: TaskRun) -> str:
    """Says so where a task run was tried more than once."""
    return f"{len(run.attempts)} attempts" if len(run.attempts) > 1 else ""


def summary(status: ExecutionStatus) -> list[str]:
    """The end of an execution in a few lines, outputs last."""
    lines = [f"{status.state} after {status.duration}" if status.duration else str(status.state)]
    if status.message:
        lines[0] += f": {status.message}"
    return [*lines, *(f"  {name} = {as_text(value)}" for name, value in outputs(status))]


def outputs(status: ExecutionStatus) -> list[tuple[str, Any]]:
    """The flow's outputs by name."""
    return list((status.outputs or {}).items())


def as_text(value: Any) -> str:
    """Text as it is; anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _ends_first(news: list[TaskRun]) -> list[TaskRun]:
    """In the order in which one would tell it: what ended, inside before outside; then the rest."""
    ended = {run.id: run for run in news if run.state.terminated}
    started = [run for run in news if not run.state.terminated]

    def depth(run: TaskRun) -> int:
        parent = ended.get(run.parent or "")
        return 0 if parent is None else 1 + depth(parent)

    return [*sorted(ended.values(), key=depth, reverse=True), *started]


def _after(run: TaskRun) -> str:
    if not run.state.terminated:
        return ""
    words = [seconds(run.start_date, run.end_date) if run.attempts else "", tries(run)]
    text = ", ".join(word for word in words if word)
    told = f": {run.message}" if run.message and run.state not in _ENDED_WELL else ""
    return (f" ({text})" if text else "") + told
