"""Problems of flow files as lines that editors and people can follow."""

from __future__ import annotations

from penstock.flow.problems import Problem


def error_line(file: str, problem: Problem) -> str:
    """`file:line: path: message`."""
    return f"{file}:{problem.line or 1}: {_flat(str(problem))}"


def warning_line(file: str, problem: Problem) -> str:
    """`file:line: warning: path: message`."""
    return f"{file}:{problem.line or 1}: warning: {_flat(str(problem))}"


def _flat(text: str) -> str:
    return " ".join(text.split())
