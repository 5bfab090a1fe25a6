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
    "toJSON": "use `| toJson`",
    "json_encode": "use `| toJson`",
    "stringify": "use `| toJson`",
    "dump": "use `| toJson`",
    "to_nice_json": "use `| toJson`",
    "fromjson": "use the function `fromJson(…)`",
    "parseJson": "use the function `fromJson(…)`",
    "json_decode": "use the function `fromJson(…)`",
    "from_yaml": "use the function `yaml(…)`",
    "filter": "use `| jq('map(select(…))') | first`",
    "where": "use `| jq('map(select(.name == \"value\"))') | first`",
    "pluck": "use `| jq('map(.name)') | first`",
    "groupby": "use `| jq('group_by(.name)') | first`",
    "group_by": "use `| jq('group_by(.name)') | first`",
    "sort_by": "use `| jq('sort_by(.name)') | first`",
    "combine": "use `| merge(other)` for lists, `| jq('. + {…}') | first` for maps",
    "strip": "use `| trim`",
    "lstrip": "use `| trim`",
    "rstrip": "use `| trim`",
    "startswith": "use `| startsWith('a')`",
    "endswith": "use `| endsWith('a')`",
    "substring": "use `| slice(from, to)`",
    "substr": "use `| slice(from, to)`",
    "trunc": "use `| abbreviate(length)`",
    "has": "use `map contains 'key'`",
    "basename": "use `| substringAfterLast('/')`",
    "dirname": "use `| substringBeforeLast('/')`",
    "render": "use the function `render(…)`",
    "bool": "compare with `== true` or `== 'true'`",
    "hash": "use `| sha256`",
    "date_format": "use `| date('yyyy-MM-dd')` with a Java pattern",
    "format_date": "use `| date('yyyy-MM-dd')` with a Java pattern",
    "to_datetime": "use `| date('yyyy-MM-dd')` with a Java pattern",
    "strptime": "use `| date(existingFormat='yyyy-MM-dd')` with a Java pattern",
    "add_days": "use `| dateAdd(1, 'DAYS')`",
    "random": "use the function `randomInt(lower, upper)`",
    "regex_search": "use `| regexMatch('pattern')`",
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
    "today": "use `now() | date('yyyy-MM-dd')`",
    "utcnow": "use `now(timeZone='UTC')`",
    "timedelta": "use the filter `x | dateAdd(1, 'DAYS')`",
    "duration": "use the filter `x | dateAdd(1, 'DAYS')`",
    "parseJson": "use `fromJson(…)`",
    "concat": "use `a ~ b`",
    "format": "use `a ~ b`, or `x | date('…')` for dates",
    "if": "write `condition ? a : b`",
    "lookup": "use `envs.name`, `secret('KEY')` or `kv('KEY')`",
    "getenv": "use `env('name')`, or `envs.name`",
    "readFile": "use `read('path')`",
    "load": "use `read('path')`",
    "include": "use `render(read('path'))`",
    "output": "use `outputs.task.name`",
    "getOutput": "use `outputs.task.name`",
    "enumerate": "inside `{% for %}` use `loop.index`",
    "print": "write the value alone: `{{ x }}`",
    "bool": "compare with `== true` or `== 'true'`",
    "float": "use `x | number('DOUBLE')`",
    "split": "use the filter `x | split(',')`",
    "join": "use the filter `x | join(',')`",
    "raise": "use a task of type `io.kestra.plugin.core.execution.Fail`",
    "fail": "use a task of type `io.kestra.plugin.core.execution.Fail`",
    "range_": "use `range(start, end)`",
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
    "match": "use `x | regexMatch('pattern')`",
    "matching": "use `x | regexMatch('pattern')`",
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
    "test": _TESTS,
    "tag": _TAGS,
}


_UNEXPECTED = {
    "=": "compare with `==`",
    ".": "put what is before the dot in parentheses: `(x | first).name`",
    "[": "put what is before the bracket in parentheses: `(x | jq('.a'))[0]`",
    "if": "write `condition ? a : b`",
    "in": "write `a isIn list` or `list contains a`",
    "not": "write `a isNotIn list`",
    "AND": "write `and`",
    "OR": "write `or`",
    "|": "write `or`",
    "eq": "write `==`",
    "ne": "write `!=`",
    "matches": "use `a | regexMatch('pattern')`",
    "contains": "write `a contains b`",
    "startsWith": "use `a | startsWith('x')`",
    "endsWith": "use `a | endsWith('x')`",
}


def unexpected(written: str) -> str:
    """The advice for a piece of text that can't stand where it is, or nothing."""
    hint = _UNEXPECTED.get(written)
    return f"; {hint}" if hint else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist: Kestra's own way, or the closest name."""
    shown = f"`{name}()`" if what == "function" else f"`{name}`"
    text = f"Kestra's expressions have no {what} {shown}"
    hint = _HINTS[what].get(name)
    if hint is None:
        hint = closest(name, known)
    return f"{text}: {hint}" if hint else text


def closest(name: str, known: Iterable[str]) -> str | None:
    """A question for the known name that is most like one that is not, if any is."""
    by_lower = {item.lower(): item for item in known}
    close = get_close_matches(name.lower()[:60], list(by_lower), n=1, cutoff=0.6)
    return f"did you mean `{by_lower[close[0]]}`?" if close else None
