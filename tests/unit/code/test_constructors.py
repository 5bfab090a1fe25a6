"""Who needs more than seven others to do its duty has more than one duty."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

OPERATOR = Path(__file__).parents[3] / "operator"
MOST = 7


def constructors(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The constructors that are written out, by class. Those of data classes list what they are."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    yield node.name, item


def parameters(constructor: ast.FunctionDef) -> int:
    """How many there are beside `self`."""
    given = constructor.args
    return len([*given.posonlyargs, *given.args, *given.kwonlyargs]) - 1


def test_no_constructor_takes_more_than_seven_parameters() -> None:
    too_many = [
        f"{path.relative_to(OPERATOR)}: {name} takes {parameters(constructor)}"
        for path in sorted(OPERATOR.rglob("*.py"))
        for name, constructor in constructors(ast.parse(path.read_text()))
        if parameters(constructor) > MOST
    ]
    assert too_many == []


def test_parameters_of_every_sort_are_counted() -> None:
    text = "class A:\n    def __init__(self, a, /, b, *, c=1) -> None: ..."
    ((name, constructor),) = constructors(ast.parse(text))
    assert (name, parameters(constructor)) == ("A", 3)
