"""The reference of expressions: every entry has examples, and each gives what is shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.expressions import ExpressionError, Expressions, Host
from penstock.expressions.grammar import _PRECEDENCE, _UNARY
from penstock.expressions.methods.calls import TABLES
from penstock.expressions.parser import _KNOWN_TAGS
from penstock.expressions.registry import FILTERS, FUNCTIONS, HOST_FUNCTIONS, TESTS
from penstock.schema import reference_syntax
from penstock.schema.reference_explained import BREAK, ERROR, Example, explain
from penstock.schema.reference_expressions import NOW, VARIABLES, described, method_example

_TABLES = {"filter": FILTERS, "function": FUNCTIONS, "test": TESTS}
_SYNTAX = {
    "operator": reference_syntax.OPERATORS,
    "tag": reference_syntax.TAGS,
    "host": reference_syntax.HOST_FUNCTIONS,
}
_FILE = "id,name\n1,Ada"


def _host_functions() -> dict[str, Callable[..., Any]]:
    """What a host could give: enough to show how each is called."""
    return {
        "secret": lambda key: {"API_TOKEN": "s3cret"}[key],
        "kv": lambda key, errorOnMissing=True: {"limit": 10}.get(key),
        "read": lambda uri: _FILE,
        "fileURI": lambda path: f"kestra:///company/team/_files/{path}",
        "fileSize": lambda uri: len(_FILE),
        "fileExists": lambda uri: True,
        "isFileEmpty": lambda uri: False,
        "fileEmpty": lambda uri: False,
        "http": lambda uri: ["Oslo", "Lima"],
        "errorLogs": lambda: [{"taskId": "load", "message": "no such table"}],
        "credential": lambda name: "token",
        "appLink": lambda name: f"https://example.com/{name}",
        "assets": lambda kind: [],
        "iterationOutput": lambda task: "4",
        "parentOutput": lambda: "4",
    }


def _examples() -> Iterator[Any]:
    for heading, methods in TABLES.items():
        for method in methods.rows.values():
            yield pytest.param(method_example(method), id=f"method-{heading}-{method.name}")
    for kind, table in _TABLES.items():
        for item in described(table):
            for number, example in enumerate(item.explained.examples):
                yield pytest.param(example, id=f"{kind}-{item.names[0]}-{number}")
    for kind, texts in _SYNTAX.items():
        for name, text in texts.items():
            for number, example in enumerate(explain(text).examples):
                yield pytest.param(example, id=f"{kind}-{name}-{number}")


@pytest.mark.parametrize("example", list(_examples()))
def test_an_example_gives_what_is_shown(example: Example) -> None:
    host = Host(now=lambda: NOW, random=random.Random(0), functions=_host_functions())

    if example.result.startswith(ERROR):
        with pytest.raises(ExpressionError) as raised:
            Expressions().render(example.template, VARIABLES, host)
        assert str(raised.value).startswith(example.result.removeprefix(ERROR))
    else:
        rendered = Expressions().render(example.template, VARIABLES, host)
        assert (rendered or "").replace("\n", BREAK).strip() == example.result


@pytest.mark.parametrize("kind", _TABLES)
def test_every_entry_has_a_description_and_an_example(kind: str) -> None:
    for item in described(_TABLES[kind]):
        place = f"the {kind} `{item.names[0]}` ({item.entry.call.__module__})"
        assert item.explained.text, f"{place} needs a docstring"
        assert item.explained.examples, (
            f"{place} needs an example in its docstring: {{{{ … }}}} → …"
        )


def test_every_name_of_the_syntax_is_in_the_reference() -> None:
    assert set(reference_syntax.OPERATORS) == {*_PRECEDENCE, *_UNARY, "? :"}
    assert set(reference_syntax.TAGS) == set(_KNOWN_TAGS) - {"elseif"}
    assert set(reference_syntax.HOST_FUNCTIONS) == HOST_FUNCTIONS


def test_operators_stand_in_the_order_in_which_they_bind() -> None:
    binding = [_PRECEDENCE[name] for name in reference_syntax.OPERATORS if name in _PRECEDENCE]

    assert binding == sorted(binding, reverse=True)


@pytest.mark.parametrize("name", ["operator", "tag", "host"])
def test_every_part_of_the_syntax_has_an_example(name: str) -> None:
    for entry, text in _SYNTAX[name].items():
        assert explain(text).text, entry
        assert explain(text).examples, entry


def test_an_example_may_take_two_lines() -> None:
    explained = explain("What it does.\n\n{{ a }}\n→ 1\n{{ b }} → 2")

    assert explained.text == "What it does."
    assert explained.examples == (Example("{{ a }}", "1"), Example("{{ b }}", "2"))
