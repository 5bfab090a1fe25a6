"""Cuts the values of KeyValues that are larger than a key may hold, before anybody keeps them.

All KeyValues are in the controller's memory, and text that has been read takes several times as
much. The API server takes values of a megabyte and a half, so whoever may create KeyValues could
fill it. What is cut says so, by a member beside the object's `metadata` that no object of the API
server has: it drops what it does not know.
"""

from __future__ import annotations

import json
from typing import Any

from penstock.tasks.contract.kv_effects import MAX_VALUE_BYTES

CUT = "cutValueBytes"
"""The member that gives the size, in bytes, of a value that was cut."""


def is_large(text: bytes) -> bool:
    """Whether a value in a text may be too large."""
    return len(text) > MAX_VALUE_BYTES


def cut_values(answer: Any) -> bool:
    """Cut what is too large in an object, in an event of a watch about one, or in a list of them.
    Tell whether anything was cut."""
    if not isinstance(answer, dict):
        return False
    items = answer.get("items")
    bodies = items if isinstance(items, list) else [answer.get("object", answer)]
    return sum(map(_cut, bodies)) > 0


def cut_size(body: Any) -> int | None:
    """The size of the value that was cut from a KeyValue; None where none was."""
    size = body.get(CUT)
    return size if isinstance(size, int) else None


def _cut(body: Any) -> bool:
    if not isinstance(body, dict) or body.get("kind") != "KeyValue":
        return False
    spec = body.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("value"), str | dict | list):
        return False
    text = json.dumps(spec["value"], ensure_ascii=False)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= MAX_VALUE_BYTES:
        return False
    spec["value"] = None
    body[CUT] = size
    return True
