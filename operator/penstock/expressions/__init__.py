"""Kestra's expression language: ``{{ inputs.name | upper }}``.

The Pebble dialect of Kestra on Jinja2's sandbox. This room does no I/O: what comes from outside
(the clock, chance, secrets, files) is given by a :class:`Host`. To add a filter, see
``filters/``; a function, ``functions/``.
"""

from typing import TYPE_CHECKING, Any

from penstock.expressions.delimiters import has_expression
from penstock.expressions.errors import ExpressionError, UndefinedError
from penstock.expressions.host import Host, NotLoaded
from penstock.expressions.limits import Allowance, Limits, TooMuch
from penstock.expressions.truth import is_truthy

if TYPE_CHECKING:
    from penstock.expressions.engine import Expressions, spending

__all__ = [
    "Allowance",
    "ExpressionError",
    "Expressions",
    "Host",
    "Limits",
    "NotLoaded",
    "TooMuch",
    "UndefinedError",
    "has_expression",
    "is_truthy",
    "spending",
]


def __getattr__(name: str) -> Any:
    """Import the language on its first use: a flow without expressions is then checked in less than
    half the time."""
    if name in ("Expressions", "spending"):
        from penstock.expressions import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
