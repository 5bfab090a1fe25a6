"""The way from the process's arguments to its exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from penstock.cli.commands import cli
from penstock.cli.errors import FAILED, INTERNAL, INTERRUPTED, INVALID, OK, UserError
from penstock.local.ignoring import FolderProblem


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    # What is made while modules are imported stays: looking through it is a fifth of the start.
    gc.disable()
    # Looking for plugins of pydantic reads what is known of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.exit(_run(arguments))


def complete_for_kubectl() -> None:
    """Offer to kubectl what may follow `kubectl penstock …`: it calls `kubectl_complete-penstock`
    with the words so far, the one that is being typed last."""
    from penstock.cli.completion import offered

    for line in offered(cli, sys.argv[1:]):
        click.echo(line)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(args=arguments, prog_name="penstock", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except FolderProblem as error:  # whichever command was to search the folder
        UserError(str(error)).show()
        return INVALID
    except BrokenPipeError:
        # Whoever read us has gone. Python's own flush at the exit would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if os.environ.get("PENSTOCK_DEBUG"):
            raise
        click.echo(f"penstock failed: {type(error).__name__}: {error}", err=True)
        click.echo("PENSTOCK_DEBUG=1 shows where.", err=True)
        return INTERNAL
    return code if isinstance(code, int) else OK
