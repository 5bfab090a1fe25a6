"""The public functions: render, evaluate, render_tree, and the two rules of truth."""

from __future__ import annotations

import json
import random
import string
import subprocess
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.expressions import (
    ExpressionError,
    Expressions,
    Host,
    Limits,
    has_expression,
    is_truthy,
)

ENGINE = Expressions(Limits(seconds=0.5))
HOST = Host(random=random.Random(1))


class Lazy(Mapping[str, Any]):
    """Variables that may only be asked for by name."""

    def __getitem__(self, key: str) -> Any:
        if key != "inputs":
            raise KeyError(key)
        return {"name": "x"}

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("variables must not be walked over")

    def __len__(self) -> int:
        raise AssertionError("variables must not be counted")


def test_variables_may_be_lazy() -> None:
    assert ENGINE.render("{{ inputs.name }}{{ missing ?? 1 }}", Lazy(), HOST) == "x1"


def test_text_without_braces_and_null_stay() -> None:
    assert ENGINE.render("plain", {}, HOST) == "plain"
    assert ENGINE.render(None, {}, HOST) is None


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ [1, 2] }}", [1, 2]),
        ("{{ 1 }}", 1),
        ("{{ true }}", True),
        ("{{ null }}", None),
        ("{{ {'a': null} }}", {"a": None}),
        ("a{{ 1 }}", "a1"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ null }}{{ 2 }}", 2),
        ("{# only a comment #}", None),
        ("{% if true %}{{ 5 }}{% endif %}", 5),
        ("plain", "plain"),
    ],
)
def test_evaluate_keeps_types(template: str, expected: Any) -> None:
    value = ENGINE.evaluate(template, {}, HOST)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ d.toInstant() }}", "2024-05-17T08:30:15.123456Z"),
        ("{{ d.toLocalDate() }}", "2024-05-17"),
        ("{{ d.withNano(0).withSecond(0).toInstant() }}", "2024-05-17T08:30:00Z"),
        ("{{ d.getDayOfWeek() }}", "FRIDAY"),
        ("{{ {'a': [d.getMonth()]} }}", {"a": ["MAY"]}),
        ("{{ {'a': 1}.entrySet() }}", [{"a": 1}]),
        ("{{ '12.50' | number('BIGDECIMAL') }}", 12.5),
        ("{{ '12.00' | number('BIGDECIMAL') }}", 12),
        ("{{ huge }}", "Infinity"),
        ("{{ 1.0 / 0 }}", "Infinity"),
        ("{{ {'a': [0.0 / 0, -1.0 / 0]} }}", {"a": ["NaN", "-Infinity"]}),
    ],
)
def test_what_evaluate_keeps_can_be_stored(template: str, expected: Any) -> None:
    variables = {"d": "2024-05-17T08:30:15.123456Z", "huge": Decimal("1E+999999")}
    value = ENGINE.evaluate(template, variables, HOST)
    assert value == expected
    assert type(value) is type(expected)
    json.dumps(value, allow_nan=False)


def test_evaluate_walks_no_value_without_end() -> None:
    shared = "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}"
    with pytest.raises(ExpressionError, match=r"takes longer|too many items"):
        ENGINE.evaluate(shared, {}, HOST)


def test_evaluate_gives_a_long_list_as_it_is() -> None:
    numbers = list(range(300_000))
    assert ENGINE.evaluate("{{ numbers }}", {"numbers": numbers}, HOST) == numbers


def test_evaluate_puts_several_parts_together_as_they_are_printed() -> None:
    rows = {"rows": [1, {"a": None, "b": "x"}]}
    assert ENGINE.evaluate('{"rows": {{ rows }}}', rows, HOST) == '{"rows": [1,{"b":"x"}]}'


def test_render_tree() -> None:
    tree = {"{{ k }}": ["{{ v }}", 1, None, {"a": "{{ v }}"}], "b": True}
    rendered = ENGINE.render_tree(tree, {"k": "key", "v": [1]}, HOST)
    assert rendered == {"key": ["[1]", 1, None, {"a": "[1]"}], "b": True}


def test_evaluate_tree_keeps_the_type_of_what_is_one_expression() -> None:
    tree = {"{{ k }}": ["{{ v }}", "{{ v }}!", 1, None, {"a": "{{ v }}"}], "key": "late"}
    evaluated = ENGINE.evaluate_tree(tree, {"k": "key", "v": 3}, HOST)
    assert evaluated == {"key": [3, "3!", 1, None, {"a": 3}]}
    assert ENGINE.evaluate_tree("{{ v }}", {"v": [1]}, HOST) == [1]


@pytest.mark.parametrize("value", [None, False, "", "false", "0", "-0", 0])
def test_false_for_kestra(value: Any) -> None:
    assert not is_truthy(value)


@pytest.mark.parametrize("value", [True, "true", "FALSE", " ", "0.0", "no", 1, [], "false\n"])
def test_true_for_kestra(value: Any) -> None:
    assert is_truthy(value)


def test_has_expression() -> None:
    assert all(map(has_expression, ("{{ a }}", "{% if %}", "{# #}")))
    assert not any(map(has_expression, ("{a}", "a")))


def test_chance_comes_from_the_host() -> None:
    template = "{{ uuid() }} {{ id() }} {{ randomInt(1, 100) }} {{ nanoId() }} {{ ksuid() }}"
    one = Host(now=HOST.now, random=random.Random(3))
    two = Host(now=one.now, random=random.Random(3))
    first = ENGINE.render(template, {}, one)
    assert first is not None
    assert first.split()[:4] == str(ENGINE.render(template, {}, two)).split()[:4]
    assert [len(text) for text in first.split()[::3]] == [36, 21]


def test_host_functions_get_arguments_as_written() -> None:
    calls: list[Any] = []

    def kv(*args: Any, **named: Any) -> None:
        calls.append((args, named))

    template = "{{ kv('k', errorOnMissing=false) ?? 'none' }}"
    assert ENGINE.render(template, {}, Host(functions={"kv": kv})) == "none"
    assert calls == [(("k",), {"errorOnMissing": False})]


def test_the_right_side_of_a_default_is_lazy() -> None:
    def secret(key: str) -> str:
        raise LookupError(key)

    host = Host(functions={"secret": secret})
    assert ENGINE.render("{{ a ?? secret('x') }}", {"a": 1}, host) == "1"


def test_encryption_goes_both_ways() -> None:
    key = "AAAAAAAAAAAAAAAAAAAAAA=="
    template = "{{ decrypt(k, encrypt(k, 'secret')) }}"
    assert ENGINE.render(template, {"k": key}, HOST) == "secret"
    with pytest.raises(ExpressionError, match="not encrypted with this key"):
        ENGINE.render("{{ decrypt(k, 'AAAA') }}", {"k": key}, HOST)


def test_raw_survives_recursion() -> None:
    variables = {"a": "{% raw %}{{ b }}{% endraw %}"}
    assert ENGINE.render("{{ render(a) }}", variables, HOST) == "{{ b }}"


def test_heavy_modules_are_imported_when_used() -> None:
    code = (
        "import sys, penstock.expressions as e;"
        "heavy = {'jq', 'regex', 'yaml', 'zoneinfo', 'cryptography'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.text(alphabet=st.characters(exclude_characters="{", exclude_categories=["Cs"])))
def test_no_brace_no_change(text: str) -> None:
    assert ENGINE.render(text, {}, HOST) == text


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{-",
        "-}}",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        ":",
        "?",
        "??",
        "???",
        "|",
        "~",
        "..",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        ">",
        "<",
        "=",
        "is",
        "not",
        "and",
        "or",
        "contains",
        "isIn",
        "equals",
        "if",
        "elseif",
        "else",
        "endif",
        "for",
        "in",
        "endfor",
        "set",
        "macro",
        "endmacro",
        "block",
        "endblock",
        "filter",
        "endfilter",
        "raw",
        "endraw",
        "verbatim",
        "endverbatim",
        "true",
        "null",
        "1",
        "2.5",
        "99",
        "'a'",
        '"b"',
        '"#{x}"',
        "'",
        '"',
        "#",
        "\\",
        "x",
        "m",
        "l",
        "x.y",
        "l[0]",
        "now()",
        "render(x)",
        "upper",
        "default('d')",
        "jq('.')",
        "date",
        "replace({'a':'b'})",
        "first",
        "yaml",
        "number",
        "split('')",
        "sort",
        "length",
        "toJson",
        "defined",
        "empty",
        "even",
        "json",
        "1..3",
        "loop.index",
        "range(1,3)",
        "dateAdd(1,'DAYS')",
        "slice(1)",
        "join(',')",
        "merge(l)",
        "keys",
        "chunk(2)",
        "numberFormat('#')",
        "timestamp",
        "__class__",
        "self",
        "é",
        "\n",
    ]
)
TEMPLATES = st.one_of(
    st.lists(PIECES, max_size=25).map(" ".join),
    st.lists(PIECES, max_size=12).map(lambda parts: "{{ " + " ".join(parts) + " }}"),
    st.lists(PIECES, max_size=4).map(lambda parts: "{{ x | " + " | ".join(parts) + " }}"),
    st.text(alphabet="{}%#'\"-|~.?:()[]=+ \n1ax" + string.ascii_lowercase, max_size=40),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=600, deadline=None)
@given(TEMPLATES, VALUES)
def test_only_expression_errors_come_out(template: str, value: Any) -> None:
    variables = {"x": value, "m": {"y": value}, "l": [value, 1]}
    for call in (ENGINE.check, lambda t: ENGINE.render(t, variables, HOST)):
        try:
            call(template)
        except ExpressionError as error:
            str(error)


FILTER_CALLS = st.sampled_from(
    [
        "abbreviate(2)",
        "abs",
        "capitalize",
        "title",
        "lower",
        "upper",
        "trim",
        "default(1)",
        "first",
        "last",
        "join(',')",
        "length",
        "merge([1])",
        "reverse",
        "sort",
        "rsort",
        "slice(1)",
        "split('a')",
        "replace({'a':'b'})",
        "urlencode",
        "urldecode",
        "base64encode",
        "base64decode",
        "md5",
        "sha256",
        "numberFormat('#.##')",
        "number",
        "date",
        "dateAdd(1,'DAYS')",
        "timestamp",
        "timestampNano",
        "jq('.')",
        "toJson",
        "toIon",
        "yaml",
        "indent(2)",
        "nindent(1)",
        "chunk(2)",
        "flatten",
        "keys",
        "values",
        "startsWith('a')",
        "endsWith(1)",
        "substringBefore('a')",
        "substringAfterLast('a')",
        "slugify",
        "escapeChar('shell')",
        "className",
        "distinct",
        "string",
        "date('short')",
        "date('full',timeZone='Asia/Tokyo')",
        "replace({'a*':'b'},regexp=true)",
        "split('[ab]*')",
        "number('INT')",
        "jq('.[]?')",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(FILTER_CALLS, min_size=1, max_size=3), VALUES)
def test_filters_take_any_value(filters: list[str], value: Any) -> None:
    try:
        ENGINE.render("{{ x | " + " | ".join(filters) + " }}", {"x": value}, HOST)
    except ExpressionError as error:
        str(error)
