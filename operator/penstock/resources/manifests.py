"""Flows in the documents of a file: plain, or in a manifest."""

from __future__ import annotations

from typing import Any

from penstock.flow.loading import SourceDocument
from penstock.resources import GROUP


def flow_in(document: SourceDocument) -> SourceDocument | None:
    """The flow in a document, plain or as the spec of a Flow; None for a manifest of another kind,
    and for a test of a flow.

    The lines stay those of the text.
    """
    value = document.value
    if is_flow_test(value):
        return None
    if not isinstance(value, dict) or "apiVersion" not in value or "kind" not in value:
        return document
    if not str(value["apiVersion"]).startswith(f"{GROUP}/") or value["kind"] != "Flow":
        return None
    lines = {place[1:]: line for place, line in document.lines.items() if place[:1] == ("spec",)}
    lines.setdefault((), document.lines.get((), 1))
    spec = value.get("spec")
    return SourceDocument(spec if isinstance(spec, dict) else {}, lines)


def is_flow_test(value: Any) -> bool:
    """Whether a document is a unit test that lies beside a flow: `penstock flow test` reads it."""
    return isinstance(value, dict) and "testCases" in value and "tasks" not in value
