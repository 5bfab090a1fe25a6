"""The base of every model of the flow document, and the types of their properties.

Kestra refuses a property it does not know. A typing error in a property
is the most frequent mistake in a flow file, so the refusal names the nearest property that exists.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

_ISO_DURATION = re.compile(
    r"(?P<sign>[-+]?)P(?=.)(?:(?P<weeks>[-+]?\d+)W)?(?:(?P<days>[-+]?\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>[-+]?\d+)H)?(?:(?P<minutes>[-+]?\d+)M)?"
    r"(?:(?P<seconds>[-+]?\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE | re.ASCII,
)


class Expression(str):
    """A property written as ``{{ … }}`` where another type is wanted: typed once it is rendered."""

    __slots__ = ()


def is_expression(value: object) -> bool:
    """Whether a value is text that has to be rendered before its type can be told.

    Comments count too: `{# … #}` is taken away, and one that is not closed fails the rendering.
    """
    return isinstance(value, str) and ("{{" in value or "{%" in value or "{#" in value)


def parse_duration(value: object) -> timedelta:
    """Read an ISO-8601 duration (``PT5S``, ``P1DT2H``). Raises ``ValueError`` with a hint."""
    if isinstance(value, timedelta):
        return value
    match = _ISO_DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"`{value}` is not an ISO-8601 duration; write for example PT30S, PT5M or P1D"
        )
    parts = {
        unit: float(number)
        for unit, number in match.groupdict().items()
        if unit != "sign" and number is not None
    }
    try:
        duration = timedelta(**parts)
    except OverflowError:
        raise ValueError(f"`{value}` is too long for a duration") from None
    return -duration if match["sign"] == "-" else duration


def format_duration(duration: timedelta) -> str:
    """Write a duration as Java does: hours, minutes and seconds, never days (``PT36H``)."""
    sign = "-" if duration < timedelta() else ""
    minutes, rest = divmod(abs(duration), timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    text = f"{sign}{hours}H" if hours else ""
    text += f"{sign}{minutes}M" if minutes else ""
    if rest or not text:
        text += sign + f"{rest.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"
    return f"PT{text}"


def _duration(value: object) -> timedelta:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return parse_duration(f"PT{value}S")  # Kestra reads a number as seconds
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{reason}", {"reason": str(error)}) from None


def _or_as_it_is(value: Any, handler: Any) -> Any:
    """Read a property, or keep its text as an expression: Kestra reads it only when the task
    runs."""
    try:
        return handler(value)
    except ValidationError:
        if isinstance(value, str):
            return Expression(value)
        raise


def _unless_expression(value: Any, handler: Any) -> Any:
    return Expression(value) if is_expression(value) else handler(value)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""An ISO-8601 duration."""

Rendered = WrapValidator(_unless_expression)
"""Marks a property that may be an expression in place of its own type (Kestra's ``P<T>``)."""

RenderedBool = Annotated[bool, Rendered]
"""A flag that may be an expression."""

DurationProperty = Annotated[
    timedelta, BeforeValidator(_duration), WrapValidator(_or_as_it_is), Rendered
]
"""A duration that may be an expression. Text that is neither fails the task that has it."""


Content = Annotated[str | dict[str, Any] | list[Any], "or what becomes its JSON"]
"""A text; where a map or a list stands in its place, it is rendered to the JSON of that."""


def json_text(value: Any) -> str:
    """A map or a list as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint ``; did you mean `x`?`` for the nearest other name that is known, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in known if candidate != name}
    near = difflib.get_close_matches(name.lower().replace("_", ""), by_lower, n=1, cutoff=0.7)
    return f"; did you mean `{by_lower[near[0]]}`?" if near else ""


def as_details(error: ValidationError) -> list[InitErrorDetails]:
    """The errors of a validation in the form in which another validation can raise them again."""
    details: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        kind = line["type"]
        context = line.get("ctx", {})
        if "error" in context or kind not in _CORE_ERRORS:
            details.append(
                InitErrorDetails(
                    type=PydanticCustomError(
                        "rule" if "error" in context else kind,
                        "{reason}",
                        {"reason": str(context["error"]) if "error" in context else line["msg"]},
                    ),
                    loc=line["loc"],
                    input=line["input"],
                )
            )
        else:
            details.append(
                InitErrorDetails(type=kind, loc=line["loc"], input=line["input"], ctx=context)
            )
    return details


_CORE_ERRORS = frozenset(get_args(ErrorType))
"""The kinds of error that pydantic makes by itself, and can make again from their context."""


def is_lenient(context: Any) -> bool:
    """Whether a validation reads a refused flow again, past what is wrong in single tasks."""
    return bool((context or {}).get("lenient"))


class Document(BaseModel):
    """Base of every model: camel-case names, and unknown properties refused by name."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        coerce_numbers_to_str=True,  # as Jackson does
        defer_build=True,
    )

    open_properties: ClassVar[bool] = False
    """True where further properties belong to somebody else (a runnable task's own)."""

    @classmethod
    def property_names(cls) -> list[str]:
        """The names under which properties may be written, aliases included."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="wrap")
    @classmethod
    def _read_strictly(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Refuse unknown properties. A property that is null counts as not given, as in Kestra."""
        errors: list[InitErrorDetails] = []
        if isinstance(value, dict):
            if not cls.open_properties and not is_lenient(info.context):
                errors = cls._unknown(value, written=info.context is not None)
            value = {key: item for key, item in value.items() if item is not None}
        try:
            result = handler(value)
        except ValidationError as error:
            errors += as_details(error)
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return result

    @classmethod
    def _unknown(cls, value: Mapping[Any, Any], *, written: bool) -> list[InitErrorDetails]:
        """The errors for unknown properties. Python's own names are known only in values made by
        code."""
        known = cls.property_names()
        accepted = {*known} if written else {*known, *cls.model_fields}
        return [
            unknown_property(key, known, item) for key, item in value.items() if key not in accepted
        ]


def unknown_property(key: object, known: Iterable[str], value: object) -> InitErrorDetails:
    """The error for one property that does not exist."""
    return InitErrorDetails(
        type=PydanticCustomError(
            "unknown_property",
            "unknown property `{key}`{hint}",
            {"key": str(key), "hint": did_you_mean(str(key), known)},
        ),
        loc=(str(key),),
        input=value,
    )
