"""What a person did wrong, in one clear message, and the exit codes."""

from __future__ import annotations

from typing import IO, Any

import click

from penstock.cli.terminal import echo

OK = 0
FAILED = 1
"""The execution ended otherwise than well, or a file is not valid."""
INVALID = 2
"""An invalid flow or bad input: nothing was run. Also click's code for a wrong command line."""
PAUSED = 3
"""The execution waits for somebody."""
NOT_CARRIED = 3
"""The exit code of `flow validate` where nothing is wrong but types that are not served yet."""
INTERNAL = 70
"""A fault of Penstock (EX_SOFTWARE)."""
INTERRUPTED = 130


class UserError(click.ClickException):
    """Shown as it is, without a traceback."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        text = f"error: {self.message}"
        if file is None:
            echo(text, err=True)
        else:
            click.echo(text, file=file)
