"""The nearest type to a name that there is not.

Types share long beginnings, so only what stands behind the last dot is compared.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_type(name: str, known: Iterable[str]) -> str:
    """``; did you mean `x`?`` for the nearest known type, or nothing."""
    by_last = {_last(full): full for full in known}
    near = difflib.get_close_matches(_last(name), by_last, n=1, cutoff=0.75)
    return f"; did you mean `{by_last[near[0]]}`?" if near else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()
