"""`penstock flow execute`: starts an execution in the cluster, and follows it."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import click

from penstock.cli.arguments import pairs
from penstock.cli.cluster import in_cluster
from penstock.cli.errors import INVALID, OK, UserError
from penstock.cli.executions.follow import exit_code, follow
from penstock.cli.printing import Format, print_data, reference, whole
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.flows import declared_inputs
from penstock.cluster.inputs import check_inputs
from penstock.flow.inputs import Input
from penstock.flow.model import did_you_mean
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.resources.names import generated_execution_name

_MAX_FILE_BYTES = 1024 * 1024
"""The most bytes of a file given for an input: with the others it has to fit into one resource."""


@dataclass(frozen=True)
class Request:
    """What `penstock flow execute` was given."""

    namespace: str
    flow: str
    tenant: str | None = None
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    revision: int | None = None
    follow: bool = False
    logs: bool = False


def execute_flow(request: Request, output: Format | None) -> int:
    """Start the execution, perhaps follow it, print it, and return the exit code."""
    if request.logs and not request.follow:
        raise UserError("--logs: it is for `--follow`", INVALID)
    given = pairs("--input", request.inputs)
    labels = pairs("--label", request.labels)

    async def run(cluster: Cluster) -> int:
        found = await cluster.flows.find(
            FlowReference(namespace=request.namespace, id=request.flow)
        )
        name, spec = _prepared(found, request, given, labels)
        body = await cluster.executions.create(name, spec)
        if not request.follow:
            _print(body, output)
            return OK
        whole_execution = await follow(
            cluster, name, with_logs=request.logs, on_stderr=output is not None
        )
        if output is not None:
            status = whole_execution.status.model_copy(update={"archive": []})
            _print({**whole_execution.body, "status": status.to_json()}, output)
        return exit_code(whole_execution.status)

    return in_cluster(request.tenant, run)


def _prepared(
    flow: Object, request: Request, given: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[str, ExecutionSpec]:
    """The name and the spec of the execution. Raises what tells that it can't begin."""
    flow_spec = flow["spec"]
    if flow_spec.get("disabled") is True:
        raise UserError(
            f"the flow {request.namespace}.{request.flow} is disabled: set its `disabled` to false"
        )
    inputs = _inputs(declared_inputs(flow_spec), given)
    name = generated_execution_name(request.flow, SystemRandom())
    newest = (flow.get("status") or {}).get("revision")
    if request.revision in (None, newest):
        check_inputs(flow_spec, inputs, name)
    reference = FlowReference(
        namespace=request.namespace, id=request.flow, revision=request.revision
    )
    return name, ExecutionSpec(flow=reference, inputs=inputs, labels=dict(labels))


def _inputs(declared: Iterable[Input], given: Mapping[str, str]) -> dict[str, Any]:
    """The inputs as the Execution gets them, files as their content."""
    known = {item.id: item for item in declared}
    inputs: dict[str, Any] = {}
    for name, value in given.items():
        item = known.get(name)
        if item is None and known:
            hint = did_you_mean(name, known)
            click.echo(f"warning: the flow has no input `{name}`{hint}", err=True)
        is_path = item is not None and item.type == "FILE" and value and not _is_uri(value)
        inputs[name] = _content(name, Path(value)) if is_path else value
    return inputs


def _is_uri(value: str) -> bool:
    return "://" in value or value.startswith("data:")


def _content(name: str, path: Path) -> str:
    """A file as a `data:` URI."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        message = f"--input {name}: {path} can't be read: {error.strerror}"
        raise UserError(message, INVALID) from None
    if len(content) > _MAX_FILE_BYTES:
        raise UserError(
            f"--input {name}: {path} is larger than 1 MiB: keep it where a task can fetch it, or "
            "among the namespace files, and give its URI",
            INVALID,
        )
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _print(body: Object, output: Format | None) -> None:
    if output is None:
        echo(f"{reference('Execution', body)} created")
    elif output == "name":
        echo(reference("Execution", body))
    else:
        print_data(whole("Execution", body), output)
