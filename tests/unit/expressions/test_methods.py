"""Methods of Java's classes, with Java's results. Each row's own example is run with the
reference (`tests/unit/docs/test_reference_expressions.py`); here stand the edges."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from penstock.expressions import ExpressionError, Expressions, Host, UndefinedError
from penstock.expressions.marks import Opaque
from penstock.expressions.methods.calls import PASS_ON, TABLES
from tests.unit.expressions.conftest import Render

OSLO = timezone(timedelta(hours=1))
V: dict[str, Any] = {
    "path": "a/b/c",
    "wide": "😀 a",
    "list": [1, "b", None, 2.5],
    "map": {"size": 9, "a": 1, "7": "seven", "none": None},
    "moment": datetime(2024, 2, 29, 23, 30, 5, 250000, OSLO),
    "day": date(2024, 2, 29),
    "text_date": "2024-02-29T22:30:05.250Z",
    "trigger": {"date": "2024-05-17T06:00:00+02:00"},
    "money": Decimal("12.90"),
    "huge": Decimal("1E+999999"),
}

GOLDEN: list[tuple[str, str]] = [
    # --- where a method may stand
    ("path.split('/')[0]", "a"),
    ("path.split('/').get(2).toUpperCase()", "C"),
    ("path.split('/').size() + 1", "4"),
    ("'x' ~ path.length() ~ 'x'", "x5x"),
    ("path.length() > 4 ? 'long' : 'short'", "long"),
    ("path | replace({path.substring(0, 2): ''})", "b/c"),
    ("(path | upper).toLowerCase()", "a/b/c"),
    ("path.toUpperCase() | lower", "a/b/c"),
    ("'#{1}'.length()", "4"),
    ('"#{path.length()}".length()', "1"),
    ("[1, 2].size() ~ {'a': 1}.size()", "21"),
    ("map.keySet() | join('-')", "size-a-7-none"),
    ("-path.length()", "-5"),
    ("not path.isEmpty()", "true"),
    # --- which one is meant
    ("map.size() ~ map.size", "49"),
    ("map.isEmpty() ~ (map.empty ?? 'no key')", "falseno key"),
    ("path.LENGTH() ~ path.touppercase()", "5A/B/C"),
    ("path.length ~ path.empty ~ list.size ~ list.empty", "5false4false"),
    ("list.first ~ list.first() ~ list.getFirst()", "111"),
    ("path['length']", "5"),
    ("list['size']", "4"),
    # --- what is missing
    ("nothing.length() ?? 'd'", "d"),
    ("map.none.length() ?? 'd'", "d"),
    ("path.containsKey('a') ?? 'd'", "d"),
    ("path.size ?? 'd'", "d"),
    ("path.length is defined", "true"),
    ("path.size() is defined", "false"),
    ("map.get('none') is null", "true"),
    ("nothing.trim().length() | default('d')", "d"),
    # --- texts, in units of UTF-16
    ("wide.length() ~ ' ' ~ wide.indexOf('a') ~ ' ' ~ wide.lastIndexOf('a')", "4 3 3"),
    ("wide.substring(2) ~ wide.substring(0, 2)", " a😀"),
    ("wide.codePointAt(0) ~ ' ' ~ wide.codePointAt(1) ~ ' ' ~ wide.charAt(3)", "128512 56832 a"),
    ("wide.indexOf('a', 9) ~ wide.indexOf('', 9) ~ wide.lastIndexOf('😀', 0)", "-140"),
    ("wide.lastIndexOf('a', 2)", "-1"),
    ("wide.hashCode()", "1703757028"),
    ("'abc'.indexOf('b', -5) ~ 'abc'.indexOf('', 9) ~ 'abc'.lastIndexOf('c', -1)", "13-1"),
    ("'abc'.substring(3) ~ '|'", "|"),
    ("'banana'.lastIndexOf('an', 2)", "1"),
    ("'abc'.startsWith('c', 2) ~ 'abc'.startsWith('c', 9) ~ 'abc'.startsWith('')", "truefalsetrue"),
    ("'a,b,,'.split(',') | length", "2"),
    ("'a,b,,'.split(',', -1) | length", "4"),
    ("'a,b,c'.split(',', 2)", '["a","b,c"]'),
    ("'a1b22c'.split('[0-9]+')", '["a","b","c"]'),
    ("'a.b'.split('.')", "[]"),
    (r"'a.b'.split('\.')", '["a","b"]'),
    ("'abc'.split('')", '["a","b","c"]'),
    ("''.split(',')", '[""]'),
    ("'abc'.replace('', '-')", "-a-b-c-"),
    ("'a.b.c'.replace('.', '')", "abc"),
    ("'a.b'.replaceAll('.', 'x')", "xxx"),
    ("'k=v'.replaceAll('(.)=(.)', '$2=$1')", "v=k"),
    ("'aaa'.replaceFirst('a', 'b')", "baa"),
    ("'abc'.matches('b') ~ 'abc'.matches('.*b.*')", "falsetrue"),
    ("'straße'.toUpperCase()", "STRASSE"),
    ("'straße'.equalsIgnoreCase('STRASSE') ~ 'É'.equalsIgnoreCase('é')", "falsetrue"),
    ("'a'.equals(null) ~ 'a'.equalsIgnoreCase(null) ~ '1'.equals(1)", "falsefalsefalse"),
    ("'apple'.compareTo('apricot') ~ ' ' ~ 'app'.compareTo('apple')", "-2 -2"),
    ("'b'.compareTo('abc') ~ ' ' ~ ''.compareTo('abc') ~ ' ' ~ 'x'.compareTo('x')", "1 -3 0"),
    ("'abcdefgh'.compareTo('abcdeXgh') ~ ' ' ~ 'abc'.compareTo('ab')", "14 1"),
    ("'B'.compareTo('a') ~ ' ' ~ 'B'.compareToIgnoreCase('a')", "-31 1"),
    ("'x'.join(', ', ['a', null, 1.5])", "a, null, 1.5"),
    ("''.hashCode() ~ ' ' ~ 'polygenelubricants'.hashCode()", "0 -2147483648"),
    # --- lists and maps
    ("list.contains(1) ~ list.contains(1.0) ~ list.contains('1')", "truetruefalse"),
    ("list.indexOf(null) ~ ' ' ~ list.indexOf('z') ~ ' ' ~ list.contains(null)", "2 -1 true"),
    ("list.subList(1, 1) ~ list.subList(1, 3)", '[]["b",null]'),
    ("list.toString() ~ map.toString()", "[1, b, null, 2.5]{size=9, a=1, 7=seven, none=null}"),
    ("[[1], {'a': [2]}].toString()", "[[1], {a=[2]}]"),
    ("list.reversed()[0] ~ list.last", "2.52.5"),
    ("[[1, 2]].contains([1, 2])", "true"),
    ("map.get('nope') ?? 'none'", "none"),
    ("map.get(7) ~ map.containsKey(7)", "seventrue"),
    ("map.getOrDefault('none', 1) ?? 'null'", "null"),
    ("map.containsValue(null) ~ map.containsValue(1)", "truetrue"),
    ("map.get(null) is null", "true"),
    ("map.entrySet()[1].key ~ map.entrySet()[1].getValue()", "a1"),
    ("map.entrySet()[1].toString() ~ map.entrySet().size()", "a=14"),
    ("map.keySet().contains('a') ~ map.values().size()", "true4"),
    # --- numbers
    ("(2147483648).intValue() ~ ' ' ~ (1.5 * 3000000000).intValue()", "-2147483648 2147483647"),
    ("(-1.9).intValue() ~ ' ' ~ money.intValue() ~ ' ' ~ money.doubleValue()", "-1 12 12.9"),
    ("(1).equals(1) ~ (1).equals(1.0) ~ (1).equals('1')", "truefalsefalse"),
    ("(2).compareTo(10) ~ (1.5).compareTo(1)", "-11"),
    ("(1.5).hashCode() ~ ' ' ~ (4294967296).hashCode() ~ ' ' ~ (-1).hashCode()", "1073217536 1 -1"),
    ("money.toString() ~ true.toString() ~ false.hashCode()", "12.90true1237"),
    # --- dates
    ("moment.getYear() ~ '-' ~ moment.monthValue ~ '-' ~ moment.dayOfMonth", "2024-2-29"),
    ("moment.getHour() ~ ':' ~ moment.minute ~ ':' ~ moment.second ~ '.' ~ moment.nano",
     "23:30:5.250000000"),
    ("moment.getDayOfWeek() ~ moment.dayOfWeek.getValue() ~ moment.getMonth().getValue()",
     "THURSDAY42"),
    ("moment.getDayOfWeek() == 'THURSDAY'", "true"),
    ("moment.plusYears(1).toLocalDate() ~ ' ' ~ moment.plusMonths(12).toLocalDate()",
     "2025-02-28 2025-02-28"),
    ("moment.minusMonths(1).withDayOfMonth(31).toLocalDate()", "2024-01-31"),
    ("moment.plusHours(1) ~ ' ' ~ moment.minusSeconds(5)",
     "2024-03-01T00:30:05.250+01:00 2024-02-29T23:30:00.250+01:00"),
    ("moment.toInstant() ~ ' ' ~ moment.getOffset()", "2024-02-29T22:30:05.250Z +01:00"),
    ("moment.toEpochSecond() ~ ' ' ~ moment.toEpochMilli()", "1709245805 1709245805250"),
    ("moment.toLocalDateTime().plusDays(1) ~ ' ' ~ moment.toLocalTime()",
     "2024-03-01T23:30:05.250 23:30:05.250"),
    ("moment.isEqual(text_date) ~ moment.equals(text_date) ~ moment.isBefore(text_date)",
     "truefalsefalse"),
    ("moment.isAfter('2024-02-28') ~ day.isBefore('2024-03-01') ~ day.compareTo('2024-02-27')",
     "truetrue2"),
    ("day.getYear() ~ day.plusDays(1) ~ day.lengthOfMonth() ~ day.isLeapYear()",
     "20242024-03-0129true"),
    ("day.getHour() ?? 'no hour'", "no hour"),
    ("'2024-02-29'.getHour() ?? 'no hour'", "no hour"),
    ("text_date.getYear() ~ text_date.length()", "202424"),
    ("'no date'.getYear() ?? 'd'", "d"),
    ("trigger.date.getHour() ~ trigger.date.dayOfWeek", "6FRIDAY"),
    ("trigger.date.minusDays(1) | date('yyyy-MM-dd')", "2024-05-16"),
    ("now().getYear()", "2024"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), GOLDEN)
def test_as_in_java(expressions: Expressions, host: Host, expression: str, expected: str) -> None:
    template = f"{{{{ {expression} }}}}"
    assert expressions.render(template, V, host) == expected
    expressions.check(template)


def test_methods_in_tags(render: Render) -> None:
    template = (
        "{% if path.contains('/') %}{% for p in path.split('/') %}<{{ p }}>{% endfor %}{% endif %}"
    )
    assert render(template, **V) == "<a><b><c>"


RAISED: list[tuple[str, str]] = [
    ("path.substring(9)", "the part from 9 to 5 is outside of a text of the length 5"),
    ("path.substring(3, 1)", "the part from 3 to 1 is outside"),
    ("path.charAt(5)", "the index 5 is outside of a text of the length 5"),
    ("path.repeat(-1)", "a `count` of 0 or more, not -1"),
    ("path.contains(null)", "`contains()` takes text as its `text`, not null"),
    ("path.charAt('1')", "takes an integer as its `index`, not text"),
    ("path.matches('(')", "bad regular expression"),
    ("path.replaceAll('/', '$9')", "no group `9`"),
    ("list.get(9)", "the index 9 is outside of a list of 4 items"),
    ("[].getFirst()", "the list is empty"),
    ("list.subList(0, 9)", "is outside of a list of 4 items"),
    ("huge.intValue()", "the number is too large to be made an integer"),
    ("moment.withMonth(13)", "there is no such date"),
    ("moment.plusYears(9000)", "leaves the years 1 to 9999"),
    ("moment.isBefore('soon')", "is no date"),
    ("list.keySet()", "a list has no method `keySet()`; maps have one"),
    ("path.getClass()", "there is no method `getClass()`: nothing can be asked about a class"),
    ("list.GETCLASS()", "nothing can be asked about a class"),
    ("map.put('a', 1)", "an expression changes no value; use `x | merge({'key': value})`"),
    ("list.add(1)", "an expression changes no value; use `list + [x]`"),
    ("list.remove(0)", "an expression changes no value; use `list - x`"),
    ("list.stream()", "use `x | jq('map(.name)') | first`, or `{% for %}`"),
    ("path.lines()", "use `x | split('"),
    ("moment.format('yyyy')", "`x | date('…')` for dates"),
    ("path.toUppercaseX()", "did you mean `toUpperCase`?"),
    ("path.qqq()", "there is no method `qqq()`; see the filters and functions"),
    (
        "path.substring()",
        "`substring()` is written `substring(begin, end?)`, not with 0 argument(s)",
    ),
    ("path.substring(begin=1)", "the arguments of the method `substring()` have no names"),
]


@pytest.mark.parametrize(("expression", "message"), RAISED)
def test_what_is_raised(
    expressions: Expressions, host: Host, expression: str, message: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.render(f"\n{{{{ {expression} }}}}", V, host)
    assert message in str(caught.value)
    assert caught.value.line == 2


def test_a_mistake_in_a_call_is_no_missing_value(expressions: Expressions, host: Host) -> None:
    """`??` catches a method that does not exist, not one that fails, as in Pebble."""
    with pytest.raises(ExpressionError) as caught:
        expressions.render("{{ list.get(9) ?? 'd' }}", V, host)
    assert not isinstance(caught.value, UndefinedError)


@pytest.mark.parametrize("name", ["put", "add", "remove", "clear", "set", "getClass", "wait"])
def test_no_table_has_what_changes_or_reflects(name: str) -> None:
    assert not any(list(table.named(name)) for table in TABLES.values())


def test_every_method_that_hands_values_on_is_in_a_table() -> None:
    assert {name for table in TABLES.values() for name in table.rows} >= PASS_ON


# --- values that are not known here -----------------------------------------------------------


SECRET = "\ue000secret\ue000"


@pytest.mark.parametrize(
    "expression",
    [
        "map.get('token')",
        "map.getOrDefault('token', 1)",
        "map.containsKey('token') ? map.token : 1",
        "map.size() == 1 ? map.values()[0] : 1",
        "[map.token, 1].get(0)",
        "[map.token].getFirst()",
        "map.entrySet()[0].getValue()",
    ],
)
def test_a_value_that_is_not_known_is_handed_on(expressions: Expressions, expression: str) -> None:
    opaque = Opaque("\ue000")
    host = Host(opaque=opaque)
    template = f"{{{{ {expression} }}}}"
    assert expressions.render(template, {"map": {"token": SECRET}}, host) == SECRET
    assert not opaque.used


@pytest.mark.parametrize(
    "expression",
    [
        "map.token.length()",
        "map.token.length",
        "map.token.length ?? 'd'",
        "map.token.year ?? 'd'",
        "map.token.getYear() ?? 'd'",
        "map.token is defined ? map.token.isEmpty : 1",
        "map.containsValue('x')",
        "map.containsKey(map.token)",
        "map.toString()",
        "[map.token].contains('x')",
        "'x'.equals(map.token)",
        "'x'.concat(map.token)",
        "'a'.join('-', [map.token])",
    ],
)
def test_a_value_that_is_not_known_is_not_looked_at(
    expressions: Expressions, expression: str
) -> None:
    opaque = Opaque("\ue000")
    with pytest.raises(ExpressionError, match="not known here"):
        expressions.render(
            f"{{{{ {expression} }}}}", {"map": {"token": SECRET}}, Host(opaque=opaque)
        )
    assert opaque.used


def test_dates_and_constants_are_text_where_they_are_printed(render: Render) -> None:
    moment = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    template = "{{ [d.toLocalDate(), d.getMonth(), d.plusDays(1)] }}"
    assert render(template, d=moment) == '["2026-01-15","JANUARY","2026-01-16T10:30:00Z"]'
