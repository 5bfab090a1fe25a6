"""The live display, drawn into text."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from penstock.cli.live import LiveDisplay
from penstock.resources.execution import ExecutionStatus, State, TaskRun

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "foreach.yaml"


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "12")
    return Terminal()


def run(number: int, state: State, parent: str | None = None) -> TaskRun:
    return TaskRun(
        id=str(number),
        task_id=f"task{number}",
        parent=parent,
        state=state,
        start_date=NOW,
        message="because" if state is State.FAILED else None,
    )


async def test_children_stand_below_their_parent(terminal: Terminal) -> None:
    runs = [run(1, State.FAILED), run(2, State.SUCCESS), run(3, State.FAILED, "1")]
    status = ExecutionStatus(state=State.FAILED, task_runs=runs, duration="1s", outputs={"a": [1]})
    with LiveDisplay(terminal) as display:
        watcher = display.opened("name", "flow", None)
        watcher.logged(runs[0], "stdout", "\x1b[31mred\x1b[0m and \x1b[2Jnot cleared")
        watcher.changed(status)
        display.ended(status)

    shown = terminal.getvalue()
    assert shown.index("✗ task1") < shown.index("  ✗ task3") < shown.index("✓ task2")
    assert "because" in shown
    assert "\x1b[2J" not in shown


def test_a_long_execution_shows_what_runs_and_what_failed(terminal: Terminal) -> None:
    done = [run(number, State.SUCCESS) for number in range(50)]
    runs = [run(100, State.FAILED), *done, run(200, State.RUNNING)]
    with LiveDisplay(terminal) as display:
        display.opened("name", "flow", None).changed(
            ExecutionStatus(state=State.RUNNING, task_runs=runs)
        )
        paper = Console(width=80)
        with paper.capture() as drawn:
            paper.print(display.draw())

    assert "task100" in drawn.get()
    assert "task200" in drawn.get()
    assert "and 46 more" in drawn.get()


def test_it_runs_in_a_real_terminal() -> None:
    main_end, other_end = os.openpty()
    command = [sys.executable, "-m", "penstock.cli", "run", str(EXAMPLE)]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, stdout=other_end, env=environment) as process:
        os.close(other_end)
        shown = b""
        while True:
            try:
                chunk = os.read(main_end, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(main_end)

    assert process.returncode == 0
    assert "✓ each-city" in shown.decode()
