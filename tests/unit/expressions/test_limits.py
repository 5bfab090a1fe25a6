"""Bounds: nothing that a template says takes long, much memory, or leaves the sandbox."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from penstock.expressions import ExpressionError, Expressions, Host, Limits

DOUBLING = "{% set x = 'aaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}"
GROUPS = "$1" * 30_000
SHARED = "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60
NESTED = "{% set a = '- ' %}{% for i in 1..18 %}{% set a = a ~ a %}{% endfor %}"
BOMBS = [
    NESTED + "{{ yaml(a) }}",
    NESTED.replace("- ", "? ") + "{{ yaml(a) }}",
    NESTED.replace("- ", "[") + "{{ yaml(a) }}",
    "{{ 'a' | regexMatch('" + "(" * 24 + "a" + ")+" * 24 + "') }}",
    "{{ 'a' | regexMatch('" + "(" * 24 + "a" + "){1,}" * 24 + "') }}",
    "{{ 'a'.matches('((a{900}){900})') }}",
    "{{ a }}" * 100_000,
    "{{ 1..1000000000 }}",
    "{{ range(0, 9223372036854775807) }}",
    "{% for a in 1..1000 %}{% for b in 1..1000 %}{% for c in 1..1000 %}{% endfor %}{% endfor %}"
    "{% endfor %}",
    DOUBLING,
    SHARED + "{{ x }}",
    SHARED + "{% set y = [1] %}" + "{% set y = [y, y] %}" * 60 + "{{ x == y }}",
    SHARED + "{{ x | yaml }}",
    SHARED + "{% set y = [1] %}" + "{% set y = [y, y] %}" * 60 + "{{ [x, y] | sort }}",
    SHARED + "{% set y = [1] %}" + "{% set y = [y, y] %}" * 60 + "{{ [x, y] | distinct }}",
    SHARED + "{{ x | jq('.') }}",
    SHARED + "{{ x | join(',') }}",
    SHARED + "{{ x | escapeChar('shell') }}",
    SHARED + "{{ x | toIon }}",
    SHARED + "{{ x | replace({'1': '2'}) }}",
    SHARED + "{{ render(x) }}",
    "{% set x = 'a' %}{% for i in 1..40 %}{% set x = x | replace({'a': 'aa'}) %}{% endfor %}",
    "{% set x = 'a' %}{% for i in 1..40 %}{% set x = x | replace({'a': 'aa'}, regexp=true) %}"
    "{% endfor %}",
    "{% set x = [] %}{% for i in 1..100000 %}{% set x = [x] %}{% endfor %}{{ x }}",
    "{% set x = 2 %}{% for i in 1..100 %}{% set x = x * x %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% block b %}{{ block('b') }}{% endblock %}",
    "{% set t = '{{ render(t) }}' %}{{ render(me) }}",
    "{{ 'a\nb' | indent(1000000000) }}",
    "{{ 1 | numberFormat('" + "0" * 1000 + "') }}",
    "{{ 0 | date('" + "S" * 1000 + "') }}",
    "{{ nanoId(length=1000000000) }}",
    "{{ 'aaaa'.repeat(1000000000) }}",
    "{{ ''.repeat(9223372036854775807).repeat(9223372036854775807) }}{{ 'a'.repeat(5000000) }}",
    "{% set x = 'a' %}{% for i in 1..40 %}{% set x = x.replace('a', 'aa') %}{% endfor %}",
    "{% set x = 'a' %}{% for i in 1..40 %}{% set x = x.replaceAll('a', 'aa') %}{% endfor %}",
    "{% set x = 'a' %}{% for i in 1..40 %}{% set x = x.concat(x) %}{% endfor %}",
    "{% set x = 'a' %}{% for i in 1..40 %}{% set x = ''.join(x, [x, x]) %}{% endfor %}",
    "{{ 'a'.repeat(65000).replaceAll('(b)?a', '" + GROUPS + "') }}",
    "{{ 'a'.repeat(65000) | replace({'(b)?a': '" + GROUPS + "'}, regexp=true) }}",
    "{{ 'a'.repeat(65000).matches('((a{999}){999}){999}') }}",
    "{{ 'a'.repeat(65000).matches('(?:(?:(?:a?){2,99}){99}){99}') }}",
    SHARED + "{{ x.toString() }}",
    SHARED + "{% set y = [1] %}" + "{% set y = [y, y] %}" * 60 + "{{ x.equals(y) }}",
    SHARED + "{% set y = [1] %}" + "{% set y = [y, y] %}" * 60 + "{{ [x].contains(y) }}",
    "{% for i in 1..100000 %}{{ (1..100000).contains(-1) }}{% endfor %}",
    "{{ (1..100000).containsAll((1..100000).reversed()) }}",
    "{% set x = 'a'.repeat(4000000) %}{% for i in 1..100 %}{{ x.hashCode() }}{% endfor %}",
    "{% set x = 'a'.repeat(2000000) %}{% set y = x ~ 'b' %}{% for i in 1..9999 %}"
    "{{ x.compareTo(y) }}{{ x.equalsIgnoreCase(x.toUpperCase()) }}{% endfor %}",
    "{{ '2026-01-15T10:30:00Z'.plusYears(9223372036854775807) }}",
    "{{ '2026-01-15T10:30:00Z'.plusNanos(9223372036854775807).plusWeeks(-99999999) }}",
    "{{ 0 | dateAdd(9223372036854775807, 'MILLENNIA') }}",
    "{{ '" + "9" * 5000 + "' | number }}",
    "{{ 1 | jq('[range(1000000000)]') }}",
    "{{ 1 | jq('def f: f; f') }}",
    "{{ 1 | jq('repeat(.)') }}",
    "{{ '[]' | jq('.[100000000] = 1') }}",
    "{{ '[]' | jq('.[1e8] |= 1') }}",
    "{{ 1 | jq('\"x\" * 1000000000') }}",
    "{{ [1,2,3,4,5,6,7,8,9] | jq('" + "[.[],.[]]|" * 40 + ".') }}",
    "{{ " + "(" * 10000 + "1" + ")" * 10000 + " }}",
    "{{ " + "[" * 10000 + "]" * 10000 + " }}",
    "{{ " + "-" * 10000 + "1 }}",
    "{{ " + "not " * 10000 + "1 }}",
    "{{ 1" + " + 1" * 10000 + " }}",
    "{{ a" + ".a" * 10000 + " }}",
    "{{ true" + " ? 1 : true" * 10000 + " ? 1 : 2 }}",
    "{% if true %}" * 1000 + "{% endif %}" * 1000,
    "{% for i in 1..2 %}" * 30 + "{% endfor %}" * 30,
    "{{ yaml(bomb) }}",
    "{{ fromJson(deep) }}{{ yaml(deep) }}",
    "{{ fromIon(deep) }}",
    "{" * 1100000,
]  # fmt: skip
VARIABLES: dict[str, Any] = {
    "me": "{{ render(me) }}{{ me }}",
    "deep": "[" * 100_000,
    "bomb": "a: &a [1,1,1,1,1,1,1,1,1]\n"
    + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    ),
}


@pytest.mark.parametrize("template", BOMBS, ids=lambda text: text[:40])
def test_bombs_are_errors(host: Host, template: str) -> None:
    expressions = Expressions(Limits(seconds=0.3))
    start = time.monotonic()
    with pytest.raises(ExpressionError):
        expressions.render(template, VARIABLES, host)
    assert time.monotonic() - start < 20, "a backtracking pattern would take for ever"


@pytest.mark.parametrize("call", ["matches(q)", "replaceAll(q, '-')", "split(q)"])
def test_regular_expressions_of_methods_end(host: Host, call: str) -> None:
    expressions = Expressions(Limits(seconds=0.3))
    start = time.monotonic()
    with contextlib.suppress(ExpressionError):
        expressions.render(f"{{{{ t.{call} }}}}", {"t": "a" * 3000 + "b", "q": "(a+)+$"}, host)
    assert time.monotonic() - start < 20, "a backtracking pattern would take for ever"


ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ [].__class__ }}",
    "{{ {}.__class__.__base__.__subclasses__() }}",
    "{{ x | attr('__class__') }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ lipsum() }}",
    "{{ self._TemplateReference__context }}",
    "{{ self }}",
    "{{ request.application }}",
    "{{ namespace() }}",
    "{{ joiner() }}",
    "{{ dict(a=1) }}",
    "{{ config }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '%s' | format(1) }}",
    "{{ x.__init__ }}",
    "{{ x.run }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ resolve }}",
    "{{ undefined.x }}",
    "{{ missing.x }}",
    "{{ loop }}",
    "{{ now.__globals__ }}",
    "{{ x['__dict__'] }}",
    "{{ x | first }}",
    "{% import 'os' as os %}",
    "{% set x.y = 1 %}",
    "{{ caller() }}",
    "{{ url_for.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{% for x in x %}{% endfor %}",
    "{{ x.name }}",
    "{{ (now)() }}",
    "{% print 1 %}",
    "{{ super() }}",
    "{{ varargs }}",
    "{{ date.tzinfo }}",
    "{{ date.strftime('%Y') }}",
    "{{ date['__class__'] }}",
    "{{ ''.getClass() }}",
    "{{ ''.class }}",
    "{{ ''.class.forName('java.lang.Runtime') }}",
    "{{ (1).TYPE.forName('java.lang.Runtime') }}",
    "{{ [].getClass().getClassLoader() }}",
    "{{ ''.format('{0.__class__}') }}",
    "{{ ''.join.__globals__ }}",
    "{{ ''['join'] }}",
    "{{ [].append(1) }}",
    "{{ {}.update({'a': 1}) }}",
    "{{ x.length() }}",
    "{{ x.toString() }}",
    "{{ date.toString.__self__ }}",
    "{{ ''.encode() }}",
    "{{ date.replace('year', 1) }}",
    "{{ {}.items() }}",
    "{{ [].__len__() }}",
    "{{ 'a'.rows }}",
    "{{ 'a'.length(run=1) }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_no_way_out(expressions: Expressions, host: Host, template: str) -> None:
    variables = {"x": Limits(), "date": host.now()}
    with pytest.raises(ExpressionError):
        expressions.render(template, variables, host)


def test_jq_does_not_see_the_environment(expressions: Expressions, host: Host) -> None:
    for program in ("env", "$ENV", "input", "debug", '"\\(env)"', 'import "a" as a; 1'):
        with pytest.raises(ExpressionError):
            expressions.render("{{ 1 | jq(p) }}", {"p": program}, host)


def test_waiting_for_the_host_does_not_count() -> None:
    def slow() -> str:
        time.sleep(0.1)
        return "ok"

    host = Host(functions={"read": slow})
    assert Expressions(Limits(seconds=0.05)).render("{{ read() }}", {}, host) == "ok"


def test_output_is_bounded(host: Host) -> None:
    expressions = Expressions(Limits(output_chars=100))
    with pytest.raises(ExpressionError, match="longer than 100"):
        expressions.render("{{ x }}{{ x }}", {"x": "a" * 60}, host)


def test_many_terms_and_many_parts_are_fine(expressions: Expressions, host: Host) -> None:
    assert expressions.render("{{ 'a'" + " ~ 'a'" * 300 + " }}", {}, host) == "a" * 301
    assert expressions.render("{{ n }}" * 3000, {"n": 1}, host) == "1" * 3000


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "^(?:a|aa|a.)+$", "(.*)*x", "(a*)*(a*)*(a*)*b{2}", "(x+x+)+y", "(.*a){25}"],
)
def test_regular_expressions_end(host: Host, pattern: str) -> None:
    expressions = Expressions(Limits(seconds=0.3))
    variables = {"t": "a" * 3000 + "b", "p": {pattern: "-"}}
    start = time.monotonic()
    for template in ("{{ t | replace(p, regexp=true) }}", "{{ t | split(q) }}"):
        with contextlib.suppress(ExpressionError):
            expressions.render(template, {**variables, "q": pattern}, host)
    assert time.monotonic() - start < 20, "a backtracking pattern would take for ever"
