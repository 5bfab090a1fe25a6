"""The output of the demo: headings, commands with their output, tables that move.

On a terminal a table is redrawn in place; elsewhere each changed row becomes a line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import zip_longest

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

Rows = dict[str, tuple[str, ...]]
"""Rows by a key that stays the same while their cells change."""

_COLOURS = {
    "SUCCESS": "green", "True": "green", "RUNNING": "cyan", "CREATED": "dim", "WARNING": "yellow",
    "FAILED": "red", "False": "red", "RETRYING": "yellow",
}  # fmt: skip
_TICK, _CROSS = "✓", "✗"


class Screen:
    """The terminal, and what was promised on it."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self.missing: list[str] = []

    def title(self, text: str) -> None:
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def say(self, text: str = "") -> None:
        self._console.print(escape(text))

    def command(self, text: str, output: str = "") -> None:
        """Show a command that was really run, and its output."""
        self._console.print(f"[bold cyan]$ {escape(text)}[/bold cyan]")
        if output.strip():
            self._console.print(escape(output.rstrip()))

    def expect(self, held: bool, what: str) -> bool:
        """Tell whether something was observed. The demo fails if anything was not."""
        mark = f"[green]{_TICK}[/green]" if held else f"[bold red]{_CROSS}[/bold red]"
        self._console.print(f"{mark} {escape(what)}")
        if not held:
            self.missing.append(what)
        return held

    def table(self, columns: Sequence[str], rows: Rows) -> None:
        self._console.print(_table(columns, rows))

    def watch(
        self,
        columns: Sequence[str],
        look: Callable[[], Rows],
        done: Callable[[], bool],
        seconds: float,
    ) -> bool:
        """Show rows until the watched thing is done. False where the time ran out before."""
        deadline = time.monotonic() + seconds
        if not self._console.is_terminal:
            return self._print_changes(look, done, deadline)
        with Live(console=self._console, auto_refresh=False, vertical_overflow="visible") as live:
            while True:
                ended = done()
                live.update(_table(columns, look()), refresh=True)
                if ended or time.monotonic() > deadline:
                    return ended
                time.sleep(0.2)

    def _print_changes(
        self, look: Callable[[], Rows], done: Callable[[], bool], deadline: float
    ) -> bool:
        shown: Rows = {}
        widths: list[int] = []
        while True:
            ended = done()
            for key, cells in look().items():
                if shown.get(key) != cells:
                    shown[key] = cells
                    widths = [
                        max(*pair, 8) for pair in zip_longest(widths, map(len, cells), fillvalue=0)
                    ]
                    line = "  ".join(
                        cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
                    )
                    self.say(f"  {line.rstrip()}")
            if ended or time.monotonic() > deadline:
                return ended
            time.sleep(0.2)


def _table(columns: Sequence[str], rows: Rows) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        width = max(len(column), *(len(cells[index]) for cells in rows.values()), 0)
        last = index == len(columns) - 1
        table.add_column(column.upper(), no_wrap=True, min_width=None if last else width)
    for cells in rows.values():
        table.add_row(*(_coloured(cell) for cell in cells))
    return table


def _coloured(cell: str) -> str:
    colour = _COLOURS.get(cell)
    return f"[{colour}]{escape(cell)}[/{colour}]" if colour else escape(cell)
