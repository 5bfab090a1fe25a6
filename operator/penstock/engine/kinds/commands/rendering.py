"""Renders properties that several command tasks have: dates, lists, patterns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from penstock.engine.interface.flowable import Evaluator, FlowableError
from penstock.flow.values import parse_json
from penstock.resources.execution import State

States = list[str] | str
"""States of executions; an expression that renders to the JSON text of a list."""

_KESTRAS = {"CANCELED": "CANCELLED"}


def text_of(evaluator: Evaluator, value: str | None) -> str | None:
    """Render text; None where there is none."""
    return None if value is None else evaluator.render(value) or None


def date_of(evaluator: Evaluator, name: str, value: str | None) -> datetime | None:
    """Render a point in time. Raises ``FlowableError``."""
    text = text_of(evaluator, value)
    if text is None:
        return None
    try:
        # Such as 2026-01-02T03:04:05+01:00[Europe/Paris], as Java writes it.
        date = datetime.fromisoformat(text.strip().partition("[")[0])
    except ValueError:
        raise FlowableError(
            f"`{name}`: `{text[:100]}` is no date such as 2026-01-02T03:04:05Z"
        ) from None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def needed_date(evaluator: Evaluator, name: str, value: str) -> datetime:
    """Render the date of a property that must have one. Raises ``FlowableError``."""
    date = date_of(evaluator, name, value)
    if date is None:
        raise FlowableError(f"`{name}` rendered to nothing")
    return date


def texts_of(evaluator: Evaluator, name: str, value: Any) -> list[str]:
    """Render a list of texts, or the JSON text of one. Raises ``FlowableError``."""
    given = _listed(evaluator, value)
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise FlowableError(f"`{name}` must be a list of texts")
    return given


def members_of(
    evaluator: Evaluator, name: str, value: Any, known: Collection[str]
) -> frozenset[str]:
    """Render texts of which each must be known. Raises ``FlowableError``."""
    given = frozenset(texts_of(evaluator, name, value))
    for item in sorted(given):
        if item not in known:
            raise FlowableError(f"`{name}`: `{item}` is none of {', '.join(known)}")
    return given


def states_of(evaluator: Evaluator, value: Any) -> frozenset[State]:
    """Render states of executions. Raises ``FlowableError``."""
    given = [_KESTRAS.get(item, item) for item in texts_of(evaluator, "states", value)]
    return frozenset(map(State, members_of(evaluator, "states", given, list(State))))


def flow_of(
    evaluator: Evaluator, namespace: str | None, flow_id: str | None
) -> tuple[str | None, str | None]:
    """Render a namespace and a flow in it. Raises ``FlowableError``."""
    found = text_of(evaluator, namespace), text_of(evaluator, flow_id)
    if found[0] is None and found[1] is not None:
        raise FlowableError("`flowId` needs `namespace` besides")
    return found


def _listed(evaluator: Evaluator, value: Any) -> Any:
    if value is None:
        return []
    if not isinstance(value, str):
        return evaluator.render_tree(value)
    text = (evaluator.render(value) or "").strip()
    if not text:
        return []
    try:
        return parse_json(text) if text.startswith("[") else [text]
    except ValueError:
        return None
