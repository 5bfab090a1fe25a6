"""`penstock logs`: what the tasks of an Execution printed, from their pods or from the archive."""

from __future__ import annotations

import asyncio
import json

import click
from kubernetes import aio

from penstock.cli.display import shorten
from penstock.cli.errors import OK, UserError
from penstock.cli.execution_logs import Entry, ExecutionLogs
from penstock.cli.reading import current_namespace
from penstock.kubernetes.api.client import ApiError, connect

_ROUND = 1.0
"""Seconds between two looks while an execution is followed."""
_LAST_ROUNDS = 15
"""Looks after the end of an execution, until all of its logs are there."""


def print_logs(
    execution: str,
    namespace: str | None,
    task: str | None,
    attempt: int | None,
    *,
    follow: bool,
    as_json: bool,
) -> int:
    """Print the log, and return the exit code."""

    def is_wanted(entry: Entry) -> bool:
        return task in (None, entry["taskId"]) and attempt in (None, entry["attempt"])

    async def show() -> None:
        async with connect() as api:
            where = namespace or current_namespace()
            logs = ExecutionLogs(api, where, execution, is_wanted, _warn)
            left = _LAST_ROUNDS
            while left:
                async for entry in logs.news():
                    click.echo(json.dumps(entry, ensure_ascii=False) if as_json else _line(entry))
                if not follow or (logs.status.finished and logs.is_complete):
                    return
                left -= logs.status.finished
                await asyncio.sleep(_ROUND)

    try:
        asyncio.run(show())
    except aio.config.ConfigException as error:
        raise UserError(f"no cluster is configured: {error}") from error
    except ApiError as error:
        raise UserError(str(error)) from error
    return OK


def _line(entry: Entry) -> str:
    """When, in which level, who, what."""
    at = f"{entry['timestamp'][:23]}Z"
    who = entry["taskId"]
    if "value" in entry:
        who += f" [{shorten(entry['value'], 40)}]"
    if entry["attempt"] > 1:
        who += f" #{entry['attempt']}"
    return f"{at} {entry['level']:<5} {who} | {entry['message']}"


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)
