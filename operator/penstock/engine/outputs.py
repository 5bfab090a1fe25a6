"""The flow's outputs, rendered and typed at its end (kestra-engine, section 13)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from penstock.engine.flowable import Evaluator
from penstock.flow.document import FlowOutput
from penstock.flow.inputs import Input
from penstock.flow.values import InvalidInput, type_value


def resolve_outputs(declared: Sequence[FlowOutput], evaluator: Evaluator) -> dict[str, Any]:
    """Raises ``ExpressionError`` or ``InvalidInput`` where one can't be had."""
    resolved: dict[str, Any] = {}
    for output in declared:
        value = (
            evaluator.evaluate(output.value)
            if isinstance(output.value, str)
            else evaluator.render_tree(output.value)
        )
        if value is None and output.required and output.type is not None:
            raise InvalidInput(f"the flow's output `{output.id}` has no value")
        if value is not None and output.type is not None:
            if output.type == "STRING" and isinstance(value, dict | list):
                value = json.dumps(value, ensure_ascii=False)
            kind = Input.model_construct(id=output.id, type=output.type, item_type="JSON")
            value = type_value(kind, value)
        resolved[output.id] = value
    return resolved
