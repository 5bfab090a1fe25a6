"""Count: how many executions flows had."""

from __future__ import annotations

from penstock.engine.interface.actions import Command
from penstock.engine.interface.command_task import CommandEvaluator, CommandTask
from penstock.engine.interface.flowable import Evaluator, FlowableError
from penstock.engine.interface.selecting import CountExecutions, Selection
from penstock.engine.kinds.commands.rendering import (
    States,
    date_of,
    needed_date,
    states_of,
    texts_of,
)
from penstock.flow.model import Document


class CountedFlow(Document):
    """One flow whose executions are counted."""

    namespace: str
    """The flow's namespace. Rendered."""
    flow_id: str
    """The flow's id. Rendered."""


class Count(CommandTask):
    """Counts executions of the same Kubernetes namespace, flow by flow.

    Those are counted that Kubernetes still has: an execution that was deleted, by hand or as old,
    counts no more.

    Outputs: `results`, a list of `namespace`, `flowId` and `count`, and `total`, their sum.

    ```yaml
    id: silent
    type: io.kestra.plugin.core.execution.Count
    flows:
      - namespace: company.team
        flowId: nightly
    startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
    expression: "{{ count == 0 }}"
    ```
    """

    flows: list[CountedFlow] | None = None
    """Flows, of which each has a row, also one without executions."""
    namespaces: list[str] | str | None = None
    """Namespaces, of which each flow with executions has a row, those in namespaces below as well.
    One of `flows` and `namespaces` is needed. Rendered."""
    states: States | None = None
    """The states of the executions that count. Rendered."""
    start_date: str
    """The earliest start of the executions that count. Rendered."""
    end_date: str | None = None
    """The latest start of the executions that count. Rendered."""
    expression: str
    """Keeps a row where it renders to `true`; `count` is the number."""

    def command(self, evaluator: CommandEvaluator) -> Command:
        if self.flows is None and self.namespaces is None:
            raise FlowableError("You must provide a list of flows or namespaces.")

        def keeps(count: int) -> bool:
            return evaluator.with_variables({"count": count}).render(self.expression) == "true"

        return CountExecutions(
            flows=tuple(_rendered(evaluator, flow) for flow in self.flows or ()),
            namespaces=tuple(texts_of(evaluator, "namespaces", self.namespaces)),
            among=Selection(
                start=needed_date(evaluator, "startDate", self.start_date),
                end=date_of(evaluator, "endDate", self.end_date),
                states=states_of(evaluator, self.states),
            ),
            keeps=keeps,
        )


def _rendered(evaluator: Evaluator, flow: CountedFlow) -> tuple[str, str]:
    return evaluator.render(flow.namespace) or "", evaluator.render(flow.flow_id) or ""
