"""Help for a name that Kestra does not have: what was probably meant.

Public flows bring many habits from Jinja2, Liquid, Python and Java; each gets Kestra's own way.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_FILTERS = {
    "tojson": "use `| toJson`",
    "fromJson": "use the function `fromJson(…)`",
    "from_json": "use the function `fromJson(…)`",
    "selectattr": "use `| jq('map(select(.name == \"value\"))') | first`",
    "rejectattr": "use `| jq('map(select(.name != \"value\"))') | first`",
    "select": "use `| jq('map(select(…))') | first`",
    "map": "use `| jq('map(.name)') | first`",
    "attribute": "use `.name`, or `| jq('map(.name)') | first`",
    "list": "a list needs no conversion; use `| keys` or `| values` for a map",
    "items": "`{% for entry in map %}` gives entries with `key` and `value`",
    "dictsort": "`{% for entry in map %}` gives entries with `key` and `value`",
    "round": 'use `| numberFormat("#.##")`',
    "int": "use `| number('INT')`",
    "float": "use `| number('DOUBLE')`",
    "truncate": "use `| abbreviate(length)`",
    "dateFormat": "use `| date('yyyy-MM-dd')`",
    "strftime": "use `| date('yyyy-MM-dd')` with a Java pattern",
    "ternary": "use `condition ? a : b`",
    "base64": "use `| base64encode` or `| base64decode`",
    "b64encode": "use `| base64encode`",
    "b64decode": "use `| base64decode`",
    "jqFirst": "use `| jq('…') | first`",
    "min": "use the function `min(a, b)`",
    "max": "use the function `max(a, b)`",
    "sum": "use `| jq('add') | first`",
    "unique": "use `| distinct`",
    "uniq": "use `| distinct`",
    "count": "use `| length`",
    "size": "use `| length`",
    "attr": "use `.name` or `['name']`",
    "safe": "leave it out: nothing is escaped",
    "escape": "use `| escapeChar('single')`, or leave it out: nothing is escaped",
    "e": "leave it out: nothing is escaped",
    "raw": "leave it out: nothing is escaped",
    "numberformat": "use `| numberFormat(…)`",
    "toYaml": "use `| yaml`",
    "to_json": "use `| toJson`",
    "to_yaml": "use `| yaml`",
    "quote": "use `| escapeChar('shell')`",
    "d": "use `| default(…)`",
    "format": "use `~` to put texts together",
    "batch": "use `| chunk(size)`",
    "string_format": "use `~` to put texts together",
    "regex_replace": "use `| replace({'pattern': 'text'}, regexp=true)`",
}
_FUNCTIONS = {
    "date": "use `now(format='…')`, or the filter `x | date('…')`",
    "env": "use `envs.name`",
    "secrets": "use `secret('KEY')`",
    "file": "use `read('path')`",
    "random": "use `randomInt(lower, upper)`",
    "tempDir": "use `workingDir`",
    "len": "use `x | length`",
    "length": "use `x | length`",
    "str": "use `x | string`",
    "int": "use `x | number('INT')`",
    "dict": "write a map as `{'key': value}`",
    "list": "write a list as `[a, b]`",
    "toJson": "use the filter `x | toJson`",
    "upper": "use the filter `x | upper`",
    "lower": "use the filter `x | lower`",
    "first": "use the filter `x | first`",
    "default": "use `x ?? y`",
    "coalesce": "use `x ?? y`",
    "dateAdd": "use the filter `x | dateAdd(1, 'DAYS')`",
    "replace": "use the filter `x | replace({'a': 'b'})`",
    "outputs": "use `outputs.task.name`",
    "range_": "use `range(start, end)`",
}
_METHODS = {
    "split": "use `x | split(',')`",
    "replace": "use `x | replace({'a': 'b'})`",
    "containsKey": "use `x contains 'key'`",
    "contains": "use `x contains y`",
    "keySet": "use `x | keys`",
    "keys": "use `x | keys`",
    "values": "use `x | values`",
    "items": "`{% for entry in x %}` gives entries with `key` and `value`",
    "entrySet": "`{% for entry in x %}` gives entries with `key` and `value`",
    "get": "use `x['key'] ?? 'default'`",
    "size": "use `x | length`",
    "length": "use `x | length`",
    "isEmpty": "use `x is empty`",
    "equals": "use `x == y`",
    "toString": "use `x | string`",
    "lower": "use `x | lower`",
    "toLowerCase": "use `x | lower`",
    "upper": "use `x | upper`",
    "toUpperCase": "use `x | upper`",
    "strip": "use `x | trim`",
    "trim": "use `x | trim`",
    "startsWith": "use `x | startsWith('a')`",
    "startswith": "use `x | startsWith('a')`",
    "endsWith": "use `x | endsWith('a')`",
    "endswith": "use `x | endsWith('a')`",
    "substring": "use `x | slice(from, to)`",
    "join": "use `list | join(',')`",
    "format": "use `x ~ y`, or `| date('…')` for dates",
    "strftime": "use `x | date('yyyy-MM-dd')`",
    "append": "use `list + [x]`",
    "basename": "use `x | substringAfterLast('/')`",
}
_TESTS = {
    "none": "use `is null`",
    "undefined": "use `is not defined`",
    "string": "there is no test of text",
    "number": "there is no test of numbers; see `is even`, `is odd`",
    "mapping": "use `is map`",
    "sequence": "use `is iterable`",
    "in": "use `isIn`, or `list contains x`",
    "blank": "use `is empty`",
    "true": "use `== true`",
    "false": "use `== false`",
}
_TAGS = {
    "elif": "use `{% elseif … %}`",
    "elsif": "use `{% elseif … %}`",
    "assign": "use `{% set name = value %}`",
    "unless": "use `{% if not … %}`",
    "with": "use `{% set name = value %}`",
    "endset": "write `{% set name = value %}` in one tag",
    "case": "use `{% if %}` and `{% elseif %}`",
    "do": "there are no statements without a result",
    "continue": "put the body in an `{% if %}`",
    "break": "put the body in an `{% if %}`",
    "call": "call the macro as `{{ name() }}`",
}
_HINTS = {
    "filter": _FILTERS,
    "function": _FUNCTIONS,
    "method": _METHODS,
    "test": _TESTS,
    "tag": _TAGS,
}


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist: Kestra's own way, or the closest name."""
    shown = f"`{name}()`" if what in ("function", "method") else f"`{name}`"
    text = f"Kestra's expressions have no {what} {shown}"
    hint = _HINTS[what].get(name)
    if hint is None:
        hint = _closest(name, known)
    return f"{text}: {hint}" if hint else text


def _closest(name: str, known: Iterable[str]) -> str | None:
    by_lower = {item.lower(): item for item in known}
    close = get_close_matches(name.lower()[:60], list(by_lower), n=1, cutoff=0.6)
    return f"did you mean `{by_lower[close[0]]}`?" if close else None
