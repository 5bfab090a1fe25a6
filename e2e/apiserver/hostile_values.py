"""Values, texts and expressions that somebody would choose who wants to stop a controller.

Strategies of Hypothesis. What no client would make of values is given by
:func:`~e2e.apiserver.raw.raw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from e2e.apiserver.raw import raw

Values = st.SearchStrategy[Any]


def chosen(*items: Any) -> Values:
    """One of some values, which may be long: Hypothesis writes out what it samples from."""
    return st.integers(0, len(items) - 1).map(items.__getitem__)


def _lists(levels: int) -> str:
    return "[" * levels + "]" * levels


def _maps(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


DEEP: Values = st.builds(
    lambda shape, levels: raw(shape(levels)),
    st.sampled_from([_lists, _maps]),
    st.sampled_from([20, 99, 101, 255, 256, 960, 3_000, 9_000]),
)
WIDE: Values = st.builds(
    lambda item, count: raw(f"[{','.join([item] * count)}]"),
    st.sampled_from(["0", '""', "{}", "null", "[[]]", '"{{ 1 }}"']),
    st.sampled_from([200, 5_000, 60_000]),
)
NUMBERS: Values = chosen(
    *map(raw, ("1e308", "-1e308", "9" * 5_000, "0." + "1" * 5_000, "1e-400", "-0.0")),
    *(2**31, 2**53 + 1, 2**63 - 1, -(2**63), 0, -1, 1.5),
)
LOOK_ALIKES: Values = chosen(
    "NaN", ".nan", "-.inf", "Infinity", "null", "~", "yes", "0o17", "1_000", "1e400", "f" * 400,
    "PT1000000000000H", "P9999999Y", "-PT1S", "PT0S", "9999-12-31T23:59:59Z", "0000-00-00",
)  # fmt: skip
ODD: Values = st.one_of(
    st.text(max_size=40),
    chosen(
        "\u0000", "\u202eevil\u202c", "a\u0300" * 500, "\ufeff", "\u2028", "\U0001f4a3" * 100,
        "\x1b]0;title\x07", "\r\n\r\nx: y", "../../../etc/passwd", "%2e%2e%2f", "-rf", "--",
        "'; drop", "$(id)", "`id`", "\\", '"', "{{", "}}", "{%", "x" * 300_000,
    ),
    st.just(raw('"\\ud800\\udfff\\ud83d"')),
)  # fmt: skip
ALIASES = "".join(
    ["&a0 [x,x,x,x,x,x,x,x,x]"] + [f", &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)
YAML: Values = chosen(
    f"X: [{ALIASES}]", f"[{ALIASES}]", "- " * 30_000, "? " * 30_000, "X: " + "[" * 20_000,
    "&a [*a]", "!!python/object/apply:os.system ['id']", "X: {name: a, key: b}", "X: 1\nX: 2",
)  # fmt: skip
PATTERNS: Values = chosen(
    "(" * 24 + "a" + ")+" * 24, "(a{900}){900}", "(a|aa)+$", "(?R)", "a{1,99999}", "[", "(?<!a+)b",
    "(x+x+)+y", r"(\w|\W)*" * 50, "(?i)" * 2_000, "." * 100_000,
)  # fmt: skip
EXPRESSIONS: Values = chosen(
    "{{ '[]' | jq('.[100000000] = 1') }}",
    "{{ '[]' | jq('[range(1e9)]') }}",
    "{% set a='- ' %}{% for i in 1..18 %}{% set a=a~a %}{% endfor %}{{ yaml(a) }}",
    "{% set a='? ' %}{% for i in 1..18 %}{% set a=a~a %}{% endfor %}{{ yaml(a) }}",
    "{% set a='x' %}{% for i in 1..40 %}{% set a=a~a %}{% endfor %}{{ a }}",
    "{{ range(1, 1000000000) }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ ('a' * 30) matches '(a|aa)+$b' }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | replace({'(a+)+$': ''}, regexp=true) }}",
    "{{ render('{{ render(\"{{ 1 }}\") }}') }}",
    "{{ fromJson('" + "[" * 3_000 + "') }}",
    "{{ yaml('" + "[" * 3_000 + "') }}",
    "{{ json('{\"a\": 1e400}') }}",
    "{{ secret('X') }}",
    "{{ kv('k', 'company.victim') }}",
    "{{ read('nsfile:///../../x') }}",
    "{{ http('http://169.254.169.254/') }}",
    "{{ now() | date('" + "y" * 5_000 + "') }}",
    "{{ nothing.at.all }}",
    "{% for i in 1..10 %}{% for j in 1..10 %}{{ i }}{% endfor %}{% endfor %}",
    "{{ a }}" * 5_000,
    "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "{{ " + "-" * 3_000 + "1 }}",
    "{{ 1 " + "+ 1 " * 3_000 + "}}",
    "{% if true %}" * 500 + "{% endif %}" * 500,
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% block b %}{{ block('b') }}{% endblock %}",
)

TEXTS: Values = st.one_of(EXPRESSIONS, ODD, LOOK_ALIKES, YAML, PATTERNS)
ANYTHING: Values = st.one_of(
    TEXTS,
    DEEP,
    WIDE,
    NUMBERS,
    st.none(),
    st.booleans(),
    st.recursive(
        st.one_of(TEXTS, NUMBERS, st.none()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


def seldom(odd: Values, right: Values) -> Values:
    """Mostly one, now and then the other."""
    return st.integers(0, 9).flatmap(lambda number: odd if number == 9 else right)


def right_or_odd(*right: Any) -> Values:
    """One of some values that are right, and now and then anything."""
    return seldom(ANYTHING, chosen(*right))


def some_of(**properties: Values) -> Values:
    """A map with some of these properties."""
    return st.fixed_dictionaries({}, optional=properties)


def drawn(strategy: Values, seed: int, count: int) -> Sequence[Any]:
    """Draw so many examples, always equal for one seed."""
    import hypothesis

    found: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        derandomize=False,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def note(example: Any) -> None:
        found.append(example)

    note()
    return found
