"""What the expressions of triggers see on this machine."""

from __future__ import annotations

from datetime import datetime

from penstock.expressions import Host
from penstock.flow.document import Flow
from penstock.local.surroundings import Surroundings
from penstock.triggers.evaluation import Context, FlowName, Language
from penstock.types import expressions


def trigger_context(flow: Flow, date: datetime, surroundings: Surroundings) -> Context:
    """Give what the expressions of a flow's triggers see at a date."""
    host = Host(now=lambda: date)
    variables = {
        "flow": {"id": flow.id, "namespace": flow.namespace, "revision": 1},
        "vars": flow.variables,
        "envs": dict(surroundings.environment),
        "globals": dict(surroundings.variables),
    }
    language = Language(expressions(), lambda at: host)
    return Context(language, variables, FlowName(flow.namespace, flow.id))
