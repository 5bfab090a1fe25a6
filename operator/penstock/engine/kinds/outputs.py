"""The flow's outputs, rendered and typed at its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from penstock.engine.interface.flowable import Evaluator
from penstock.flow.document import FlowOutput
from penstock.flow.inputs import Input, InputType
from penstock.flow.values import InvalidInput, given_value, type_value


def resolve_outputs(declared: Sequence[FlowOutput], evaluator: Evaluator) -> dict[str, Any]:
    """Raises ``ExpressionError`` or ``InvalidInput`` where one can't be had."""
    return {output.id: _resolved(output, evaluator) for output in declared}


def _resolved(output: FlowOutput, evaluator: Evaluator) -> Any:
    value = (
        evaluator.evaluate(output.value)
        if isinstance(output.value, str)
        else evaluator.render_tree(output.value)
    )
    if output.type is None:
        return value
    kind = _typed_as(output.id, output.type)
    value = given_value(kind, value)
    if value is None:
        if output.required:
            raise InvalidInput(f"the flow's output `{output.id}` has no value")
        return None
    if output.type == "STRING" and isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return type_value(kind, value)


def _typed_as(id: str, type: InputType) -> Input:
    """What types an output: as an input, but the elements of a list stay as they are."""
    return Input.model_construct(id=id, type="ARRAY" if type == "MULTISELECT" else type)
