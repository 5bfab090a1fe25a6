"""How the API server writes JSON values down: not always as they were sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_stored(value: Any) -> Any:
    """Give a JSON value the one form that does not depend on who wrote it, so that what was sent
    can be compared with what came back.

    The API server writes `1.0` as `1` and large integers as floating point, may leave out what is
    null, and knows no half of a surrogate pair.
    """
    if isinstance(value, Mapping):
        return {_text(key): as_stored(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [as_stored(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
