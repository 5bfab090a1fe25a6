"""PurgeExecutions: let executions that have ended be gone."""

from __future__ import annotations

from pydantic import PositiveInt

from penstock.engine.interface.actions import Command
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.selecting import PurgeExecutions as Purge
from penstock.engine.interface.selecting import Selection
from penstock.engine.kinds.commands.rendering import (
    States,
    date_of,
    flow_of,
    needed_date,
    states_of,
)
from penstock.flow.model import RenderedBool


class PurgeExecutions(CommandTask):
    """Deletes executions of the same Kubernetes namespace that have ended, with their logs and
    files.

    What still runs is left, such as this execution, and so is what that relies on: the executions
    around it, those that it does again, and those that it made itself. What an execution made with
    Subflow goes with it.

    Outputs: `executionsCount`, `logsCount` (lines), `storagesCount` (files), `metricsCount`.

    ```yaml
    id: purge
    type: io.kestra.plugin.core.execution.PurgeExecutions
    namespace: company.team
    endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
    states: [SUCCESS]
    ```
    """

    namespace: str | None = None
    """The namespace whose flows' executions go, with those below it; with `flowId` the namespace of
    that flow. Rendered."""
    flow_id: str | None = None
    """The flow whose executions go. Rendered."""
    start_date: str | None = None
    """The earliest start of the executions that go. Rendered."""
    end_date: str
    """The latest start of the executions that go. Rendered."""
    states: States | None = None
    """The states of the executions that go; any in which one ends where none is named. Rendered."""
    purge_execution: RenderedBool = True
    """Whether the executions are deleted, and all that belongs to them; if not, what the other
    properties say goes and they stay."""
    purge_log: RenderedBool = True
    """Whether their archived logs are deleted. Those of a deleted execution are in any case; then
    this says whether they are counted."""
    purge_metric: RenderedBool = True
    """Whether their metrics are counted. They stand in the execution and go with it."""
    purge_storage: RenderedBool = True
    """Whether their files are deleted. Those of a deleted execution are in any case; then this says
    whether they are counted."""
    batch_size: PositiveInt | str = 100
    """Kept for compatibility: no effect."""

    def command(self, evaluator: Evaluator) -> Command:
        namespace, flow_id = flow_of(evaluator, self.namespace, self.flow_id)
        return Purge(
            Selection(
                namespace,
                flow_id,
                date_of(evaluator, "startDate", self.start_date),
                needed_date(evaluator, "endDate", self.end_date),
                states_of(evaluator, self.states),
            ),
            executions=holds(self.purge_execution, evaluator),
            logs=holds(self.purge_log, evaluator),
            metrics=holds(self.purge_metric, evaluator),
            files=holds(self.purge_storage, evaluator),
        )
