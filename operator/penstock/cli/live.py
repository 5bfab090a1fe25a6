"""The live display: the tree of task runs, redrawn while it changes, under the log lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from penstock.cli.display import (
    RETRY_REPORTS,
    TOLD_REPORTS,
    Names,
    as_text,
    label,
    metrics,
    never_began,
    outputs,
    seconds,
    shorten,
    tries,
)
from penstock.cli.terminal import harmless
from penstock.engine.interface.actions import Report
from penstock.resources.execution import ExecutionStatus, State, TaskRun

_STYLES = {
    State.SUCCESS: ("✓", "green"),
    State.WARNING: ("!", "yellow"),
    State.FAILED: ("✗", "bold red"),
    State.KILLED: ("✗", "magenta"),
    State.CANCELLED: ("✗", "magenta"),
    State.SKIPPED: ("-", "dim"),
    State.RETRYING: ("↻", "yellow"),
    State.RETRIED: ("↻", "yellow"),
    State.QUEUED: ("·", "cyan"),
    State.PAUSED: ("‖", "cyan"),
    State.BREAKPOINT: ("‖", "cyan"),
    State.CREATED: ("·", "dim"),
    State.RUNNING: ("▸", "blue"),
}
_LABEL_COLORS = ("cyan", "magenta", "blue", "green", "yellow")
_ROWS_LEFT_FREE = 6
_GATHERED_SECONDS = 0.05


class LiveDisplay:
    """Shows executions in a terminal: the first as a tree, the others as a line each."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._names = Names()
        self._watchers: list[LiveWatcher] = []
        self._final = False
        self._lines: list[Text] = []
        self._spinner = Spinner("dots", style="blue")
        self._live = Live(get_renderable=self.draw, console=self._console, refresh_per_second=12)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._print_lines()
        self._live.stop()

    def opened(self, execution: str, flow: str, maker: str | None) -> LiveWatcher:
        name = self._names.name(flow)
        if maker is None:
            title = Text.assemble(("▶ ", "bold"), (flow, "bold"), (f"  {execution}", "dim"))
            watcher = LiveWatcher(
                "", execution, self.print_soon, lambda: self._console.print(title)
            )
        else:
            watcher = LiveWatcher(name, execution, self.print_soon)
        self._watchers.append(watcher)
        return watcher

    def print_soon(self, line: Text) -> None:
        """Lines are gathered for a moment: each print draws the whole display anew."""
        self._lines.append(line)
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_GATHERED_SECONDS, self._print_lines)

    def _print_lines(self) -> None:
        if self._lines:
            self._console.print(Text("\n").join(self._lines), soft_wrap=True)
            self._lines.clear()

    def ended(self, status: ExecutionStatus) -> None:
        self._print_lines()
        self._final = True
        self._live.stop()
        _, style = _STYLES.get(status.state, ("", ""))
        line = Text(str(status.state), style=style or "bold")
        if status.duration:
            line.append(f" after {status.duration}", style="default")
        if status.message:
            line.append(f": {harmless(status.message)}", style="default")
        self._console.print(line, soft_wrap=True)
        for name, value in outputs(status):
            shown = harmless(as_text(value))
            self._console.print(
                Text.assemble(("  ", ""), (name, "bold"), " = ", shown), soft_wrap=True
            )

    def draw(self) -> RenderableType:
        """All task runs, or as many as the terminal has room for."""
        if not self._watchers or self._watchers[0].status is None:
            return self._spinner
        first, *others = self._watchers
        status = first.status
        assert status is not None
        rows = list(_in_tree_order(status.task_runs))
        room = max(self._console.height - _ROWS_LEFT_FREE, 3)
        room_for_others = min(len(others), max(room // 3, 1)) if others else 0
        hidden = 0
        if not self._final and len(rows) > room - room_for_others:
            kept = _most_telling(rows, max(room - room_for_others, 1))
            hidden = len(rows) - len(kept)
            rows = kept
        table = Table.grid(padding=(0, 2))
        for depth, run in rows:
            table.add_row(*_row(depth, run))
        shown = others if self._final else _open_first(others)[:room_for_others]
        for other in shown:
            table.add_row(*other.row())
        hidden += len(others) - len(shown)
        parts: list[RenderableType] = [table]
        if hidden:
            parts.append(Text(f"  … and {hidden} more", style="dim"))
        if not self._final:
            words = f"{status.state} {status.progress or ''}"
            self._spinner.update(text=Text(words, style="dim"))
            parts.append(self._spinner)
        return Group(*parts)


class LiveWatcher:
    """What is known of one execution."""

    def __init__(
        self,
        name: str,
        execution: str,
        print_soon: Callable[[Text], None],
        announce: Callable[[], None] | None = None,
    ) -> None:
        self._announce = announce
        self._name = name
        self._execution = execution
        self._print_soon = print_soon
        self.status: ExecutionStatus | None = None

    def changed(self, status: ExecutionStatus) -> None:
        if self._announce is not None and not never_began(status):
            self._announce()
            self._announce = None
        self.status = status

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        line = harmless(line)
        color = _LABEL_COLORS[sum(run.task_id.encode()) % len(_LABEL_COLORS)]
        style = "" if stream == "stdout" else "dim"
        text = Text.from_ansi(line, style=style) if "\x1b" in line else Text(line, style)
        self._print_soon(Text.assemble((f"{self._prefix}{label(run)} │ ", color), text))

    def reported(self, report: Report) -> None:
        if report.reason in RETRY_REPORTS | TOLD_REPORTS:
            self._print_soon(Text(f"{self._prefix}{harmless(report.message)}", style="yellow"))

    def row(self) -> tuple[Text, Text, Text, Text]:
        """The execution in one line."""
        state = State.CREATED if self.status is None else self.status.state
        sign, style = _STYLES.get(state, ("·", ""))
        told = "" if self.status is None else self.status.message or self.status.progress or ""
        duration = "" if self.status is None else self.status.duration or ""
        return (
            Text(f"{sign} {self._name} ({self._execution})", style=style),
            Text(str(state), style=style),
            Text(duration, style="dim", justify="right"),
            Text(harmless(shorten(told, 80)), style="dim"),
        )

    @property
    def _prefix(self) -> str:
        return f"{self._name} > " if self._name else ""


def _open_first(watchers: list[LiveWatcher]) -> list[LiveWatcher]:
    """What is open, then what ended last."""

    def has_ended(watcher: LiveWatcher) -> bool:
        return watcher.status is not None and watcher.status.state.terminated

    newest_first = list(reversed(watchers))
    newest_first.sort(key=has_ended)
    return newest_first


def _row(depth: int, run: TaskRun) -> tuple[Text, Text, Text, Text]:
    sign, style = _STYLES.get(run.state, ("·", ""))
    duration = "" if run.state is State.SKIPPED else seconds(run.start_date, run.end_date)
    told = run.message if run.message and run.state is not State.SUCCESS else ""
    published = shorten(" ".join(metrics(run)), 80)
    notes = " · ".join(note for note in (tries(run), published, shorten(told, 80)) if note)
    return (
        Text(f"{'  ' * depth}{sign} {harmless(label(run))}", style=style),
        Text(str(run.state), style=style),
        Text(duration, style="dim", justify="right"),
        Text(harmless(notes), style="dim"),
    )


def _in_tree_order(runs: Iterable[TaskRun]) -> Iterator[tuple[int, TaskRun]]:
    children: dict[str | None, list[TaskRun]] = {}
    for run in runs:
        children.setdefault(run.parent, []).append(run)

    def below(parent: str | None, depth: int) -> Iterator[tuple[int, TaskRun]]:
        for run in children.get(parent, ()):
            yield depth, run
            yield from below(run.id, depth + 1)

    return below(None, 0)


def _most_telling(rows: list[tuple[int, TaskRun]], room: int) -> list[tuple[int, TaskRun]]:
    """What runs or failed first, then the newest of the rest; in the order of the tree."""

    def rank(index: int) -> tuple[bool, bool, int]:
        run = rows[index][1]
        return run.state.terminated, run.state is not State.FAILED, -index

    return [rows[index] for index in sorted(sorted(range(len(rows)), key=rank)[:room])]
