"""Checks the inputs of an execution before it is created, by the rules of the controller.

What only the controller can tell is left to it: an input whose default, choices or condition ask
for a key, a secret or a setting of the administrator's, and a flow of types that are not installed
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.cluster.errors import InvalidInputs
from penstock.cluster.flows import declared_inputs
from penstock.engine.decision.inputs import InvalidInputs as Refused
from penstock.engine.decision.inputs import resolve_inputs
from penstock.engine.interface.identity import Identity
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.expressions import ExpressionError
from penstock.flow.document import Flow
from penstock.flow.inputs import Input
from penstock.flow.loading import SourceDocument
from penstock.flow.model import is_expression
from penstock.flow.problems import InvalidFlow
from penstock.resources.execution import ExecutionStatus, PinnedFlow
from penstock.types import expressions, flow_parser

Evaluate = Callable[[Any, Mapping[str, Any]], Any]


class _LeftToTheController(Exception):
    """Something can't be told here."""


def check_inputs(spec: Mapping[str, Any], given: Mapping[str, Any], execution: str) -> None:
    """Check what an execution of a Flow is given. Raises :class:`InvalidInputs`."""
    declared = declared_inputs(spec)
    try:
        try:
            flow = flow_parser().parse(SourceDocument(dict(spec))).flow
            _resolve(flow.inputs, given, _evaluator(flow, execution))
        except (InvalidFlow, _LeftToTheController):
            _resolve([item for item in declared if _is_plain(item, given)], given, _left)
    except Refused as error:
        raise InvalidInputs(str(error)) from None


def _resolve(declared: Sequence[Input], given: Mapping[str, Any], evaluate: Evaluate) -> None:
    resolve_inputs(declared, given, evaluate, secrets_by_name=True)


def _evaluator(flow: Flow, execution: str) -> Evaluate:
    """Render as the controller does, as far as no more is known than the flow and its inputs."""
    now = datetime.now(UTC)
    identity = Identity(execution, execution, now)
    pinned = PinnedFlow(namespace=flow.namespace, id=flow.id)

    def evaluate(template: Any, known: Mapping[str, Any]) -> Any:
        status = ExecutionStatus(flow=pinned, inputs=dict(known), start_date=now)
        evaluation = Evaluation(expressions(), flow, identity, status, TaskRunIndex([]))
        try:
            return evaluation.of_execution(now).evaluate(template)
        except ExpressionError:
            raise _LeftToTheController from None

    return evaluate


def _is_plain(item: Input, given: Mapping[str, Any]) -> bool:
    """Whether an input can be checked without an expression."""
    needs_default = given.get(item.id) is None and is_expression(item.defaults)
    return item.depends_on is None and item.expression is None and not needs_default


def _left(template: Any, known: Mapping[str, Any]) -> Any:
    raise _LeftToTheController
