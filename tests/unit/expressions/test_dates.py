"""Dates as Java writes, reads and moves them: the expected texts are those of OpenJDK."""

from __future__ import annotations

import pytest

from penstock.expressions import ExpressionError
from tests.unit.expressions.conftest import Render

# A text, a format, a zone, what is written.
WRITTEN: list[tuple[str, str, str, str]] = [
    (
        "2026-08-06T04:05:09.123456789Z",
        "YYYY w W Q QQQ e E EEEEE D a h K k",
        "UTC",
        "2026 32 2 3 Q3 5 Thu T 218 AM 4 4 4",
    ),
    (
        "2026-08-06T04:05:09.123456789Z",
        "uuuu-DDD yy MMM MMMM MMMMM LLL SSS n A N",
        "UTC",
        "2026-218 26 Aug August A Aug 123 123456789 14709123 14709123456789",
    ),
    ("2026-08-06T04:05:09.123456789Z", "yyyy'W'ww''", "UTC", "2026W32'"),
    ("2026-08-06T04:05:09.123456789Z", "''''HH''''", "UTC", "'04'"),
    ("2026-08-06T04:05:09.123456789Z", "G GGGG GGGGG", "UTC", "AD Anno Domini A"),
    ("2026-08-06T04:05:09.123456789Z", "L LLLL LLLLL", "UTC", "8 August A"),
    ("2026-08-06T04:05:09.123456789Z", "QQQQ QQQQQ qqq", "UTC", "3rd quarter 3 Q3"),
    ("2026-08-06T04:05:09.123456789Z", "e ee eee eeee eeeee", "UTC", "5 05 Thu Thursday T"),
    ("2026-08-06T04:05:09.123456789Z", "c ccc cccc", "UTC", "5 Thu Thursday"),
    ("2026-08-06T04:05:09.123456789Z", "yyyyy yyy y", "UTC", "02026 2026 2026"),
    ("2026-08-06T04:05:09.123456789Z", "ss.SSSSSSSSS", "UTC", "09.123456789"),
    ("2026-08-06T04:05:09.123456789Z", "[yyyy][-MM]", "UTC", "2026-08"),
    ("2026-08-06T04:05:09.123456789Z", "iso", "UTC", "2026-08-06T04:05:09.123456Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_milli", "UTC", "2026-08-06T04:05:09.123Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_sec", "UTC", "2026-08-06T04:05:09Z"),
    ("2026-08-06T04:05:09.123456789Z", "sql", "UTC", "2026-08-06 04:05:09.123456"),
    ("2026-08-06T04:05:09.123456789Z", "iso_date", "UTC", "2026-08-06Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_time", "UTC", "04:05:09.123456789Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_local_date", "UTC", "2026-08-06"),
    ("2026-08-06T04:05:09.123456789Z", "iso_local_time", "UTC", "04:05:09.123456789"),
    (
        "2026-08-06T04:05:09.123456789Z",
        "iso_local_date_time",
        "UTC",
        "2026-08-06T04:05:09.123456789",
    ),
    ("2026-08-06T04:05:09.123456789Z", "iso_offset_time", "UTC", "04:05:09.123456789Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_instant", "UTC", "2026-08-06T04:05:09.123456789Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_ordinal_date", "UTC", "2026-218Z"),
    ("2026-08-06T04:05:09.123456789Z", "iso_week_date", "UTC", "2026-W32-4Z"),
    (
        "2026-08-06T04:05:09.123456789Z",
        "iso_date_time",
        "UTC",
        "2026-08-06T04:05:09.123456789Z[UTC]",
    ),
    (
        "2026-08-06T04:05:09.123456789Z",
        "iso_zoned_date_time",
        "UTC",
        "2026-08-06T04:05:09.123456789Z[UTC]",
    ),
    ("2026-08-06T04:05:09.123456789Z", "rfc_1123_date_time", "UTC", "Thu, 6 Aug 2026 04:05:09 GMT"),
    (
        "2026-08-06T04:05:09Z",
        "X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO VV z",
        "UTC",
        "Z Z Z +00 +0000 +00:00 +0000 GMT Z GMT GMT UTC UTC",
    ),
    (
        "2026-08-06T04:05:09Z",
        "X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO VV z",
        "Z",
        "Z Z Z +00 +0000 +00:00 +0000 GMT Z GMT GMT Z Z",
    ),
    (
        "2026-08-06T04:05:09Z",
        "X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO VV z",
        "GMT+2",
        "+02 +0200 +02:00 +02 +0200 +02:00 +0200 GMT+02:00 +02:00 "
        "GMT+2 GMT+02:00 GMT+02:00 GMT+02:00",
    ),
    (
        "2026-08-06T04:05:09Z",
        "X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO VV z",
        "-03:30",
        "-0330 -0330 -03:30 -0330 -0330 -03:30 -0330 GMT-03:30 "
        "-03:30 GMT-3:30 GMT-03:30 -03:30 -03:30",
    ),
    (
        "2026-08-06T04:05:09Z",
        "X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO VV z",
        "Europe/Paris",
        "+02 +0200 +02:00 +02 +0200 +02:00 +0200 GMT+02:00 +02:00 "
        "GMT+2 GMT+02:00 Europe/Paris CEST",
    ),
    ("2026-01-01", "YYYY-'W'ww e", "UTC", "2026-W01 5"),
    ("2024-12-30", "YYYY-'W'ww e", "UTC", "2025-W01 2"),
    ("2027-01-02", "YYYY-'W'ww e", "UTC", "2027-W01 7"),
    ("2027-01-03", "YYYY-'W'ww e", "UTC", "2027-W02 1"),
    ("2020-12-31", "YYYY-'W'ww e", "UTC", "2021-W01 5"),
    ("2026-01-01", "iso_week_date", "UTC", "2026-W01-4Z"),
    ("2024-12-30", "iso_week_date", "UTC", "2025-W01-1Z"),
    ("2027-01-03", "iso_week_date", "UTC", "2026-W53-7Z"),
    ("2026-03-29T02:30:00", "iso_sec", "Europe/Paris", "2026-03-29T03:30:00+02:00"),
    ("2026-10-25T02:30:00", "iso_sec", "Europe/Paris", "2026-10-25T02:30:00+02:00"),
    (
        "2026-10-25T02:30:00+01:00[Europe/Paris]",
        "iso_sec",
        "Europe/Paris",
        "2026-10-25T02:30:00+01:00",
    ),
    ("2026-08-06T04:05:09.120Z", "iso_instant", "UTC", "2026-08-06T04:05:09.120Z"),
    ("2026-08-06T04:05", "HH:mm", "UTC", "04:05"),
    ("2026-08-06T04:05+05:30", "HH:mm", "UTC", "22:35"),
]

# A text, its format, the instant in UTC.
READ: list[tuple[str, str, str]] = [
    ("20260806", "yyyyMMdd", "2026-08-06T00:00:00.000000000Z"),
    ("06.08.2026", "dd.MM.yyyy", "2026-08-06T00:00:00.000000000Z"),
    ("8/6/26", "M/d/yy", "2026-08-06T00:00:00.000000000Z"),
    ("6 Aug 2026", "d MMM yyyy", "2026-08-06T00:00:00.000000000Z"),
    ("Thursday, August 6, 2026", "EEEE, MMMM d, yyyy", "2026-08-06T00:00:00.000000000Z"),
    ("2026-218", "yyyy-DDD", "2026-08-06T00:00:00.000000000Z"),
    ("2026-W32-5", "YYYY-'W'ww-e", "2026-08-06T00:00:00.000000000Z"),
    ("2026-W32-4", "iso_week_date", "2026-08-06T00:00:00.000000000Z"),
    ("20260806040509123", "yyyyMMddHHmmssSSS", "2026-08-06T04:05:09.123000000Z"),
    ("06/08/2026 4:05 PM", "dd/MM/yyyy h:mm a", "2026-08-06T16:05:00.000000000Z"),
    ("2026-08-06 24:10", "yyyy-MM-dd kk:mm", "2026-08-06T00:10:00.000000000Z"),
    ("2026-08-06 14709123", "yyyy-MM-dd A", "2026-08-06T04:05:09.123000000Z"),
    (
        "2026-08-06 04:05:09.987654321",
        "yyyy-MM-dd HH:mm:ss.SSSSSSSSS",
        "2026-08-06T04:05:09.987654321Z",
    ),
    ("2026-08-06 04:05 +0200", "yyyy-MM-dd HH:mm Z", "2026-08-06T02:05:00.000000000Z"),
    ("2026-08-06 04:05 +02:00", "yyyy-MM-dd HH:mm XXX", "2026-08-06T02:05:00.000000000Z"),
    ("2026-08-06 04:05 Europe/Paris", "yyyy-MM-dd HH:mm VV", "2026-08-06T02:05:00.000000000Z"),
    ("2026-08-06 04:05 GMT+2", "yyyy-MM-dd HH:mm O", "2026-08-06T02:05:00.000000000Z"),
    ("2026-08-06", "yyyy-MM-dd[ HH:mm]", "2026-08-06T00:00:00.000000000Z"),
    ("6 Aug 2026 04:05 GMT", "rfc_1123_date_time", "2026-08-06T04:05:00.000000000Z"),
]

# A date in Paris, an amount and its unit, the date then.
ADDED: list[tuple[str, int, str, str]] = [
    ("2026-01-31", 1, "MONTHS", "2026-02-28T00:00:00.000000000+01:00"),
    ("2024-02-29", 1, "YEARS", "2025-02-28T00:00:00.000000000+01:00"),
    ("2026-03-31", -1, "MONTHS", "2026-02-28T00:00:00.000000000+01:00"),
    ("2026-01-31", -1, "WEEKS", "2026-01-24T00:00:00.000000000+01:00"),
    ("2026-03-28T02:30:00", 1, "DAYS", "2026-03-29T03:30:00.000000000+02:00"),
    ("2026-03-28T02:30:00", 24, "HOURS", "2026-03-29T03:30:00.000000000+02:00"),
    ("2026-10-24T02:30:00", 1, "DAYS", "2026-10-25T02:30:00.000000000+02:00"),
    ("2026-10-26T02:30:00", -1, "DAYS", "2026-10-25T02:30:00.000000000+01:00"),
    ("2026-08-06T04:05:09.999999999", 1, "NANOS", "2026-08-06T04:05:10.000000000+02:00"),
    ("2026-08-06T04:05:09", -1, "NANOS", "2026-08-06T04:05:08.999999999+02:00"),
]
EXACT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX"


@pytest.mark.parametrize(("text", "pattern", "zone", "expected"), WRITTEN)
def test_dates_are_written_as_in_java(
    render: Render, text: str, pattern: str, zone: str, expected: str
) -> None:
    assert render("{{ t | date(p, timeZone=z) }}", t=text, p=pattern, z=zone) == expected


@pytest.mark.parametrize(("text", "pattern", "expected"), READ)
def test_texts_are_read_as_in_java(render: Render, text: str, pattern: str, expected: str) -> None:
    template = "{{ t | date(exact, timeZone='UTC', existingFormat=p) }}"
    assert render(template, t=text, p=pattern, exact=EXACT) == expected


@pytest.mark.parametrize(("text", "amount", "unit", "expected"), ADDED)
def test_dates_are_moved_as_in_java(
    render: Render, text: str, amount: int, unit: str, expected: str
) -> None:
    template = "{{ t | dateAdd(n, u, exact, timeZone='Europe/Paris') }}"
    assert render(template, t=text, n=amount, u=unit, exact=EXACT) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (-1, "1969-12-31T23:59:59.000000000Z"),
        (1785989109, "2026-08-06T04:05:09.000000000Z"),
        (99999999999, "5138-11-16T09:46:39.000000000Z"),
        (100000000000, "1973-03-03T09:46:40.000000000Z"),
        (1785989109123, "2026-08-06T04:05:09.123000000Z"),
        (-1785989109123, "1913-05-28T19:54:50.877000000Z"),
        (1785989109123456, "2026-08-06T04:05:09.123456000Z"),
        (1785989109123456789, "2026-08-06T04:05:09.123456789Z"),
    ],
)
def test_a_number_has_the_unit_of_its_size(render: Render, number: int, expected: str) -> None:
    assert render("{{ n | date(exact) }}", n=number, exact=EXACT) == expected


def test_timestamps_have_the_unit_of_their_name(render: Render) -> None:
    text = "2026-08-06T04:05:09.123456789Z"

    assert render("{{ t | timestamp }}", t=text) == "1785989109"
    assert render("{{ t | timestampMilli }}", t=text) == "1785989109123"
    assert render("{{ t | timestampMicro }}", t=text) == "1785989109123456"
    assert render("{{ t | timestampNano }}", t=text) == "1785989109123456789"
    for unit in ("", "Milli", "Micro", "Nano"):
        assert render(f"{{{{ t | timestamp{unit} | date('iso_sec') }}}}", t=text) == (
            "2026-08-06T04:05:09Z"
        )


def test_short_formats_of_kestra(render: Render) -> None:
    text = "2026-08-06T04:05:09.123456789Z"

    assert render("{{ t | date('sql_milli') }}", t=text) == "2026-08-06 04:05:09.123"
    assert render("{{ t | date('sql_sec') }}", t=text) == "2026-08-06 04:05:09"
    assert render("{{ t | date('sql_seq') }}", t=text) == "2026-08-06 04:05:09"
    assert (
        render("{{ t | date('yyyy', existingFormat='sql_milli') }}", t="2026-08-06 04:05:09.123")
        == "2026"
    )


REFUSED: list[tuple[str, str, str]] = [
    ("2026-08", "yyyy-MM", "a date has a year, a month and a day"),
    ("04:05", "HH:mm", "a date has a year, a month and a day"),
    ("2026-W32", "YYYY-'W'ww", "a date has a year, a month and a day"),
    ("2026-13-01", "yyyy-MM-dd", "month must be in 1..12"),
    ("2026-366", "yyyy-DDD", "2026 has no day 366"),
    ("2026-8-6", "yyyy-MM-dd", "is no date of the format `yyyy-MM-dd`"),
    ("2026-08-06 24:05", "yyyy-MM-dd HH:mm", "the last hour of `H` is 23"),
    ("2026-08-06 04:61", "yyyy-MM-dd HH:mm", "there is no time 04:61:00"),
    ("Mon 2026-08-06", "EEE yyyy-MM-dd", "2026-08-06 is a Thursday"),
    ("2026-08-06 04:05 Mars/Base", "yyyy-MM-dd HH:mm VV", "unknown time zone `Mars/Base`"),
]


@pytest.mark.parametrize(("text", "pattern", "message"), REFUSED)
def test_a_text_that_is_no_date_is_refused(
    render: Render, text: str, pattern: str, message: str
) -> None:
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(")):
        render("{{ t | date('iso', existingFormat=p) }}", t=text, p=pattern)


@pytest.mark.parametrize(
    "text", ["2026-08-06 04:05:09", "2026-08-06T04:05:09,5Z", "20260806", "2026-02-29", ""]
)
def test_only_iso_texts_need_no_format(render: Render, text: str) -> None:
    with pytest.raises(ExpressionError, match="is no date"):
        render("{{ t | date }}", t=text)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("yyyy-MM-ddd", "too many `d`"),
        ("SSSSSSSSSS", "too many `S`"),
        ("aa", "too many `a`"),
        ("V", "a zone's name is `VV`"),
        ("cc", "a day of the week is `c`"),
        ("OO", "an offset is `O` or `OOOO`"),
        ("yyyyTHH", "unknown letter `T`"),
        ("yyyy 'o", "a quote that is not closed"),
        ("yyyy#", "a reserved `#`"),
    ],
)
def test_patterns_that_java_refuses(render: Render, pattern: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        render("{{ 0 | date(p) }}", p=pattern)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ '2026-08-06' | dateAdd(1.5, 'DAYS') }}", "`amount` must be an integer"),
        (
            "{{ '2026-08-06' | dateAdd(1, 'day') }}",
            r"unknown unit `DAY` \(.*\); did you mean `DAYS`\?",
        ),
        ("{{ 1.5 | date }}", "needs a date, not"),
    ],
)
def test_what_can_not_be_moved_or_read(render: Render, template: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        render(template)
