"""Kestra's expression language: ``{{ inputs.name | upper }}``.

The Pebble dialect of Kestra on Jinja2's sandbox. This room does no I/O: what comes from outside
(the clock, chance, secrets, files) is given by a :class:`Host`. To add a filter, see
``filters/``; a function, ``functions/``.
"""

from penstock.expressions.engine import Expressions, has_expression
from penstock.expressions.errors import ExpressionError, UndefinedError
from penstock.expressions.host import Host
from penstock.expressions.limits import Limits
from penstock.expressions.truth import is_truthy

__all__ = [
    "ExpressionError",
    "Expressions",
    "Host",
    "Limits",
    "UndefinedError",
    "has_expression",
    "is_truthy",
]
