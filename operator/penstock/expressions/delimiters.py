"""The delimiters that begin an expression, a tag or a comment in a template."""

from __future__ import annotations

DELIMITERS = ("{{", "{%", "{#")
"""A print, a tag and a comment. A comment counts too: what stands in it is taken away."""


def has_expression(text: str) -> bool:
    """Whether rendering could change this text."""
    return "{" in text and any(start in text for start in DELIMITERS)
