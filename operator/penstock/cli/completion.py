"""What makes a shell, or kubectl, complete the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from penstock.cli.errors import OK

_NAME = "penstock"
_VARIABLE = "_PENSTOCK_COMPLETE"
_NO_FILES, _FILES = 4, 0
"""What kubectl does where nothing is offered: nothing, or it offers files."""


def print_script(commands: click.Command, shell: str) -> int:
    """Print the script for a shell, and return the exit code."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(commands, {}, _NAME, _VARIABLE).source())
    return OK


def offered(commands: click.Command, words: Sequence[str]) -> Iterator[str]:
    """Give the lines that kubectl reads: each word with what it is for, and last what else to
    offer."""
    *before, typed = words or [""]
    found = ShellComplete(commands, {}, _NAME, _VARIABLE).get_completions(before, typed)
    yield from (_line(item) for item in found if item.type == "plain")
    is_path = any(item.type in ("file", "dir") for item in found)
    yield f":{_FILES if is_path else _NO_FILES}"


def _line(item: CompletionItem[str]) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)
