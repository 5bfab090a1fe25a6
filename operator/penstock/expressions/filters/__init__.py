"""Filters, one module per family; importing this package registers them all."""

from penstock.expressions.filters import (
    collections,
    dates,
    encoding,
    json_,
    numbers,
    query,
    text,
)

__all__ = ["collections", "dates", "encoding", "json_", "numbers", "query", "text"]
