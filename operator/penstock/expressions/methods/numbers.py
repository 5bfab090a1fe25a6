"""Methods of numbers and booleans."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from penstock.expressions.errors import LimitError
from penstock.expressions.methods.table import Methods
from penstock.expressions.operators import _compare
from penstock.expressions.printing import scalar_text
from penstock.expressions.values import is_number

if TYPE_CHECKING:
    from penstock.expressions.rendering import Rendering

_MOST_DIGITS = 400
NUMBER = Methods("numbers")
BOOLEAN = Methods("booleans")


def _narrowed(value: Any, bits: int) -> int:
    """A number as Java casts it: an integer loses its upper bits, a decimal ends at the greatest
    number."""
    greatest = (1 << bits - 1) - 1
    least = -greatest - 1
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        return least if value <= least else greatest if value >= greatest else int(value)
    if isinstance(value, Decimal) and (not value.is_finite() or value.adjusted() > _MOST_DIGITS):
        raise LimitError("the number is too large to be made an integer")
    whole = int(value)
    return (whole - least) % (greatest - least + 1) + least


def _equals(run: Rendering, value: Any, other: Any) -> bool:
    """Whether two numbers are equal in type and value: in Java 1 does not equal 1.0."""
    same = is_number(other) and _kind(value) is _kind(other)
    return same and _compare(value, other) == 0


def _kind(value: Any) -> type:
    return next(kind for kind in (float, Decimal, int) if isinstance(value, kind))


def _hash(run: Rendering, value: Any) -> int:
    if isinstance(value, int):
        bits = value if -(2**31) <= value < 2**31 else value ^ (value % 2**64 >> 32)
        return _narrowed(bits, 32)
    (bits,) = struct.unpack(">q", struct.pack(">d", float(value)))
    return _narrowed(bits ^ (bits % 2**64 >> 32), 32)


def sign(value: int) -> int:
    """The sign of a number: -1, 0 or 1."""
    return (value > 0) - (value < 0)


# fmt: off
NUMBER.add_all([
    ("intValue()", "An integer of 32 bits.", "(3.9).intValue() → 3",
     lambda run, value: _narrowed(value, 32)),
    ("longValue()", "An integer of 64 bits.", "(3.9).longValue() → 3",
     lambda run, value: _narrowed(value, 64)),
    ("doubleValue()", "A decimal number.", "(3).doubleValue() → 3.0",
     lambda run, value: float(value)),
    ("isNaN()", "Whether it is no number at all.", "(0.0 / 0).isNaN() → true",
     lambda run, value: isinstance(value, float) and math.isnan(value)),
    ("isInfinite()", "Whether it is infinite.", "(1.0 / 0).isInfinite() → true",
     lambda run, value: isinstance(value, float) and math.isinf(value)),
    ("equals(other: any)", "Whether the other has the same type and value.",
     "(1).equals(1.0) → false", _equals),
    ("compareTo(other: number)", "-1, 0 or 1.", "(1).compareTo(2) → -1",
     lambda run, value, other: sign(_compare(value, other))),
    ("hashCode()", "A number of 32 bits.", "(7).hashCode() → 7", _hash),
    ("toString()", "As text.", "(12).toString().length() → 2",
     lambda run, value: scalar_text(value)),
])

BOOLEAN.add_all([
    ("booleanValue()", "The value itself.", "true.booleanValue() → true",
     lambda run, value: value),
    ("equals(other: any)", "Whether the other is the same.", "true.equals(false) → false",
     lambda run, value, other: isinstance(other, bool) and value == other),
    ("hashCode()", "A number of 32 bits.", "true.hashCode() → 1231",
     lambda run, value: 1231 if value else 1237),
    ("toString()", "As text.", "true.toString().length() → 4",
     lambda run, value: scalar_text(value)),
])
# fmt: on
