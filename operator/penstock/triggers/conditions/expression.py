"""Conditions that an expression decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from penstock.triggers.conditions.model import Condition
from penstock.triggers.evaluation import Context


def is_true_text(rendered: Any) -> bool:
    """The rule of Kestra's conditions: neither blank nor `false`, so that `0` is true."""
    if rendered is None or isinstance(rendered, bool):
        return bool(rendered)
    return str(rendered).strip() not in ("", "false")


class Expression(Condition):
    """The expression renders to something that is neither blank nor `false`."""

    name: ClassVar[str] = "Expression"
    aliases = ("io.kestra.core.models.conditions.types.VariableCondition",)
    for_schedules: ClassVar[bool] = True

    expression: str

    def holds(self, context: Context) -> bool:
        return is_true_text(context.value(self.expression))


class ExecutionOutputs(Condition):
    """An expression over the outputs of the execution's flow is true; false where it has none."""

    name: ClassVar[str] = "ExecutionOutputs"
    for_schedules: ClassVar[bool] = True

    expression: str

    def holds(self, context: Context) -> bool:
        outputs = None if context.upstream is None else context.upstream.outputs
        if not outputs:
            return False
        trigger = context.variables.get("trigger")
        known = trigger if isinstance(trigger, Mapping) else {}
        seen = context.seeing(trigger={**known, "outputs": outputs})
        return is_true_text(seen.value(self.expression))
