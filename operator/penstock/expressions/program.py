"""A template, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.expressions.syntax import Macro

Body = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True)
class Program:
    """A compiled template: its body and those that run on their own."""

    body: Body
    fragments: tuple[Body, ...]
    macros: dict[str, Macro]
    blocks: dict[str, int]
