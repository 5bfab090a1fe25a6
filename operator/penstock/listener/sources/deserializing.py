"""How the bytes of a message become values that fit into JSON."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from penstock.listener.source import Event, SourceError
from penstock.nesting import TOO_DEEP, is_deeper

_NUMBERS = {"INTEGER": ">i", "LONG": ">q", "SHORT": ">h", "FLOAT": ">f", "DOUBLE": ">d"}
_BYTES = frozenset({"BYTES", "BYTE_ARRAY", "BYTE_BUFFER"})


class Unreadable(SourceError):
    """Bytes are not what the trigger says that they are. The text names their message, and never
    shows its content."""


def read_event(key: str, read: Callable[[], Mapping[str, Any]]) -> Event:
    """Give the event of a message that ``read`` deserializes; where that fails, one that says
    so."""
    try:
        return Event(key, read())
    except Unreadable as error:
        return Event(key, {}, problem=str(error))


def deserialized(data: bytes | None, kind: str, what: str) -> Any:
    """Read the bytes of a message as what the trigger says that they are.

    Raises :class:`Unreadable`, which names the message by `what`.
    """
    if data is None or kind == "VOID":
        return None
    if kind == "JSON":
        return _json(data, what)
    if kind in _BYTES:
        return base64.b64encode(data).decode()
    if kind in _NUMBERS:
        return _number(data, kind, what)
    return data.decode("utf-8", "replace")


def json_value(value: Any) -> Any:
    """A value of a message's headers in JSON's types: bytes as text, or base64 where they are none;
    dates in ISO 8601."""
    if isinstance(value, bytes | bytearray):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else str(value)
    return str(value)


def _json(data: bytes, what: str) -> Any:
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise Unreadable(f"{what} is {TOO_DEEP}") from None
    except json.JSONDecodeError as error:
        why = f"{error.msg}: line {error.lineno} column {error.colno}"
        raise Unreadable(f"{what} is not JSON ({why})") from None
    except ValueError as error:  # bytes that are no text, or a constant that JSON has not
        raise Unreadable(f"{what} is not JSON ({type(error).__name__})") from None
    if is_deeper(value):
        raise Unreadable(f"{what} is {TOO_DEEP}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _number(data: bytes, kind: str, what: str) -> Any:
    form = _NUMBERS[kind]
    if len(data) != struct.calcsize(form):
        wanted = struct.calcsize(form)
        raise Unreadable(f"{what} has {len(data)} bytes, and {kind} needs {wanted}")
    value = struct.unpack(form, data)[0]
    return value if math.isfinite(value) else str(value)
