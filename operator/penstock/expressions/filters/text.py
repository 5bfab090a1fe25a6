"""Filters on text."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from penstock.expressions import regexes
from penstock.expressions.errors import ExpressionError
from penstock.expressions.printing import to_text
from penstock.expressions.registry import register_filter
from penstock.expressions.rendering import Rendering
from penstock.expressions.truth import kind
from penstock.expressions.values import is_list, is_map, need_integer, need_text

_ELLIPSIS = "..."


def _text(run: Rendering, value: Any) -> str:
    """Any value as text, counted against the budget."""
    text = to_text(value, run.budget)
    run.budget.text(len(text))
    return text


@register_filter("abbreviate")
def abbreviate(run: Rendering, value: Any, length: Any) -> str:
    """The text cut to a length that includes `...`.

    {{ 'a long sentence' | abbreviate(9) }} → a long...
    """
    text = need_text(value, "the input")
    limit = need_integer(length, "length")
    if limit < 0:
        raise ExpressionError("`length` must not be negative")
    if len(text) <= limit:
        return text
    if limit <= len(_ELLIPSIS):
        return text[:limit]
    return text[: limit - len(_ELLIPSIS)] + _ELLIPSIS


@register_filter("capitalize")
def capitalize(run: Rendering, value: Any) -> str:
    """The first letter in upper case; the rest stays.

    {{ 'hello World' | capitalize }} → Hello World
    """
    text = _text(run, value)
    stripped = text.lstrip()
    blank = text[: len(text) - len(stripped)]
    return blank + stripped[:1].upper() + stripped[1:]


@register_filter("title")
def title(run: Rendering, value: Any) -> str:
    """The first letter of every word in upper case; the rest stays.

    {{ 'hello big world' | title }} → Hello Big World
    """
    text = _text(run, value)
    return re.sub(r"(^|\s)(\S)", lambda match: match.group(1) + match.group(2).upper(), text)


@register_filter("lower")
def lower(run: Rendering, value: Any) -> str:
    """All letters in lower case.

    {{ inputs.name | lower }} → ada
    """
    return _text(run, value).lower()


@register_filter("upper")
def upper(run: Rendering, value: Any) -> str:
    """All letters in upper case.

    {{ inputs.name | upper }} → ADA
    """
    return _text(run, value).upper()


@register_filter("trim")
def trim(run: Rendering, value: Any) -> str:
    """The text without blanks at both ends.

    {{ '  a b ' | trim }} → a b
    """
    return _text(run, value).strip()


@register_filter("string")
def string(run: Rendering, value: Any) -> str:
    """Any value as text.

    {{ (12 | string) + 1 }} → 121
    """
    return _text(run, value)


@register_filter("split")
def split(run: Rendering, value: Any, delimiter: Any, limit: Any = None) -> list[str]:
    """Split by a Java regular expression; trailing empty parts go unless there is a limit.

    {{ 'a,b,,' | split(',') }} → ["a","b"]
    {{ 'a,b,,' | split(',', 2) }} → ["a","b,,"]
    """
    text = need_text(value, "the input")
    count = 0 if limit is None else need_integer(limit, "limit")
    parts = regexes.split(run.budget, text, need_text(delimiter, "delimiter"), count)
    run.budget.items(len(parts))
    return parts


@register_filter("replace")
def replace(run: Rendering, value: Any, replace_pairs: Any, regexp: Any = False) -> Any:
    """Replace each pair in turn; in lists and maps, in every value (which becomes text). With
    `regexp=true` the pairs begin with Java regular expressions.

    {{ 'a-b-c' | replace({'-': '+', 'a': 'A'}) }} → A+b+c
    {{ 'a1b22' | replace({'([0-9]+)': '<$1>'}, regexp=true) }} → a<1>b<22>
    """
    if not is_map(replace_pairs):
        raise ExpressionError("`replace_pairs` must be a map: `replace({'old': 'new'})`")
    pairs = [(_text(run, key), _text(run, item)) for key, item in replace_pairs.items()]
    return _replaced(run, value, pairs, regexp is True)


def _replaced(run: Rendering, value: Any, pairs: list[tuple[str, str]], regexp: bool) -> Any:
    if is_map(value):
        run.budget.items(len(value))
        return {key: _replaced(run, item, pairs, regexp) for key, item in value.items()}
    if is_list(value):
        run.budget.items(len(value))
        return [_replaced(run, item, pairs, regexp) for item in value]
    text = _text(run, value)
    for old, new in pairs:
        run.budget.check_time()
        if regexp:
            text = regexes.replace(run.budget, text, old, new)
        else:
            text = _plain(run, text, old, new)
    return text


def _plain(run: Rendering, text: str, old: str, new: str) -> str:
    """Replace plain text, after asking for the size of the result."""
    count = len(text) + 1 if old == "" else text.count(old)
    run.budget.text(len(text) + count * (len(new) - len(old)))
    return text.replace(old, new)


@register_filter("startsWith")
def starts_with(run: Rendering, value: Any, start: Any) -> bool:
    """Whether text begins with the argument.

    {{ inputs.name | startsWith('A') }} → true
    """
    return _text(run, value).startswith(_text(run, start))


@register_filter("endsWith")
def ends_with(run: Rendering, value: Any, end: Any) -> bool:
    """Whether text ends with the argument.

    {{ inputs.name | endsWith('A') }} → false
    """
    return _text(run, value).endswith(_text(run, end))


@register_filter("substringBefore")
def substring_before(run: Rendering, value: Any, separator: Any) -> str:
    """The text before the first separator; all of it if there is none.

    {{ 'a.b.c' | substringBefore('.') }} → a
    """
    text, mark = _text(run, value), _text(run, separator)
    return text.partition(mark)[0] if mark else ""


@register_filter("substringBeforeLast")
def substring_before_last(run: Rendering, value: Any, separator: Any) -> str:
    """The text before the last separator; all of it if there is none.

    {{ 'a.b.c' | substringBeforeLast('.') }} → a.b
    """
    text, mark = _text(run, value), _text(run, separator)
    return text.rpartition(mark)[0] if mark and mark in text else text


@register_filter("substringAfter")
def substring_after(run: Rendering, value: Any, separator: Any) -> str:
    """The text after the first separator; nothing if there is none.

    {{ 'a.b.c' | substringAfter('.') }} → b.c
    """
    text, mark = _text(run, value), _text(run, separator)
    return text.partition(mark)[2] if mark else text


@register_filter("substringAfterLast")
def substring_after_last(run: Rendering, value: Any, separator: Any) -> str:
    """The text after the last separator; nothing if there is none.

    {{ 'a.b.c' | substringAfterLast('.') }} → c
    """
    text, mark = _text(run, value), _text(run, separator)
    return text.rpartition(mark)[2] if mark and mark in text else ""


@register_filter("slugify")
def slugify(run: Rendering, value: Any) -> str:
    """Lower case letters and digits with dashes, for file names and addresses.

    {{ 'Crème brûlée, please' | slugify }} → creme-brulee-please
    """
    dashed = re.sub(r"[ \t\n\x0b\f\r]", "-", _text(run, value))
    plain = re.sub(r"[^a-zA-Z0-9_-]", "", unicodedata.normalize("NFD", dashed))
    return re.sub(r"-+", "-", plain.replace("_", "-")).removeprefix("-").removesuffix("-").lower()


_ESCAPES = {"single": ("'", "\\'"), "double": ('"', '\\"'), "shell": ("'", "'\\''")}


@register_filter("escapeChar")
def escape_char(run: Rendering, value: Any, type: Any) -> Any:  # the argument's name in Kestra
    r"""Escape quotes: `single`, `double` or `shell`; also in lists and maps.

    {{ "it's" | escapeChar('shell') }} → it'\''s
    {{ "it's" | escapeChar('single') }} → it\'s
    """
    pair = _ESCAPES.get(type) if isinstance(type, str) else None
    if pair is None:
        raise ExpressionError("`type` must be 'single', 'double' or 'shell'")
    return _escaped(run, value, pair)


def _escaped(run: Rendering, value: Any, pair: tuple[str, str]) -> Any:
    run.budget.check_time()
    if is_map(value):
        run.budget.items(len(value))
        return {key: _escaped(run, item, pair) for key, item in value.items()}
    if is_list(value):
        run.budget.items(len(value))
        return [_escaped(run, item, pair) for item in value]
    return _plain(run, _text(run, value), *pair) if isinstance(value, str) else value


def _indented(run: Rendering, value: Any, amount: Any, prefix: Any, start: str) -> str:
    if is_map(value) or is_list(value):
        raise ExpressionError(f"needs text, not {kind(value)}; use `| yaml` first")
    count, text = need_integer(amount, "amount"), _text(run, value)
    if count < 0:
        raise ExpressionError("`amount` must not be negative")
    if not text:
        return ""
    unit = need_text(prefix, "prefix")
    lines = text.count("\n") + 1
    run.budget.text(len(text) + lines * (len(unit) * count + 1))
    newline = "\r\n" if "\r\n" in text else "\n"
    pad = unit * count
    return (newline + pad if start else "") + text.replace("\n", "\n" + pad)


@register_filter("indent")
def indent(run: Rendering, value: Any, amount: Any, prefix: Any = " ") -> str:
    """The text with spaces, or another prefix, after each line break.

    {{ inputs.note | indent(2) }} → one⏎  two
    """
    return _indented(run, value, amount, prefix, "")


@register_filter("nindent")
def nindent(run: Rendering, value: Any, amount: Any, prefix: Any = " ") -> str:
    """The text after a line break, indented as `indent` does.

    {{ inputs.note | nindent(2) }} → ⏎  one⏎  two
    """
    return _indented(run, value, amount, prefix, "\n")


@register_filter("regexMatch")
def regex_match(run: Rendering, value: Any, regex: Any) -> bool:
    """Whether a Java regular expression is found in the text.

    {{ 'order 66' | regexMatch('[0-9]+') }} → true
    """
    return regexes.search(run.budget, _text(run, value), need_text(regex, "regex")) is not None


@register_filter("regexReplace")
def regex_replace(run: Rendering, value: Any, regex: Any, replacement: Any) -> str:
    """Replace every match of a Java regular expression.

    {{ 'order 66' | regexReplace('([0-9])', '<$1>') }} → order <6><6>
    """
    pattern, new = need_text(regex, "regex"), need_text(replacement, "replacement")
    return regexes.replace(run.budget, _text(run, value), pattern, new)


@register_filter("regexExtract")
def regex_extract(run: Rendering, value: Any, regex: Any, group: Any = 0) -> str | None:
    """The first match, or one of its groups; null if there is none.

    {{ 'order 66' | regexExtract('[0-9]+') }} → 66
    {{ 'order 66' | regexExtract('(.)([0-9]+)', 2) }} → 66
    """
    match = regexes.search(run.budget, _text(run, value), need_text(regex, "regex"))
    return None if match is None else match.group(need_integer(group, "group"))


_CLASSES = {
    bool: "java.lang.Boolean",
    int: "java.lang.Long",
    float: "java.lang.Double",
    str: "java.lang.String",
    list: "java.util.ArrayList",
    dict: "java.util.LinkedHashMap",
}


@register_filter("className")
def class_name(run: Rendering, value: Any) -> str:
    """The name of the type in Java.

    {{ inputs.name | className }} → java.lang.String
    """
    return _CLASSES.get(type(value), "java.lang.Object")
