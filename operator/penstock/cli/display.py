"""What a person sees of a local execution: live in a terminal, as lines anywhere else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

from penstock.engine.interface.actions import Report
from penstock.local.watching import Audience
from penstock.resources.execution import ExecutionStatus, State, TaskRun

_ENDED_WELL = frozenset({State.SUCCESS, State.SKIPPED})
_TOLD = frozenset({State.QUEUED, State.PAUSED, State.BREAKPOINT, State.RESTARTED})
"""States of an execution that are news of their own."""
WAITS_FOR_SOMEBODY = "Paused"
"""A task of an execution in the cluster asks a person."""
TOLD_REPORTS = frozenset(
    {"ControlRefused", "CheckFailed", "SlaViolated", "TriggerFailed", WAITS_FOR_SOMEBODY}
)
"""What is said that stands in no status."""
RETRY_REPORTS = frozenset({"TaskRetrying", "TaskLost"})
"""Why another attempt of a task follows, and when."""


class Display(Audience, Protocol):
    """Shows executions while they run, and what came of the first one."""

    def ended(self, status: ExecutionStatus) -> None:
        """The first execution has ended, or waits for somebody."""


class Names:
    """Short names for executions: the flow's id, numbered."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def name(self, flow: str) -> str:
        """`child`, then `child#2`, … for a flow `company.team.child`."""
        flow_id = flow.rpartition(".")[2]
        self._counts[flow_id] += 1
        number = self._counts[flow_id]
        return flow_id if number == 1 else f"{flow_id}#{number}"


class PlainDisplay:
    """One line for each thing that happens: for pipes, files and CI."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._names = Names()
        self._watchers: dict[str, PlainWatcher] = {}

    def opened(self, execution: str, flow: str, maker: str | None) -> PlainWatcher:
        name = self._names.name(flow)
        heading = f"execution {execution} of {flow}"
        if maker is None:
            watcher = PlainWatcher(self.say, heading, self.release)
        else:
            heading = f"{heading}, made by {maker}"
            watcher = PlainWatcher(
                lambda line: self.say(f"{name} > {line}"), heading, self.release, is_made=True
            )
        self._watchers[execution] = watcher
        return watcher

    def ended(self, status: ExecutionStatus) -> None:
        for watcher in self._watchers.values():
            watcher.release()
        for line in summary(status):
            self.say(line)

    def release(self, execution: str | None) -> None:
        """Let an execution's lines be seen, now that the task is told that made it."""
        if execution in self._watchers:
            self._watchers[execution].release()

    def say(self, line: str) -> None:
        text = f"{line}\n"
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        self._stream.flush()


class PlainWatcher:
    """The lines of one execution.

    An execution that another one made begins before the task that made it is seen to run. So its
    first lines are held back until that task is told, or until there are more of them.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        heading: str,
        release: Callable[[str | None], None],
        *,
        is_made: bool = False,
    ) -> None:
        self._write = say
        self._heading: str | None = heading
        self._release = release
        self._is_made = is_made
        self._held: list[str] | None = [] if is_made else None
        self._states: dict[str, State] = {}
        self._state: State | None = None

    def changed(self, status: ExecutionStatus) -> None:
        if self._state is not None:
            self.release()
        if self._heading is not None and not never_began(status):
            self._say(self._heading)
            self._heading = None
        news = [
            run
            for run in status.task_runs
            if run.state is not State.CREATED and run.state is not self._states.get(run.id)
        ]
        self._states |= {run.id: run.state for run in news}
        for run in _ends_first(news):
            self._tell(run)
        if status.state is not self._state:
            self._state = status.state
            self._tell_state(status)

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        self.release()
        self._say(f"{label(run)} | {line}")

    def reported(self, report: Report) -> None:
        """What is in a state or a message already is not said twice."""
        if report.reason in RETRY_REPORTS:
            self._say(f"{State.RETRYING:<8} {report.message}")
        elif report.reason in TOLD_REPORTS:
            self._say(f"{report.reason}: {report.message}")

    def release(self) -> None:
        """Hold nothing back any more."""
        lines, self._held = self._held, None
        for line in lines or ():
            self._write(line)

    def _tell(self, run: TaskRun) -> None:
        if run.state is State.RETRYING:  # why it is tried again is reported
            return
        made = run.attempts[-1].execution if run.attempts else None
        if run.state.terminated:
            self._release(made)
        self._say(f"{run.state:<8} {label(run)}{_after(run)}")
        self._release(made)

    def _tell_state(self, status: ExecutionStatus) -> None:
        if self._is_made and status.state.terminated:
            for line in summary(status):
                self._say(line)
        elif status.state in _TOLD:
            self._say(str(status.state))

    def _say(self, line: str) -> None:
        if self._held is not None:
            self._held.append(line)
        else:
            self._write(line)


def never_began(status: ExecutionStatus) -> bool:
    """Whether an execution ended, mostly because it was refused, and nothing of it ever ran."""
    ran = any(step.state is State.RUNNING for step in status.history)
    return status.state.terminated and not ran and not status.task_runs


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


def metrics(run: TaskRun) -> Iterator[str]:
    """What a task run published, each as `name=value`, with its tags and the unit of a timer."""
    for metric in run.metrics or ():
        tags = ",".join(f"{key}={value}" for key, value in metric.tags.items())
        unit = "s" if metric.type == "timer" else ""
        yield f"{metric.name}{f'{{{tags}}}' if tags else ''}={metric.value:.15g}{unit}"


def summary(status: ExecutionStatus) -> list[str]:
    """The end of an execution in a few lines, outputs last."""
    first = str(status.state)
    if never_began(status):
        first += " before it began"
    elif status.duration:
        first += f" after {status.duration}"
    lines = [first]
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
    """Sort task runs as one would tell of them: what ended, inside first; then the rest."""
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
    words.append(shorten(" ".join(metrics(run)), 80))
    text = ", ".join(word for word in words if word)
    told = f": {run.message}" if run.message and run.state not in _ENDED_WELL else ""
    return (f" ({text})" if text else "") + told
