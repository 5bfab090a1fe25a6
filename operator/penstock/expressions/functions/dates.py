"""The function that reads the clock."""

from __future__ import annotations

from typing import Any

from penstock.expressions.dates.exact import ExactDate
from penstock.expressions.filters.dates import formatted
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering


@register_function("now")
def now(
    run: Rendering,
    format: Any = "iso",
    timeZone: Any = None,
    existingFormat: Any = None,
    locale: Any = None,
) -> str:
    """The present date and time, in a format and zone; see `date`.

    {{ now() }} → 2026-01-15T10:30:00.000000Z
    {{ now('yyyy-MM-dd HH:mm', timeZone='Europe/Oslo') }} → 2026-01-15 11:30
    """
    return formatted(run, ExactDate(run.host.now()), format, timeZone, locale)
