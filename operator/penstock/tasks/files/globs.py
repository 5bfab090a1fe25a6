"""Patterns of file names, as Java's `glob:` reads them: `*` stays in a folder, `**` does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from penstock.tasks.contract.task import TaskFailure


def matcher(patterns: Iterable[str], *, anywhere: bool = False) -> Callable[[str], bool]:
    """The function that tells whether a path such as `out/a.csv` matches one of the patterns.

    With ``anywhere`` a pattern that does not begin with `/` matches below any folder.
    """
    expressions = [_compiled(pattern, anywhere) for pattern in patterns]
    return lambda path: any(expression.fullmatch(path) for expression in expressions)


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern, which may match other names than itself."""
    return any(character in text for character in "*?[{\\")


def _compiled(pattern: str, anywhere: bool) -> re.Pattern[str]:
    bare = pattern.removeprefix("glob:")
    prefix = r"(?:.*/)?" if anywhere and not bare.startswith("/") else ""
    try:
        return re.compile(prefix + _translated(bare.removeprefix("./").lstrip("/")), re.DOTALL)
    except re.error:
        raise TaskFailure(f"`{pattern}` is not a pattern of file names") from None


def _translated(pattern: str) -> str:
    parts: list[str] = []
    depth = position = 0
    while position < len(pattern):
        rest = pattern[position:]
        token, taken = _token(rest, depth)
        depth += (rest[0] == "{") - (rest[0] == "}" and depth > 0)
        parts.append(token)
        position += taken
    if depth:
        raise TaskFailure(f"`{pattern}` is not a pattern of file names: a `{{` is left open")
    return "".join(parts)


def _token(rest: str, depth: int) -> tuple[str, int]:
    """The regular expression for the first token of a pattern, and the token's length."""
    if rest.startswith("**/"):
        return r"(?:.*/)?", 3
    if rest.startswith("**"):
        return r".*", 2
    if rest[0] == "[" and (end := rest.find("]", 2)) > 0:
        inner = rest[1:end].replace("\\", r"\\").replace("[", r"\[")
        return f"(?!/)[{'^' + inner[1:] if inner[0] == '!' else inner}]", end + 1
    if rest[0] == "\\" and len(rest) > 1:
        return re.escape(rest[1]), 2
    if depth and rest[0] in ",}":
        return ("|" if rest[0] == "," else ")"), 1
    return {"*": r"[^/]*", "?": r"[^/]", "{": r"(?:"}.get(rest[0], re.escape(rest[0])), 1
