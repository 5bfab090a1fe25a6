"""Leave that a Flow gives: which other Kubernetes namespaces may have flows that its executions
start. A namespace is a tenant, so without leave nothing of a Flow is told to any other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRIGGERS_FROM = "penstock.dev/flow-triggers-from"
"""The annotation of a Flow that names the Kubernetes namespaces whose Flow triggers may listen to
its executions, with commas between; `*` for all."""
OUTPUTS_TO = "penstock.dev/outputs-to"
"""The annotation that names those of them which see outputs of its executions, too."""
_ALL = "*"


def may_listen(flow: Mapping[str, Any], namespace: str) -> bool:
    """Tell whether Flow triggers of another Kubernetes namespace may listen to a Flow's
    executions."""
    return _is_named(flow, TRIGGERS_FROM, namespace)


def may_see_outputs(flow: Mapping[str, Any], namespace: str) -> bool:
    """Tell whether Flow triggers of another Kubernetes namespace see the outputs of a Flow's
    executions."""
    return may_listen(flow, namespace) and _is_named(flow, OUTPUTS_TO, namespace)


def leave_of(flow: Mapping[str, Any] | None) -> tuple[str, str]:
    """Give all that a Flow says of leave, for telling whether that has changed."""
    given = ((flow or {}).get("metadata") or {}).get("annotations") or {}
    return given.get(TRIGGERS_FROM) or "", given.get(OUTPUTS_TO) or ""


def _is_named(flow: Mapping[str, Any], annotation: str, namespace: str) -> bool:
    text = (flow["metadata"].get("annotations") or {}).get(annotation) or ""
    named = {item.strip() for item in text.split(",")}
    return namespace in named or _ALL in named
