"""The outputs of a flow, which are rendered and typed at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.engine.interface.flowable import Evaluator
from penstock.expressions import ExpressionError
from penstock.flow.document import FlowOutput
from penstock.flow.inputs import Input, InputType
from penstock.flow.values import InvalidInput, given_value, type_value


def resolve_outputs(declared: Sequence[FlowOutput], evaluator: Evaluator) -> dict[str, Any]:
    """Render and type a flow's outputs. Raises ``ExpressionError`` or ``InvalidInput`` where one
    can't be had.

    One that is not required is null where its expression fails: the task that it asks for may have
    been skipped.
    """
    return {output.id: _resolved(output, evaluator) for output in declared}


def _resolved(output: FlowOutput, evaluator: Evaluator) -> Any:
    try:
        value = _rendered(output, evaluator)
    except ExpressionError:
        if output.required:
            raise
        return None
    if output.type is None:
        return value
    kind = _typed_as(output.id, output.type)
    value = given_value(kind, value)
    if value is None:
        if output.required:
            raise InvalidInput(f"the flow's output `{output.id}` has no value")
        return None
    return type_value(kind, value)


def _rendered(output: FlowOutput, evaluator: Evaluator) -> Any:
    """Render an output before it is typed: text is what an expression prints, so null is empty."""
    if output.type == "STRING":
        return evaluator.render(output.value)
    if isinstance(output.value, str):
        return evaluator.evaluate(output.value)
    return evaluator.render_tree(output.value)


def _typed_as(id: str, type: InputType) -> Input:
    """Give what types an output: as an input, but the elements of a list stay as they are."""
    return Input.model_construct(id=id, type="ARRAY" if type == "MULTISELECT" else type)
