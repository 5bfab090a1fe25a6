"""What an answer of the API server means is decided in `runtime/outcomes.py`; everybody else asks
by the names that this gives to the questions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CONTROLLER = Path(__file__).parents[3] / "operator" / "penstock" / "controller"
DECIDES = CONTROLLER / "runtime" / "outcomes.py"
JUDGED = {"not_found", "conflict", "transient", "is_over_quota", "is_terminating", "is_gone"}
COMPARED = {"reason", "status"}


def judgements(tree: ast.AST) -> Iterator[int]:
    """The lines in which an error is judged by its own words. A reason may be passed on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_of_error(node, JUDGED):
            yield node.lineno
        if isinstance(node, ast.Compare):
            compared = (node.left, *node.comparators)
            if any(
                isinstance(item, ast.Attribute) and _is_of_error(item, COMPARED)
                for item in compared
            ):
                yield node.lineno


def _is_of_error(node: ast.Attribute, names: set[str]) -> bool:
    return node.attr in names and isinstance(node.value, ast.Name) and node.value.id == "error"


def test_nobody_else_judges_an_error_of_the_api_server() -> None:
    found = [
        f"{path.relative_to(CONTROLLER)}:{line}"
        for path in sorted(CONTROLLER.rglob("*.py"))
        if path != DECIDES
        for line in judgements(ast.parse(path.read_text()))
    ]
    assert found == []


def test_a_judgement_is_found() -> None:
    text = 'if error.transient or error.reason != "AlreadyExists":\n    failed(error.reason)'
    assert list(judgements(ast.parse(text))) == [1, 1]
    assert list(judgements(ast.parse(DECIDES.read_text())))
