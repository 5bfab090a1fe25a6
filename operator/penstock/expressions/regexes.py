"""Java regular expressions on the ``regex`` package, which can stop after a time.

``re`` cannot be interrupted, so one bad pattern would hold the whole process.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.limits import Budget
from penstock.flow.patterns import too_large

if TYPE_CHECKING:
    import regex

_PLAIN = re.compile(r"[\w ,;:/@#%&=!<>~'\"-]+")
_GROUP = re.compile(r"\\(.)|\$(?:(\d)|\{(\w+)\})|(\$)", re.DOTALL)
_MANY_GROUPS = 100


def _compile(pattern: str) -> regex.Pattern[str]:
    import regex

    problem = too_large(pattern)
    if problem is not None:
        raise LimitError(f"bad regular expression `{pattern[:100]}`: {problem}")
    # Java's possessive quantifiers, \p{…} and atomic groups are known to this package too.
    java = pattern.replace("\\Z", "(?=\\n?\\Z)").replace("\\z", "\\Z")
    java = java.replace("\\p{Alpha}", "[A-Za-z]").replace("(?<", "(?P<").replace("(?P<=", "(?<=")
    java = java.replace("(?P<!", "(?<!")
    try:
        return regex.compile(java, regex.VERSION0 | regex.ASCII)
    except regex.error as error:
        raise ExpressionError(f"bad regular expression `{pattern}`: {error}") from None


def _run(budget: Budget, call: Any, *args: Any, **named: Any) -> Any:
    budget.check_time()
    try:
        return call(*args, timeout=budget.remaining(), **named)
    except TimeoutError:
        raise LimitError("the regular expression takes too long") from None


def search(budget: Budget, text: str, pattern: str) -> regex.Match[str] | None:
    """The first match of a pattern in a text; None where there is none."""
    found: regex.Match[str] | None = _run(budget, _compile(pattern).search, text)
    return found


def matches(budget: Budget, text: str, pattern: str) -> bool:
    """Whether the whole text matches a pattern, as Java's ``String.matches`` tells."""
    return _run(budget, _compile(pattern).fullmatch, text) is not None


def split(budget: Budget, text: str, pattern: str, limit: int) -> list[str]:
    """The parts of a text between the matches of a pattern, as Java's ``String.split`` gives
    them."""
    if text == "":
        return [""]
    if _PLAIN.fullmatch(pattern):
        parts = text.split(pattern, limit - 1 if limit > 0 else -1)
    else:
        parts = _split(budget, text, pattern, limit)
    if limit == 0:
        while parts and parts[-1] == "":
            parts.pop()
    return parts


def _split(budget: Budget, text: str, pattern: str, limit: int) -> list[str]:
    """The parts of a text; as in Java, an empty match at the very start splits nothing off."""
    parts: list[str] = []
    position = 0
    for match in _matches(budget, text, pattern):
        if 0 < limit <= len(parts) + 1:
            break
        if match.end() == 0 or (match.start() == match.end() == len(text)):
            continue
        parts.append(text[position : match.start()])
        position = match.end()
    parts.append(text[position:])
    return parts


def _matches(budget: Budget, text: str, pattern: str) -> Any:
    found = _run(budget, _compile(pattern).finditer, text)
    try:
        for count, match in enumerate(found):
            if count % 1000 == 0:
                budget.items(1000)
                budget.check_time()
            yield match
    except TimeoutError:
        raise LimitError("the regular expression takes too long") from None


def replace(budget: Budget, text: str, pattern: str, replacement: str, most: int = 0) -> str:
    """Replace matches as Java's ``replaceAll`` does: ``$1`` and ``${name}`` are groups, a backslash
    quotes. ``most`` is how many matches are replaced, or 0 for all."""
    template = _replacement(replacement)
    parts: list[str] = []
    position = size = 0
    for match in islice(_matches(budget, text, pattern), most or None):
        budget.items(len(template))
        if len(template) > _MANY_GROUPS:
            budget.check_time()
        parts.append(text[position : match.start()])
        for literal, group in template:
            parts.append(literal if group is None else _group(match, group))
        position = match.end()
        size += match.end() - match.start() + sum(len(p) for p in parts[-len(template) :])
        if size > budget.limits.output_chars:
            budget.text(size)
    parts.append(text[position:])
    budget.text(sum(map(len, parts)))
    return "".join(parts)


def _group(match: regex.Match[str], group: int | str) -> str:
    try:
        return match.group(group) or ""
    except IndexError:
        raise ExpressionError(f"the regular expression has no group `{group}`") from None


def _replacement(text: str) -> list[tuple[str, int | str | None]]:
    """The literals and groups of a replacement text."""
    found: list[tuple[str, int | str | None]] = []
    position = 0
    for match in _GROUP.finditer(text):
        found.append((text[position : match.start()], None))
        quoted, number, name, dollar = match.groups()
        if dollar:
            raise ExpressionError("write `\\$` for a dollar sign in a replacement")
        if quoted is not None:
            found.append((quoted, None))
        else:
            found.append(("", int(number) if number else name))
        position = match.end()
    found.append((text[position:], None))
    return found
