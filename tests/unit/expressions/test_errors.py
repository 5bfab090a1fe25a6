"""What goes wrong: the message, its line, and help with habits from other languages."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.expressions import ExpressionError, Expressions, Host, UndefinedError

VARIABLES: dict[str, Any] = {
    "a": {"b": None, "l": [1]},
    "text": "x",
    "first": "{{second}}",
    "second": "{{first}}",
}

RENDER_ERRORS: list[tuple[str, str, int]] = [
    ("{{ x }}", "Unable to find `x` used in the expression `{{ x }}` at line 1", 1),
    ("one\n\n{{ a.x }}", "Unable to find `x`", 3),
    ("{{ a.b.c }}", "Unable to find `c`", 1),
    ("{{ a.l[1] }}", "Unable to find `1`", 1),
    ("{{ a.l[-1] }}", "Unable to find `-1`", 1),
    ("{{ text.size }}", "Unable to find `size`", 1),
    ("{{ missing ?? missing2 }}", "Unable to find `missing2`", 1),
    ("{{ missing is defined ? missing : missing2 }}", "Unable to find `missing2`", 1),
    ("{{ missing is null }}", "Unable to find `missing`", 1),
    ("{{ render(first) }}", "Too many rendering attempts", 1),
    ("\n{{ 'a' > 1 }}", "`>` needs numbers, not text", 2),
    ("{{ 'a' * 2 }}", "`*` needs numbers, not text", 1),
    ("{{ 1 / 0 }}", "`/` by zero", 1),
    ("{{ a.b ? 1 : 2 }}", "a condition is null", 1),
    ("{% if a %}{% endif %}", "not a map", 1),
    ("{% for x in text %}{% endfor %}", "needs a list or a map, not text", 1),
    ("{{ fromJson('{') }}", "Invalid json: ", 1),
    ("{{ fromJson(1) }}", "expects text, not a number", 1),
    ("{{ 'x' | date }}", "is no date", 1),
    ("{{ 0 | date('yyyy-mm-jj') }}", "unknown letter `j`", 1),
    ("{{ 0 | date(timeZone='Mars') }}", "unknown time zone `Mars`", 1),
    ("{{ 0 | dateAdd(1, 'PARSEC') }}", "unknown unit `PARSEC`", 1),
    ("{{ secret('K') }}", "`secret()` is not available here", 1),
    ("{{ '[1]' | jq('.[') }}", "bad jq expression", 1),
    ("{{ '[1]' | jq('env') }}", "jq's `env` is not available", 1),
    ("{{ '[1]' | jq('$ENV.PATH') }}", "jq's `$ENV` is not available", 1),
    ("{{ [] | jq('.[0].a.b') | first | upper | jq('.x') | first.y }}", "parentheses", 1),
    ("{{ 9223372036854775807 + 1 }}", "more than 64 bits", 1),
    ("{{ 'x' | replace({'(': ''}, regexp=true) }}", "bad regular expression", 1),
]


@pytest.mark.parametrize(("template", "message", "line"), RENDER_ERRORS)
def test_render_error(
    expressions: Expressions, host: Host, template: str, message: str, line: int
) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.render(template, VARIABLES, host)
    assert message in str(caught.value)
    assert caught.value.line == line
    assert caught.value.expression is not None


CHECK_ERRORS: list[tuple[str, str, int]] = [
    ("{{ x | tojson }}", "use `| toJson`", 1),
    ("{{ x | selectattr('a') }}", "jq('map(select", 1),
    ("{{ x | map(attribute='a') }}", "jq('map(.name)')", 1),
    ("{{ x | list }}", "a list needs no conversion", 1),
    ("{{ x.lower() }}", "there is no method `lower()`: use `x.toLowerCase()` or `x | lower`", 1),
    ("{{ ''.__class__() }}", "no method `__class__()`", 1),
    ("{{ getenv('A') }}", "use `env('name')`", 1),
    ("{{ secrets('A') }}", "secret('KEY')", 1),
    ("{{ x | uper }}", "did you mean `upper`?", 1),
    ("{{ x | round(2) }}", "numberFormat", 1),
    ("{{ nwo() }}", "did you mean `now`?", 1),
    ("{{ x is definde }}", "did you mean `defined`?", 1),
    ("{% elif x %}", "elseif", 1),
    ("{% include 'a' %}", "does not have Pebble's tag `include`", 1),
    ("{{ 1 if x else 2 }}", "condition ? a : b", 1),
    ("{{ a in b }}", "isIn", 1),
    ("{{ a && b }}", "write `and`", 1),
    ("{{ !a }}", "write `not`", 1),
    ("{{ a = 1 }}", "compare with `==`", 1),
    ("{{ x | first.name }}", "(x | first).name", 1),
    ("{{ a | jq('.')[0] }}", "(x | jq('.a'))[0]", 1),
    ("docker ps --format '{{.Names}}'", "between `{% raw %}` and `{% endraw %}`", 1),
    ("{{ a || b }}", "write `or`", 1),
    ("{{ a AND b }}", "write `and`", 1),
    ("{{ a not in b }}", "write `a isNotIn list`", 1),
    ("{{ a startsWith 'x' }}", "use `a | startsWith('x')`", 1),
    ("{{ a | contains('x') }}", "write `a contains b`", 1),
    ("{{ a | fromjson }}", "use the function `fromJson(…)`", 1),
    ("{{ a | strip }}", "use `| trim`", 1),
    ("{{ a | substring(0, 3) }}", "use `| slice(from, to)`", 1),
    ("{{ vars.x | render }}", "use the function `render(…)`", 1),
    ("{{ today() }}", "use `now() | date('yyyy-MM-dd')`", 1),
    ("{{ JSON.stringify(a) }}", "use `x | toJson`", 1),
    ("{{ a is match('x') }}", "use `x | regexMatch('pattern')`", 1),
    ("{{ x", "`{{` is not closed", 1),
    ("\n{{ (x }}", "`(` is not closed", 2),
    ("{{ x) }}", "unexpected `)`", 1),
    ("{{ 'x }}", "is not closed", 1),
    ('{{ "x }}', "is not closed", 1),
    ("{{ }}", "is empty", 1),
    ("a {# b", "a comment `{#` is not closed by `#}`; write `{% raw %}{#{% endraw %}`", 1),
    ("a\n${#NAME} {{ x }}", "write `{% raw %}${#NAME}{% endraw %}`", 2),
    ("n=${#files[@]}", "write `{% raw %}${#files[@]}{% endraw %}`", 1),
    ("${#A} and ${B#}", "`{#A} and ${B#}` is a comment and is taken away; write", 1),
    ("x {#each a} y {#each b} #}", "is a comment and is taken away", 1),
    ("\n{% if x %}", "`{% if %}` is not closed", 2),
    ("{% endif %}", "unexpected `{% endif %}`", 1),
    ("{% for x, y in z %}{% endfor %}", "a map gives entries", 1),
    ("{% raw %}", "is not closed", 1),
    ("{{ x | date(formt='a') }}", "has no argument `formt`", 1),
    ("{{ x | chunk }}", "expects an argument `size`", 1),
    ("{{ x | upper(1) }}", "takes at most 0", 1),
    ("{{ now(a=1, a=2) }}", "given twice", 1),
    ("{{ f(a=1, 2) }}", "positional arguments come before", 1),
    ("{{ 99999999999999999999 }}", "64 bits", 1),
    ("{{ x ? 1 }}", "expected `:`", 1),
    ("{% set true = 1 %}", "cannot be assigned", 1),
]


@pytest.mark.parametrize(("template", "message", "line"), CHECK_ERRORS)
def test_check_error(expressions: Expressions, template: str, message: str, line: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.check(template)
    assert message in str(caught.value)
    assert caught.value.line == line


def test_undefined_has_its_name(expressions: Expressions, host: Host) -> None:
    with pytest.raises(UndefinedError) as caught:
        expressions.render("{{ nothing }}", {}, host)
    assert caught.value.name == "nothing"


def test_a_failing_host_function_is_an_expression_error(expressions: Expressions) -> None:
    def secret(key: str) -> str:
        raise LookupError(f"Cannot find secret for key '{key}'.")

    with pytest.raises(ExpressionError, match="Cannot find secret for key 'K'"):
        expressions.render("{{ secret('K') }}", {}, Host(functions={"secret": secret}))
