"""An Execution in the cluster with everything that is kept beside it."""

from __future__ import annotations

import asyncio
from typing import Any

from kubernetes import aio

from penstock.cli.errors import UserError
from penstock.kubernetes.api.client import EXECUTIONS, ApiError, Object, connect
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import TaskRunArchive
from penstock.resources.execution import ExecutionStatus


def read_execution(name: str, namespace: str | None) -> tuple[Object, ExecutionStatus]:
    """The resource, and its status with all task runs and outputs."""
    try:
        return asyncio.run(_fetch(name, namespace))
    except aio.config.ConfigException as error:
        raise UserError(f"no cluster is configured: {error}") from error
    except ApiError as error:
        raise UserError(str(error)) from error


async def _fetch(name: str, namespace: str | None) -> tuple[Object, ExecutionStatus]:
    async with connect() as api:
        where = namespace or current_namespace()
        body: dict[str, Any] = await api.get(EXECUTIONS, where, name)
        status = ExecutionStatus.from_json(body.get("status") or {})
        status, _ = await TaskRunArchive(api).fetch(body, status)
        return body, await OutputsKeeper(api).fetch(where, status)


def current_namespace() -> str:
    """That of kubectl's current context."""
    try:
        _, active = aio.config.list_kube_config_contexts()
    except aio.config.ConfigException:
        return "default"
    return str(active["context"].get("namespace") or "default")
