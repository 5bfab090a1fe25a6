"""`penstock flow list` and `penstock flow get`."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.cli.cluster import in_cluster
from penstock.cli.errors import OK
from penstock.cli.printing import (
    Column,
    Format,
    age,
    print_data,
    print_list,
    reference,
    short_duration,
    table,
    whole,
)
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.flows import declared_inputs, flow_name
from penstock.flow.inputs import Input
from penstock.kubernetes.api.client import Object
from penstock.resources.conditions import Condition
from penstock.resources.execution import FlowReference
from penstock.resources.flow import PATH_ANNOTATION, SOURCE_LABEL, FlowStatus


def list_flows(namespace: str | None, tenant: str | None, output: Format | None) -> int:
    """Print the flows, and return the exit code."""

    async def read(cluster: Cluster) -> list[Object]:
        return await cluster.flows.list(namespace)

    print_list("Flow", in_cluster(tenant, read), _COLUMNS, output)
    return OK


def show_flow(namespace: str, flow: str, tenant: str | None, output: Format | None) -> int:
    """Print one flow, and return the exit code."""

    async def read(cluster: Cluster) -> Object:
        return await cluster.flows.find(FlowReference(namespace=namespace, id=flow))

    body = in_cluster(tenant, read)
    if output in ("json", "yaml"):
        print_data(whole("Flow", body), output)
    elif output == "name":
        echo(reference("Flow", body))
    else:
        print_list("Flow", [body], _COLUMNS, output)
        for title, lines in _sections(body).items():
            if lines:
                echo("\n".join(["", title, *lines]))
    return OK


def readiness(status: FlowStatus) -> Condition | None:
    """The condition that tells whether the flow is accepted."""
    return next((item for item in status.conditions if item.type == "Ready"), None)


def _status(body: Object) -> FlowStatus:
    return FlowStatus.model_validate(body.get("status") or {})


def _ready(body: Object) -> str:
    found = readiness(_status(body))
    return "Unknown" if found is None else found.status


def _reason(body: Object) -> str:
    found = readiness(_status(body))
    return "" if found is None else found.reason


def _message(body: Object) -> str:
    found = readiness(_status(body))
    return "" if found is None else found.message


def _next(body: Object) -> str:
    date = _status(body).next_date
    return "" if date is None else f"in {short_duration(date - datetime.now(UTC))}"


def _last(body: Object) -> str:
    last = _status(body).last_execution
    return "" if last is None else str(last.state)


def _annotation(body: Object, name: str) -> str:
    return str((body["metadata"].get("annotations") or {}).get(name, ""))


def _source(body: Object) -> str:
    return str((body["metadata"].get("labels") or {}).get(SOURCE_LABEL, ""))


_COLUMNS = (
    Column("NAMESPACE", lambda body: flow_name(body)[0]),
    Column("FLOW", lambda body: flow_name(body)[1]),
    Column("REVISION", lambda body: str(_status(body).revision or "")),
    Column("READY", _ready),
    Column("REASON", _reason),
    Column("NEXT", _next),
    Column("LAST", _last),
    Column("AGE", age),
    Column("NAME", lambda body: str(body["metadata"]["name"]), is_wide=True),
    Column("SOURCE", _source, is_wide=True),
    Column("PATH", lambda body: _annotation(body, PATH_ANNOTATION), is_wide=True),
    Column("MESSAGE", _message, is_wide=True),
)


def _sections(body: Object) -> dict[str, list[str]]:
    """What there is to tell of one flow beside its row."""
    status, spec = _status(body), body["spec"]
    about = [text for text in (spec.get("description"),) if isinstance(text, str)]
    refused = [] if _ready(body) != "False" else [_message(body)]
    return {
        "DESCRIPTION": about,
        "NOT ACCEPTED": refused,
        "INPUTS": list(table([_INPUT_TITLES, *map(_input, inputs)]))
        if (inputs := declared_inputs(spec))
        else [],
        "TRIGGERS": list(table([_TRIGGER_TITLES, *triggers]))
        if (triggers := _triggers(status))
        else [],
        "WARNINGS": list(status.warnings),
    }


_INPUT_TITLES = ["ID", "TYPE", "REQUIRED", "DEFAULT", "DESCRIPTION"]
_TRIGGER_TITLES = ["ID", "TYPE", "MESSAGE"]


def _input(item: Input) -> list[str]:
    default = "" if item.defaults is None else str(item.defaults)
    required = "yes" if item.required and item.defaults is None else "no"
    return [item.id, item.type, required, default, item.description or ""]


def _triggers(status: FlowStatus) -> list[list[str]]:
    return [[item.id, item.type.rpartition(".")[2], item.message or ""] for item in status.triggers]
