"""The size of a regular expression, told before it is compiled.

The package ``regex`` builds all that a pattern repeats before any time limit counts, so that a
pattern of a few characters can take gigabytes.
"""

from __future__ import annotations

import re

_MAX_PATTERN = 2_000
_MAX_PARTS = 20_000
"""Parts of a pattern, each as often as the repetitions around it say."""
_PART = re.compile(
    r"\\Q.*?(?:\\E|$)|\\[pPxN]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|\{(?P<least>\d*)(?:,(?P<most>\d*))?\}|(?P<call>\(\?(?:R|[+-]?\d+|&\w+|P>\w+)\))|.",
    re.DOTALL,
)


def too_large(pattern: str) -> str | None:
    """Why a pattern is too large to be compiled; None where it is not.

    Counts multiply, as in `((a{999}){999}){999}`; of a group that repeats without a count the
    package keeps two, as in `(((a+)+)+)+`; and a group that calls itself, which Java does not
    know, is endless.
    """
    if len(pattern) > _MAX_PATTERN:
        return f"it is longer than {_MAX_PATTERN} characters"
    open_groups: list[int] = []
    before = last = 0  # the number of parts in this group, and in what a count would repeat
    for part in _PART.finditer(pattern):
        if part["call"]:
            return "a group can't call another"
        if part["least"] is not None:
            last *= max(int(part["least"] or 0), int(part["most"] or 0), 2)
        elif part[0] in "+*":
            last *= 2
        elif part[0] == "(":
            open_groups.append(before + last)
            before = last = 0
        elif part[0] == ")":
            before, last = open_groups.pop() if open_groups else 0, before + last + 1
        else:
            before, last = before + last, 1
        if before + last > _MAX_PARTS:
            return "it is too large: its repetitions multiply"
    return None
