"""Reads the values of options."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from penstock.cli.errors import INVALID, UserError
from penstock.flow.model import parse_duration

_SHORT_DURATION = re.compile(
    r"^(?=.)(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s?)?(?:(\d+)ms)?$"
)


def pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` options as a map; the last of a key wins."""
    values: dict[str, str] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise UserError(f"{option} `{text}`: write {option} KEY=VALUE", INVALID)
        values[key] = value
    return values


def json_pairs(option: str, given: Iterable[str]) -> dict[str, Any]:
    """`KEY=JSON` options as a map; the last of a key wins."""
    return {
        key: parsed_json(f"{option} `{key}`", text) for key, text in pairs(option, given).items()
    }


def parsed_json(what: str, text: str) -> Any:
    """A value that is written as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        hint = f"text needs quotes of its own: '\"{text}\"'" if text.isprintable() else ""
        raise UserError(f"{what}: `{text}` is not JSON; {hint}".rstrip("; "), INVALID) from None


def duration(option: str, text: str | None) -> timedelta | None:
    """`60s`, `5m`, `1h30m`, plain seconds, or an ISO-8601 duration."""
    if text is None:
        return None
    match = _SHORT_DURATION.match(text.strip())
    try:
        if match is None:
            found = parse_duration(text)
        else:
            hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
            found = timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)
    except (ValueError, OverflowError):
        raise UserError(f"{option} `{text}`: write for example 60s, 5m or 1h30m", INVALID) from None
    if found <= timedelta(0):
        raise UserError(f"{option} `{text}`: must be more than nothing", INVALID)
    return found
