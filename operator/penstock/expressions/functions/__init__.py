"""Functions, one module per family; importing this package registers them all."""

from penstock.expressions.functions import (
    calendar_,
    collections,
    context,
    dates,
    encryption,
    parsing,
    random_,
    rendering,
)

__all__ = [
    "calendar_",
    "collections",
    "context",
    "dates",
    "encryption",
    "parsing",
    "random_",
    "rendering",
]
