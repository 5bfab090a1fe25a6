"""`penstock flow export`: flows of the cluster as plain flow files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.cli.cluster import in_cluster
from penstock.cli.errors import OK, UserError
from penstock.cli.printing import yaml_text
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.flows import flow_name
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import FlowReference
from penstock.resources.flow import flow_resource_name

_FIRST = ("id", "namespace", "description", "labels", "inputs", "variables", "tasks")
"""The order of a flow file; whatever else there is follows as it comes."""


def export_flows(namespace: str, flow: str | None, tenant: str | None, folder: Path | None) -> int:
    """Print the flows, or write a file for each, and return the exit code."""

    async def read(cluster: Cluster) -> list[Object]:
        if flow is not None:
            return [await cluster.flows.find(FlowReference(namespace=namespace, id=flow))]
        return await cluster.flows.list(namespace)

    bodies = in_cluster(tenant, read)
    if not bodies:
        raise UserError(
            f"there is no flow of the namespace `{namespace}`: `penstock flow list` lists all"
        )
    if folder is None:
        echo("---\n".join(_text(body) for body in bodies).rstrip("\n"))
        return OK
    for body in bodies:
        path = folder / f"{flow_resource_name(*flow_name(body))}.yaml"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(_text(body), "utf-8")
        except OSError as error:
            raise UserError(f"{path} can't be written: {error.strerror}") from None
        echo(str(path))
    return OK


def _text(body: Object) -> str:
    """The flow of a Flow as a file of it is written."""
    spec: dict[str, Any] = body["spec"]
    first = {key: spec[key] for key in _FIRST if key in spec}
    return yaml_text({**first, **spec})
