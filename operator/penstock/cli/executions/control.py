"""`penstock execution kill`, `pause`, `resume`, `restart` and `replay`: what people want of an
Execution is written into its spec, and what became of it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from penstock.cli.arguments import pairs
from penstock.cli.cluster import in_cluster
from penstock.cli.errors import FAILED, INVALID, OK, UserError
from penstock.cli.printing import reference
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import (
    Control,
    ControlResult,
    ExecutionStatus,
    ReplayRequest,
    RestartRequest,
    ResumeRequest,
)

_PATIENCE = 30.0
"""Seconds in which the controller is to have answered a control."""


def kill_executions(executions: Iterable[str], tenant: str | None) -> int:
    """Ask the Executions to end, and return the exit code."""

    async def kill(cluster: Cluster) -> int:
        code = OK
        for name in dict.fromkeys(executions):
            body = await cluster.executions.get(name)
            status = ExecutionStatus.from_json(body.get("status") or {})
            if status.finished:
                echo(f"error: {reference('Execution', body)} has ended {status.state}", err=True)
                code = FAILED
            else:
                echo(
                    f"{reference('Execution', await cluster.executions.kill(name))} is being killed"
                )
        return code

    return in_cluster(tenant, kill)


def pause_execution(execution: str, tenant: str | None) -> int:
    """Pause the Execution, and return the exit code."""
    return _ask(execution, tenant, "paused", pause=True)


@dataclass(frozen=True)
class TaskRunOptions:
    """What `resume` and `replay` share: which task run is meant, and the inputs."""

    task: str | None = None
    value: str | None = None
    task_run: str | None = None
    inputs: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Give them as a request has them. Raises :class:`UserError`."""
        if self.task_run is not None and (self.task is not None or self.value is not None):
            raise UserError("--task-run: it stands in the place of --task and --value", INVALID)
        if self.value is not None and self.task is None:
            raise UserError("--value: say with --task of which task", INVALID)
        return {
            "task": self.task,
            "value": self.value,
            "task_run": self.task_run,
            "inputs": pairs("--input", self.inputs),
        }


def resume_execution(
    execution: str,
    tenant: str | None,
    options: TaskRunOptions,
    *,
    deny: bool = False,
    by: str | None = None,
    comment: str | None = None,
) -> int:
    """Resume the Execution, and return the exit code."""
    request = ResumeRequest(**options.fields(), approve=not deny, by=by, comment=comment)
    return _ask(execution, tenant, "denied" if deny else "resumed", resume=request)


def restart_execution(execution: str, tenant: str | None, revision: int | None) -> int:
    """Restart the Execution, and return the exit code."""
    return _ask(execution, tenant, "restarted", restart=RestartRequest(revision=revision))


def replay_execution(
    execution: str, tenant: str | None, options: TaskRunOptions, revision: int | None = None
) -> int:
    """Replay the Execution, and return the exit code."""
    request = ReplayRequest(**options.fields(), revision=revision)
    return _ask(execution, tenant, "replayed", replay=request)


def _ask(execution: str, tenant: str | None, done: str, **wish: Any) -> int:
    """Give the Execution a control, tell what became of it, and return the exit code."""
    control = Control(id=f"cli-{uuid4().hex[:12]}", **wish)

    async def ask(cluster: Cluster) -> tuple[Object, ControlResult | None]:
        body = await cluster.executions.get(execution)
        await cluster.executions.add_control(execution, control)
        return body, await cluster.executions.answer(execution, control.id, _PATIENCE)

    body, result = in_cluster(tenant, ask)
    name = reference("Execution", body)
    if result is None:
        raise UserError(
            f"the controller has not answered the control `{control.id}` of {name} within "
            f"{_PATIENCE:.0f} s: is it running? It does so later, unless you delete the control"
        )
    if not result.done:
        raise UserError(f"{name} can't be {done}: {result.message}")
    echo(f"{name} {done}" + (f": {result.message}" if result.message else ""))
    return OK
