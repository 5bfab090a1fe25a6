"""The page of the expressions, made from the tables of the language and the docstring of each
entry."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from penstock.expressions import families
from penstock.expressions.grammar import _PRECEDENCE, _UNARY_PRECEDENCE
from penstock.expressions.methods.calls import TABLES
from penstock.expressions.methods.table import Method
from penstock.expressions.registry import FILTERS, FUNCTIONS, TESTS, Entry
from penstock.schema.reference_docstrings import prose
from penstock.schema.reference_explained import ARROW, BREAK, Example, Explained, explain
from penstock.schema.reference_pages import page
from penstock.schema.reference_syntax import HOST_FUNCTIONS, OPERATORS, TAGS

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
"""The clock of the examples."""
VARIABLES: dict[str, Any] = {
    "flow": {"id": "report", "namespace": "company.team"},
    "inputs": {
        "name": "Ada",
        "numbers": [3, 1, 2],
        "date": "2026-01-15T10:30:00Z",
        "note": "one\ntwo",
    },
    "vars": {"greeting": "Hello {{ inputs.name }}", "key": "MDEyMzQ1Njc4OWFiY2RlZg=="},
    "outputs": {
        "extract": {"uri": "kestra:///report.csv"},
        "measure": {"Oslo": {"value": "4"}, "Lima": {"value": "5"}},
    },
    "taskrun": {"value": "Oslo", "iteration": 0},
    "parents": [],
    "tasks": {"extract": {"state": "SUCCESS"}, "load": {"state": "FAILED"}},
    "envs": {"stage": "test"},
}
"""What the examples see."""

_INTRO = """\
What stands between `{{` and `}}` is replaced by its value, in every property that takes an
expression. The language is Pebble as Kestra has it. A text that is one single expression keeps the
type of its value where another type than text is wanted. A name that is not defined fails the task;
see `??`. Keys of maps are rendered as well; of two that become the same, the first counts.

A path is written `outputs.measure.value`, or `outputs['my-task'].value` where a name has a dash.
Literals are `12`, `1.5`, `true`, `false`, `null`, `'text'`, `"text with #{inputs.name} in it"`,
`[1, 2]` and `{'key': 1}`. A backslash in quoted text stays as it is, but before the quote that is
around the text: `'it\\'s'`, and `'\\d+'` for a pattern. Comments stand in `{# #}`. `{{-` and `-}}`
take the blanks beside them. What stands between `{% raw %}` and `{% endraw %}` is left alone, such
as the `${#NAME}` of a shell, which would begin a comment.

Which variables there are: `flow`, `execution`, `inputs`, `outputs`, `vars`, `labels`, `task`,
`taskrun`, `tasks`, `parent`, `parents`, `trigger`, `schedule`, `envs`, `globals`. In all the
examples below they hold this, the time is 2026-01-15T10:30:00Z, and ⏎ stands for a line break:
"""
_HOST_INTRO = """\
These read something from outside. Which of them are served stands in
[status](../status.md#expressions); one that is not fails the task that calls it.
"""
_METHODS_INTRO = """\
Written `value.method(arguments)`, with the results of Java's classes, whose methods they are. One
without arguments may be written without parentheses, and without its `get`, `is` or `has`:
`inputs.date.year`, `inputs.numbers.size`. Of a map that means its key, never a method. Upper and
lower case are not told apart. The length of a text and the indexes in it count units of UTF-16. A
`?` stands after an argument that may be left out.

A value that has no such method, and null, are as a variable that is not defined: `??` catches it.
What changes a value (`put`, `add`, `remove`) or asks for its class is refused, with what to write
in its place. A text that is a date of ISO 8601 has the methods of dates, too: the variables of an
execution hold dates as text.
"""


@dataclass(frozen=True)
class Described:
    """A filter, function or test under all its names."""

    names: tuple[str, ...]
    entry: Entry
    explained: Explained

    @property
    def family(self) -> Any:
        """The module in which the entry is defined."""
        return sys.modules[self.entry.call.__module__]

    @property
    def signature(self) -> str:
        """The name and the arguments, with their defaults."""
        values = inspect.signature(self.entry.call).parameters
        shown = [_parameter(values[name]) for name in self.entry.parameters]
        shown += [f"{p.name}…" for p in values.values() if p.kind is p.VAR_POSITIONAL]
        return f"{self.names[0]}({', '.join(shown)})"


def described(table: Mapping[str, Entry]) -> list[Described]:
    """Each entry of a table once, under the first of its names."""
    families.load()
    names: dict[Any, list[str]] = {}
    for name, entry in table.items():
        names.setdefault(entry.call, []).append(name)
    return [
        Described(tuple(of_call), table[of_call[0]], explain(call.__doc__))
        for call, of_call in names.items()
    ]


def expressions_page() -> str:
    lines = [_INTRO, "```yaml", _variables(), "```", ""]
    lines += ["## Operators", "", "Those that bind tightest come first.", ""]
    for name, text in OPERATORS.items():
        lines += _section(f"`{name}`", [f"precedence {_binding(name)}"], explain(text))
    lines += ["## Tags", ""]
    for name, text in TAGS.items():
        lines += _section(f"`{{% {name} %}}`", [], explain(text))
    lines += ["## Filters", "", "Written `value | filter`. Null stays null unless it is said.", ""]
    lines += _entries(FILTERS)
    lines += ["## Functions", "", *_entries(FUNCTIONS)]
    lines += ["### Functions of the surroundings", "", _HOST_INTRO]
    for name, text in HOST_FUNCTIONS.items():
        lines += _section(f"`{name}`", [], explain(text), "####")
    lines += ["## Methods", "", _METHODS_INTRO, *_methods()]
    lines += ["## Tests", "", "Written `value is test` or `value is not test`.", ""]
    lines += [line for item in described(TESTS) for line in _entry(item, "###")]
    return page("Expressions", lines)


def _methods() -> list[str]:
    """The lines of the methods: a table for each kind of value."""
    lines: list[str] = []
    for heading, table in TABLES.items():
        lines += [f"### {heading}", "", "| method | what it gives | example |", "|---|---|---|"]
        for method in table.rows.values():
            example = method_example(method)
            shown = f"`{example.template}` → `{example.result}`"
            lines.append(f"| `{method.signature}` | {method.gives} | {shown} |")
        lines.append("")
    return lines


def method_example(method: Method) -> Example:
    """The example of a method, in the form of a filter's: a template and the text that it renders
    to."""
    expression, _, result = method.example.partition(f" {ARROW} ")
    return Example(f"{{{{ {expression} }}}}", result)


def _entries(table: Mapping[str, Entry]) -> list[str]:
    """The lines of a table's entries, under the families in which they are defined."""
    lines: list[str] = []
    family = None
    for item in described(table):
        if item.family is not family:
            family = item.family
            heading = prose((family.__doc__ or "").split("\n\n")[0])
            lines += [f"### {heading.split('.')[0]}", ""]
        lines += _entry(item, "####")
    return lines


def _entry(item: Described, level: str) -> list[str]:
    facts = [f"`{item.signature}`"] if item.entry.parameters or item.entry.variadic else []
    if len(item.names) > 1:
        facts.append("also " + ", ".join(f"`{name}`" for name in item.names[1:]))
    return _section(f"`{item.names[0]}`", facts, item.explained, level)


def _section(heading: str, facts: list[str], explained: Explained, level: str = "###") -> list[str]:
    lines = [f"{level} {heading}", ""]
    if facts:
        lines += [", ".join(facts), ""]
    examples = [example.line() for example in explained.examples]
    return [*lines, explained.text, "", "```text", *examples, "```", ""]


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    default = parameter.default
    shown = "null" if default is None else json.dumps(default, ensure_ascii=False)
    return f"{parameter.name}={shown}"


def _binding(name: str) -> str:
    if name == "not":
        return str(_UNARY_PRECEDENCE)
    return str(_PRECEDENCE[name]) if name in _PRECEDENCE else "0"


def _variables() -> str:
    text: str = yaml.safe_dump(VARIABLES, sort_keys=False, width=90, default_flow_style=None)
    return text.rstrip()


__all__ = ["BREAK", "NOW", "VARIABLES", "Described", "described", "expressions_page"]
