"""Cron expressions as Kestra reads them.

The dates are found by cronsim, which follows Debian's cron. Kestra's reader, cron-utils, differs
from it in one rule. Where the day of the month and that of the week are both restricted, one of
them is enough; and a day that is written `*/2` is restricted, which to Debian's cron it is not. So
`0 0 */2 * MON` means there the Mondays with an odd date, and here each odd date and each Monday.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from cronsim import CronSim, CronSimError

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_STAR = re.compile(r"(?:^|(?<=,))\*(?=[/,]|$)")
_DAY_OF_MONTH, _MONTH, _DAY_OF_WEEK = -3, -2, -1


class CronError(Exception):
    """An expression can't be read. The text is for its author."""


def dates(
    cron: str, start: datetime, *, with_seconds: bool = False, reverse: bool = False
) -> Iterator[datetime]:
    """Find the dates of an expression after an instant, or before it, in the instant's zone. Raises
    :class:`CronError`."""
    fields = _fields(cron, with_seconds)
    try:
        return iter(CronSim(" ".join(fields), start, reverse=reverse))
    except CronSimError as error:
        if _would_fire(fields, start):
            message = "it never fires: none of its months has such a day"
            raise CronError(message) from None
        raise CronError(str(error)) from None


def _fields(cron: str, with_seconds: bool) -> list[str]:
    """Split an expression into fields as cronsim has to read them."""
    written = cron.strip()
    plain = _NICKNAMES.get(written.lower())
    fields = (plain or written).split()
    expected = 6 if with_seconds and plain is None else 5
    if len(fields) != expected:
        raise CronError(f"expected {expected} fields, found {len(fields)}")
    if expected == 6 and fields[0] == "0":
        fields = fields[1:]  # then a fixed time is met once on each day
    if "*" not in (fields[_DAY_OF_MONTH], fields[_DAY_OF_WEEK]):
        fields[_DAY_OF_MONTH] = _STAR.sub("1-31", fields[_DAY_OF_MONTH])
        fields[_DAY_OF_WEEK] = _STAR.sub("0-7", fields[_DAY_OF_WEEK])
    return fields


def _would_fire(fields: list[str], start: datetime) -> bool:
    """Tell whether an expression that has no date would have some in other months."""
    other = [*fields]
    other[_MONTH] = "*"
    try:
        CronSim(" ".join(other), start)
        CronSim(" ".join([*fields[:_DAY_OF_MONTH], "*", *fields[_MONTH:]]), start)
    except CronSimError:
        return False
    return True
