"""What stands in objects of the API server, whoever wrote it.

Schemas check most of it. But the API server takes a list, too, wherever a text has a format, as
dates have; it knows leap seconds and years beyond 1 to 9999; and a status may be from another
version. Who looks at objects of others must not stumble over one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from penstock.resources.conditions import Condition

Status = TypeVar("Status", bound=BaseModel)
Spec = TypeVar("Spec", bound=BaseModel)


class InvalidSpec(Exception):
    """A spec can't be read. The message names the first field of which that is so."""

    reason = "InvalidSpec"

    def __init__(self, error: ValidationError) -> None:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, ("spec", *first["loc"])))
        super().__init__(f"{place}: {first['msg'].removeprefix('Value error, ')}")


def written_date(value: Any) -> datetime | None:
    """Read a date of an object; None where it is none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def spec_of(model: type[Spec], body: dict[str, Any]) -> Spec:
    """Read the spec of an object. Raises ``InvalidSpec``."""
    try:
        return model.model_validate(body.get("spec") or {})
    except ValidationError as error:
        raise InvalidSpec(error) from None


def status_of(model: type[Status], body: dict[str, Any]) -> Status:
    """Read the status of an object. One that can't be read counts as none: it is written anew."""
    try:
        return model.model_validate(body.get("status") or {})
    except ValidationError:
        return model()


def conditions_of(body: dict[str, Any]) -> list[Condition]:
    """Read the conditions of an object, as far as they can be read."""
    return list(_conditions((body.get("status") or {}).get("conditions") or ()))


def _conditions(items: Any) -> Iterator[Condition]:
    for item in items:
        try:
            yield Condition.model_validate(item)
        except ValidationError:
            continue
