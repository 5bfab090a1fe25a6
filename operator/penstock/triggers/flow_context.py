"""What the expressions of a flow's trigger see, whoever asks for a decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from penstock.expressions import Expressions, Host
from penstock.flow.document import Flow
from penstock.triggers.evaluation import Context, FlowName, Language


def flow_context(
    expressions: Expressions,
    flow: Flow,
    trigger: str,
    now: datetime,
    *,
    uid: str,
    revision: int | None,
    kv: Callable[..., Any],
) -> Context:
    """Make the context of a decision on a trigger. What its expressions draw at random is the same
    for the same date; ``uid`` is that of the Flow, and ``kv`` reads a key."""

    def host(at: datetime | None) -> Host:
        random = Random(f"{uid}/{trigger if at is None else at}")
        return Host(now=lambda: at or now, random=random, functions={"kv": kv})

    return Context(
        language=Language(expressions, host),
        variables={
            "flow": {"id": flow.id, "namespace": flow.namespace, "revision": revision},
            "vars": flow.variables,
        },
        flow=FlowName(flow.namespace, flow.id),
    )
