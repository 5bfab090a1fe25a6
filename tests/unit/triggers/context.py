"""What a caller hands to the decisions of triggers: expressions, variables and executions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.expressions import Expressions, Host
from penstock.triggers.evaluation import Context, FlowName, Language, Upstream

_LANGUAGE = Language(Expressions(), lambda at: Host(now=lambda: at or datetime.now(UTC)))
LISTENING = FlowName("company.team", "listener")


def context(*, flow: FlowName = LISTENING, **variables: Any) -> Context:
    """A context of the real expression language."""
    seen = {"flow": {"id": flow.id, "namespace": flow.namespace}, "vars": {}, **variables}
    return Context(_LANGUAGE, seen, flow)


def at(text: str) -> datetime:
    """`2025-01-01T09:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def execution(
    id: str,
    flow: str = "a",
    state: str = "SUCCESS",
    date: str = "2025-01-01T09:00",
    **more: Any,
) -> Upstream:
    """An execution of `company.team.<flow>`."""
    more = {"namespace": "company.team", "date": at(date), **more}
    return Upstream(id=id, flow_id=flow, state=state, **more)
