"""Flows in the documents of a file: plain, or in a manifest."""

from __future__ import annotations

import re
from typing import Any

from penstock.flow.loading import SourceDocument
from penstock.resources import GROUP


def flow_in(document: SourceDocument) -> SourceDocument | None:
    """Find the flow in a document, plain or as the spec of a Flow; None for a manifest of another
    kind, and for a test of a flow.

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


def name_in(document: SourceDocument) -> str | None:
    """Tell the name of the resource that a document is a manifest of, where it says one."""
    value = document.value
    meta = value.get("metadata") if isinstance(value, dict) and "apiVersion" in value else None
    name = meta.get("name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else None


def is_meant_as_flow(value: Any) -> bool:
    """Whether a document that may be any YAML is a flow, valid or not, by the keys at its top."""
    if not isinstance(value, dict) or is_flow_test(value):
        return False
    if "apiVersion" in value and "kind" in value:
        return str(value["apiVersion"]).startswith(f"{GROUP}/") and value["kind"] == "Flow"
    named = value.keys() & {"id", "namespace"}
    if "tasks" in value:
        return bool(named)
    return len(named) == 2 and not value.keys() & _OTHER_KINDS


def is_text_of_flow(content: bytes) -> bool:
    """Whether text that is no YAML is meant as a flow, by the keys that begin its lines."""
    if f"apiVersion: {GROUP}/".encode() in content and re.search(rb"(?m)^kind: *Flow\b", content):
        return True
    keys = {key.decode() for key in _TOP_KEY.findall(content)}
    return is_meant_as_flow(dict.fromkeys(keys))


_OTHER_KINDS = frozenset({"type", "kind", "flowId"})
"""What flows do not have at their top, and other documents of Kestra with a namespace do."""
_TOP_KEY = re.compile(rb"(?m)^[\"']?([A-Za-z]+)[\"']?[ \t]*:")


def is_flow_test(value: Any) -> bool:
    """Whether a document is a unit test that lies beside a flow: `penstock flow test` reads it."""
    return isinstance(value, dict) and "testCases" in value and "tasks" not in value
