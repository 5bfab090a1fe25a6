"""`isPublicHoliday`: what it refuses, and who pays for the calendars."""

from __future__ import annotations

from time import thread_time

import pytest

from penstock.expressions import Allowance, ExpressionError, Expressions, Host, spending
from penstock.expressions.dates import holidays

HOST = Host()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("isPublicHoliday('2026-05-17', 'Norway')", "`Norway` is no country"),
        ("isPublicHoliday('2026-05-17', 'XX')", "no calendar of holidays for `XX`"),
        ("isPublicHoliday('2026-05-17', 'DE', 'ZZ')", "no calendar of holidays for `DE-ZZ`"),
        ("isPublicHoliday('tomorrow', 'NO')", "tomorrow"),
        ("isPublicHoliday('2026-05-17')", "expects an argument `country`"),
    ],
)
def test_what_is_no_date_or_no_country_is_told(call: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        Expressions().render(f"{{{{ {call} }}}}", {}, HOST)


def test_the_first_one_to_ask_does_not_pay_for_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given calendars that take longer to load than the expressions may
    def slow() -> None:
        end = thread_time() + 0.2
        while thread_time() < end:
            pass

    Expressions().render("{{ isPublicHoliday('2026-05-17', 'NO') }}", {}, HOST)
    monkeypatch.setattr(holidays, "load_calendars", slow)
    # when, then
    with spending(Allowance(0.1, 10_000, "too long", shared=True)):
        for _ in range(2):
            text = Expressions().render("{{ isPublicHoliday('2026-05-17', 'NO') }}", {}, HOST)
            assert text == "true"
