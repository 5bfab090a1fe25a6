"""PurgeLogs: let archived lines of logs be gone."""

from __future__ import annotations

from pydantic import PositiveInt

from penstock.engine.interface.actions import Command
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.selecting import PurgeLogs as Purge
from penstock.engine.interface.selecting import Selection
from penstock.engine.kinds.commands.rendering import (
    date_of,
    flow_of,
    members_of,
    needed_date,
    text_of,
)
from penstock.flow.model import RenderedBool

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")


class PurgeLogs(CommandTask):
    """Deletes archived lines of the logs of executions of the same Kubernetes namespace.

    The log of an attempt that still runs is left.

    Outputs: `count` and `executionLogsCount`, the number of lines; `nonExecutionLogsCount`, which
    is 0.

    ```yaml
    id: purge
    type: io.kestra.plugin.core.log.PurgeLogs
    endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
    logLevels: [TRACE, DEBUG, INFO]
    ```
    """

    namespace: str | None = None
    """Only logs of flows in this namespace and those below it; with `flowId` the namespace of that
    flow. Rendered."""
    flow_id: str | None = None
    """Only logs of this flow. Rendered."""
    execution_id: str | None = None
    """Only logs of this execution. Rendered."""
    log_levels: list[str] | str | None = None
    """Only lines of these levels. Rendered."""
    start_date: str | None = None
    """Only lines that were printed at that time or later. Rendered."""
    end_date: str
    """Only lines that were printed up to that time. Rendered."""
    purge_execution_logs: RenderedBool = True
    """Whether logs of executions are deleted: there are no others."""
    purge_non_execution_logs: RenderedBool = True
    """Kept for compatibility: no effect."""
    batch_size: PositiveInt | str | None = None
    """Kept for compatibility: no effect."""

    def command(self, evaluator: Evaluator) -> Command:
        namespace, flow_id = flow_of(evaluator, self.namespace, self.flow_id)
        return Purge(
            Selection(namespace, flow_id),
            text_of(evaluator, self.execution_id),
            date_of(evaluator, "startDate", self.start_date),
            needed_date(evaluator, "endDate", self.end_date),
            members_of(evaluator, "logLevels", self.log_levels, _LEVELS),
            wanted=holds(self.purge_execution_logs, evaluator),
        )
