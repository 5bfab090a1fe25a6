"""Warnings for defaults that their own inputs refuse: an execution without a value can't start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from penstock.flow.document import Flow
from penstock.flow.inputs import Input, is_file
from penstock.flow.model import is_expression
from penstock.flow.problems import Location, Problem
from penstock.flow.task import Task
from penstock.flow.values import InvalidInput, type_value


def refused_defaults(flow: Flow, located: Iterable[tuple[Location, Task]]) -> Iterator[Problem]:
    """A warning for each default that its input refuses: of the flow's inputs, and of those that
    tasks ask for.

    Kestra takes the flow, and refuses the execution or fails the task.
    """
    for at, declared in _declared(flow, located):
        value = declared.defaults
        if value in (None, "") or _is_rendered(value):
            continue
        if declared.type == "FILE":
            if not is_file(value):
                message = f"`{value}` is no file; write for example nsfile:///data.csv"
                yield Problem((*at, "defaults"), message, code="no_effect", warning=True)
            continue
        reason = _refusal(declared, value)
        if reason is not None:
            message = f"the input refuses its own default: {reason}"
            yield Problem((*at, "defaults"), message, code="default", warning=True)


def _declared(
    flow: Flow, located: Iterable[tuple[Location, Task]]
) -> Iterator[tuple[Location, Input]]:
    yield from ((("inputs", index), item) for index, item in enumerate(flow.inputs))
    for at, task in located:
        for name, field in type(task).model_fields.items():
            value = getattr(task, name, None)
            for index, item in enumerate(value if isinstance(value, list) else ()):
                if isinstance(item, Input):
                    yield (*at, field.alias or name, index), item


def _refusal(declared: Input, value: Any) -> str | None:
    """Why an input does not take a value; None where it may. The name of a secret is looked up when
    the flow runs."""
    if declared.type == "SECRET" and (isinstance(value, dict) or "secretKeyRef" in str(value)):
        return None
    if declared.expression is not None:  # it gives the choices when the flow runs
        declared = declared.model_copy(update={"values": None})
    try:
        type_value(declared, value)
    except InvalidInput as error:
        return str(error)
    return None


def _is_rendered(value: Any) -> bool:
    """Whether a default has an expression in it, so that its value is known only when it is
    rendered."""
    if isinstance(value, dict):
        return any(map(_is_rendered, (*value, *value.values())))
    if isinstance(value, list):
        return any(map(_is_rendered, value))
    return is_expression(value)
