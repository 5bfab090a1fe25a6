"""`penstock trigger list` and `penstock trigger test`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.cli.cluster import in_cluster
from penstock.cli.errors import OK
from penstock.cli.printing import Format, json_text, print_data, print_table, reference, whole
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.flows import flow_name
from penstock.cluster.trigger_test import Verdict, verdict_on
from penstock.cluster.triggers import FoundTrigger
from penstock.resources.trigger_state import KIND, BackfillStatus
from penstock.triggers.webhook_request import Request

_TITLES = ("NAMESPACE", "FLOW", "TRIGGER", "TYPE", "STATE", "LAST", "NEXT")
_WIDE_TITLES = ("PLAN", "BACKFILL", "MESSAGE")


def list_triggers(
    namespace: str | None, flow: str | None, tenant: str | None, output: Format | None
) -> int:
    """Print the triggers, and return the exit code."""

    async def read(cluster: Cluster) -> list[FoundTrigger]:
        return await cluster.triggers.list(namespace, flow)

    found = in_cluster(tenant, read)
    states = [item.state for item in found if item.state is not None]
    if output in ("json", "yaml"):
        items = [whole(KIND, state) for state in states]
        print_data({"apiVersion": "v1", "kind": "List", "items": items}, output)
    elif output == "name":
        for state in states:
            echo(reference(KIND, state))
    else:
        is_wide = output == "wide"
        titles = (*_TITLES, *(_WIDE_TITLES if is_wide else ()))
        print_table(titles, [_row(item, is_wide=is_wide) for item in found])
    return OK


def show_verdict(
    namespace: str,
    flow: str,
    trigger: str,
    tenant: str | None,
    output: Format | None,
    request: Request | None = None,
) -> int:
    """Print what the trigger would start now, or upon a request, and return the exit code."""

    async def decide(cluster: Cluster) -> Verdict:
        found = await cluster.triggers.find(namespace, flow, trigger)
        executions = await cluster.triggers.started_by(found)
        pairs, now = await cluster.key_values(), datetime.now(UTC)
        return verdict_on(found, executions, pairs, now, request)

    verdict = in_cluster(tenant, decide)
    if output is not None:
        print_data(_as_data(verdict), output)
        return OK
    if verdict.firing is None:
        echo(f"it would start nothing: {verdict.why}")
    else:
        echo(f"it would start an execution: {verdict.why}")
        for name in ("inputs", "labels"):
            given = dict(getattr(verdict.firing, name))
            echo(f"  {name}: {json_text(given)}" if given else f"  {name}: none")
        for problem in verdict.firing.problems:
            echo(f"  problem: {problem}")
    for line in verdict.details:
        echo(f"  {line}")
    if verdict.next_date is not None:
        echo(f"it is looked at again at {_text(verdict.next_date)}")
    return OK


def _as_data(verdict: Verdict) -> dict[str, Any]:
    firing = verdict.firing
    return {
        "starts": firing is not None,
        "why": verdict.why,
        "details": list(verdict.details),
        "nextDate": None if verdict.next_date is None else _text(verdict.next_date),
        "inputs": {} if firing is None else dict(firing.inputs),
        "labels": {} if firing is None else dict(firing.labels),
        "variables": {} if firing is None else dict(firing.variables),
        "problems": [] if firing is None else list(firing.problems),
    }


def _row(item: FoundTrigger, *, is_wide: bool) -> list[str]:
    status = item.status
    kind = str(item.written.get("type", "")).rpartition(".")[2]
    state = "" if status.state is None else str(status.state)
    row = [*flow_name(item.flow), item.id, kind, state]
    row += [_text(status.last_date), _text(status.next_date)]
    wide = [status.plan or "", _backfill(status.backfill), status.message or ""]
    return [*row, *(wide if is_wide else [])]


def _backfill(status: BackfillStatus | None) -> str:
    """How far a backfill is, in a few words."""
    if status is None:
        return ""
    failed = f", {status.failed} failed" if status.failed else ""
    at = f" at {_text(status.current_date)}" if status.current_date is not None else ""
    return f"{status.state}{at}: {status.started} started{failed}"


def _text(date: datetime | None) -> str:
    return "" if date is None else f"{date.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
