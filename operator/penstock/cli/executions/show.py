"""`penstock execution list`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from penstock.cli.arguments import pairs
from penstock.cli.cluster import in_cluster
from penstock.cli.errors import OK
from penstock.cli.printing import Column, Format, age, print_list
from penstock.cluster.connection import Cluster
from penstock.cluster.execution_search import (
    ExecutionFilter,
    FoundExecutions,
    flow_of,
    labels_of,
    state_of,
)
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import State


@dataclass(frozen=True)
class Wanted:
    """What `penstock execution list` was given."""

    namespace: str | None = None
    flow: str | None = None
    states: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    limit: int = 0


def list_executions(wanted: Wanted, tenant: str | None, output: Format | None) -> int:
    """Print the newest Executions that are wanted, and return the exit code."""
    chosen = ExecutionFilter(
        wanted.namespace,
        wanted.flow,
        frozenset(map(State, wanted.states)),
        pairs("--label", wanted.labels),
        wanted.limit or None,
    )

    async def read(cluster: Cluster) -> FoundExecutions:
        return await cluster.executions.search(chosen)

    found = in_cluster(tenant, read)
    print_list("Execution", found.bodies, _COLUMNS, output)
    if found.left_out:
        click.echo(f"… and {found.left_out} older ones: --limit 0 shows all", err=True)
    return OK


def _status(body: Object, name: str) -> str:
    value: Any = (body.get("status") or {}).get(name)
    return "" if value is None else str(value)


def _flow(body: Object) -> str:
    return flow_of(body)[1] or str(body["spec"]["flow"].get("name", ""))


def _revision(body: Object) -> str:
    flow = (body.get("status") or {}).get("flow") or {}
    return str(flow.get("revision", ""))


def _labels(body: Object) -> str:
    labels = labels_of(body).items()
    return ",".join(f"{key}={value}" for key, value in labels if not key.startswith("system."))


_COLUMNS = (
    Column("NAME", lambda body: str(body["metadata"]["name"])),
    Column("NAMESPACE", lambda body: flow_of(body)[0] or ""),
    Column("FLOW", _flow),
    Column("STATE", lambda body: str(state_of(body))),
    Column("PROGRESS", lambda body: _status(body, "progress")),
    Column("TRIGGER", lambda body: _status(body, "trigger")),
    Column("DURATION", lambda body: _status(body, "duration")),
    Column("AGE", age),
    Column("REVISION", _revision, is_wide=True),
    Column("LABELS", _labels, is_wide=True),
    Column("MESSAGE", lambda body: _status(body, "message"), is_wide=True),
)
