"""The docstrings of the code can be read alone: none begins with a word that needs another text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.snippets import ROOT

PACKAGE = ROOT / "operator" / "penstock"


def rooms() -> dict[str, list[Path]]:
    """Give the files of every folder of the package, and the modules beside the folders."""
    found: dict[str, list[Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(file.relative_to(PACKAGE).parts[0], []).append(file)
    return found


ROOMS = rooms()

LEANING = re.compile(
    r"(the same|this|these|those|that|it|its|their|they|also|else|but|and|so|such|only"
    r"|of|by|with|without|as|in|on|at|from|to|for|until|up to|none|raises)\b",
    re.IGNORECASE,
)
"""The beginnings of a text that leans on one before it, or on the name that it describes."""


@pytest.mark.parametrize("room", ROOMS)
def test_no_docstring_leans_on_another_text(room: str) -> None:
    leaning = [
        f"{file.relative_to(PACKAGE)}:{line}: {text.splitlines()[0]}"
        for file in ROOMS[room]
        for line, text in docstrings(file.read_text("utf-8"))
        if LEANING.match(text)
    ]

    assert not leaning, "\n".join(leaning)


def test_every_room_is_looked_at() -> None:
    assert {"cli", "controller", "engine", "listener", "triggers", "types.py"} <= ROOMS.keys()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('"""The same, for a pod."""', [1]),
        ('def size():\n    """In bytes."""', [2]),
        ('class A:\n    b: int\n    """Of the part."""', [3]),
        ('LIMIT = 3\n"""As many as S3 takes."""', [2]),
        ('def size():\n    """The size in bytes."""\n\nlimit = "of a string"', []),
    ],
)
def test_every_kind_of_docstring_is_looked_at(code: str, found: list[int]) -> None:
    assert [line for line, text in docstrings(code) if LEANING.match(text)] == found


def docstrings(code: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a module, its classes, functions, attributes and constants."""
    for node in ast.walk(ast.parse(code)):
        holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        for item in node.body if isinstance(node, holders) else ():
            match item:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield item.lineno, text.strip()
