"""`penstock flow create`, `update` and `delete`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.cli.cluster import in_cluster
from penstock.cli.errors import FAILED, INVALID, OK, UserError
from penstock.cli.flow_files import read_flow_files
from penstock.cli.flows.show import readiness
from penstock.cli.printing import reference
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import FlowReference
from penstock.types import flow_parser

_PATIENCE = 10.0
"""Seconds in which the controller is to have judged a flow."""


@dataclass(frozen=True)
class _WantedFlow:
    """A flow of a file."""

    spec: Mapping[str, Any]
    """The flow as it is written."""
    name: str | None
    """The name of the Flow, where the file is a manifest that says it."""


def create_flows(namespace: str, files: Sequence[Path], tenant: str | None) -> int:
    """Create the flows, tell what the controller says, and return the exit code."""
    wanted = _read(namespace, files)

    async def create(cluster: Cluster) -> int:
        made = []
        for flow in wanted:
            body = await cluster.flows.create(flow.spec, flow.name)
            echo(f"{reference('Flow', body)} created")
            made.append(body)
        return await _tell_verdicts(cluster, made)

    return in_cluster(tenant, create)


def update_flows(namespace: str, files: Sequence[Path], tenant: str | None) -> int:
    """Change the flows, tell what the controller says, and return the exit code."""
    wanted = _read(namespace, files)

    async def update(cluster: Cluster) -> int:
        changed = []
        for flow in wanted:
            body, is_new = await cluster.flows.update(flow.spec)
            echo(f"{reference('Flow', body)} {'configured' if is_new else 'unchanged'}")
            changed.append(body)
        return await _tell_verdicts(cluster, changed)

    return in_cluster(tenant, update)


def delete_flow(namespace: str, flow: str, tenant: str | None) -> int:
    """Delete the flow, tell what stays, and return the exit code."""

    async def delete(cluster: Cluster) -> Object:
        body = await cluster.flows.find(FlowReference(namespace=namespace, id=flow))
        await cluster.flows.delete(body)
        return body

    body = in_cluster(tenant, delete)
    echo(f"{reference('Flow', body)} deleted; its Executions stay")
    return OK


def _read(namespace: str, files: Iterable[Path]) -> list[_WantedFlow]:
    """The flows of the files. Ends the command where one is not valid, or of elsewhere."""
    wanted, problems = [], []
    for file in read_flow_files(files, flow_parser()):
        if not file.flows:
            problems.append(f"{file.name} holds no flow")
        for found in file.flows:
            value = found.document.value
            if value["namespace"] == namespace:
                spec = {key: item for key, item in value.items() if key != "extend"}
                wanted.append(_WantedFlow(spec, found.resource_name))
            else:
                line = found.document.line_of(("namespace",)) or 1
                problems.append(
                    f"{file.name}:{line}: namespace: the flow `{value['id']}` is of the namespace "
                    f"`{value['namespace']}`, not `{namespace}`: name that one, or change the file"
                )
    if problems:
        raise UserError("\nerror: ".join(problems), INVALID)
    return wanted


async def _tell_verdicts(cluster: Cluster, bodies: Iterable[Object]) -> int:
    """Tell what the controller says of the flows; the exit code follows from it."""
    code = OK
    for body in bodies:
        name = reference("Flow", body)
        status = await cluster.flows.judged(body, _PATIENCE)
        if status is None:
            echo(
                f"warning: the controller has not looked at {name} within {_PATIENCE:.0f} s: is it "
                "running, and does it serve this namespace?",
                err=True,
            )
            continue
        ready = readiness(status)
        if ready is not None and ready.status == "True":
            echo(f"{name} accepted as revision {status.revision}")
            continue
        code = FAILED
        why = "" if ready is None else f": {ready.reason}: {ready.message}"
        echo(f"error: {name} is not accepted{why}", err=True)
    return code
