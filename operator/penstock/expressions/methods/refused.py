"""Advice for the methods that are not served: why, and what to write instead."""

from __future__ import annotations

_CHANGES = {
    "put": "use `x | merge({'key': value})`",
    "putAll": "use `x | merge(other)`",
    "putIfAbsent": "use `{'key': value} | merge(x)`",
    "add": "use `list + [x]`",
    "addAll": "use `list + other`",
    "addFirst": "use `[x] + list`",
    "addLast": "use `list + [x]`",
    "append": "use `list + [x]`, or `a ~ b` for texts",
    "set": "use `{% for %}`, or `x | jq('.[0] = 1') | first`",
    "remove": "use `list - x` for lists, `x | jq('del(.key)') | first` for maps",
    "removeAll": "use `list - other`",
    "removeFirst": "use `list | slice(1)`",
    "removeLast": "use `list | slice(0, (list | length) - 1)`",
    "removeIf": "use `list | jq('map(select(…))') | first`",
    "retainAll": "use `list | jq('map(select(…))') | first`",
    "clear": "write `[]` or `{}`",
    "sort": "use `x | sort`",
    "compute": "use `x | merge({'key': value})`",
    "computeIfAbsent": "use `{'key': value} | merge(x)`",
    "computeIfPresent": "use `x | merge({'key': value})`",
}
_REFLECTS = frozenset(
    ["getClass", "class", "wait", "notify", "notifyAll", "forName", "newInstance", "invoke", "exec"]
)
_INSTEAD = {
    "now": "use the function `now()`",
    "map": "use `x | jq('map(.name)') | first`",
    "filter": "use `x | jq('map(select(…))') | first`",
    "stream": "use `x | jq('map(.name)') | first`, or `{% for %}`",
    "parallelStream": "use `x | jq('map(.name)') | first`, or `{% for %}`",
    "forEach": "use `{% for item in x %}`",
    "iterator": "use `{% for item in x %}`",
    "listIterator": "use `{% for item in x %}`",
    "toArray": "a list needs no conversion",
    "toList": "a list needs no conversion",
    "stringify": "use `x | toJson`",
    "parse": "use `fromJson(x)`",
    "parseInt": "use `x | number('INT')`",
    "parseLong": "use `x | number('LONG')`",
    "parseDouble": "use `x | number('DOUBLE')`",
    "valueOf": "use `x | string`, or `x | number`",
    "floatValue": "use `doubleValue()`",
    "shortValue": "use `intValue()`",
    "byteValue": "use `intValue()`",
    "includes": "use `x.contains(y)`",
    "keys": "use `x | keys`",
    "items": "`{% for entry in x %}` gives entries with `key` and `value`",
    "lower": "use `x.toLowerCase()` or `x | lower`",
    "upper": "use `x.toUpperCase()` or `x | upper`",
    "lstrip": "use `x.stripLeading()`",
    "rstrip": "use `x.stripTrailing()`",
    "startswith": "use `x.startsWith('a')`",
    "endswith": "use `x.endsWith('a')`",
    "format": "use `a ~ b` for texts, `x | date('…')` for dates, `x | numberFormat('…')`",
    "formatted": "use `a ~ b`",
    "strftime": "use `x | date('yyyy-MM-dd')`",
    "basename": "use `x | substringAfterLast('/')`",
    "lines": "use `x | split('\\n')`",
    "chars": "use `x | split('')`",
    "codePoints": "use `x | split('')`",
    "toCharArray": "use `x | split('')`",
    "getBytes": "use `x | base64encode`",
    "indent": "use `x | indent(2)`",
    "translateEscapes": "use `x | replace({'a': 'b'})`",
    "truncatedTo": "use `x | date('yyyy-MM-dd')` with the pattern of what is to stay",
    "withZoneSameInstant": "use `x | date(timeZone='Europe/Oslo')`",
    "withZoneSameLocal": "use `x | date(timeZone='Europe/Oslo')`",
    "atZone": "use `x | date(timeZone='Europe/Oslo')`",
    "plus": "use `x.plusDays(1)` or `x | dateAdd(1, 'DAYS')`",
    "minus": "use `x.minusDays(1)` or `x | dateAdd(-1, 'DAYS')`",
}


_CLASS = "nothing can be asked about a class, as in Kestra; see `x | className`"
_HINTS = {
    **{name.lower(): advice for name, advice in _INSTEAD.items()},
    **{
        name.lower(): f"an expression changes no value; {advice}"
        for name, advice in _CHANGES.items()
    },
    **{name.lower(): _CLASS for name in _REFLECTS},
}


def hint(name: str) -> str | None:
    """Why a method is not served and what to write in its place, as far as that is known."""
    return _HINTS.get(name.lower())
