"""`penstock outputs`: what an Execution in the cluster gave back, large outputs included."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click
from kubernetes import aio

from penstock.cli.errors import OK, UserError
from penstock.engine.board import Board
from penstock.kubernetes.api import EXECUTIONS, ApiError, connect
from penstock.kubernetes.outputs import OutputsKeeper
from penstock.resources.execution import ExecutionStatus


def print_outputs(execution: str, namespace: str | None, task: str | None) -> int:
    """Print the outputs as JSON, and return the exit code."""
    try:
        found = asyncio.run(_fetch(execution, namespace))
    except aio.config.ConfigException as error:
        raise UserError(f"no cluster is configured: {error}") from error
    except ApiError as error:
        raise UserError(str(error)) from error
    if task is not None:
        if task not in found:
            known = f"; there are outputs of {', '.join(found)}" if found else ""
            raise UserError(f"the execution has no outputs of a task `{task}`{known}")
        found = found[task]
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    return OK


async def _fetch(execution: str, namespace: str | None) -> dict[str, Any]:
    async with connect() as api:
        where = namespace or _current_namespace()
        body = await api.get(EXECUTIONS, where, execution)
        status = ExecutionStatus.from_json(body.get("status") or {})
        status = await OutputsKeeper(api).fetch(where, status)
    return Board(status.task_runs).visible_outputs()


def _current_namespace() -> str:
    """That of kubectl's current context."""
    try:
        _, active = aio.config.list_kube_config_contexts()
    except aio.config.ConfigException:
        return "default"
    return str(active["context"].get("namespace") or "default")
