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
    """The namespace whose flows' logs go, with those below it; with `flowId` the namespace of that
    flow. Rendered."""
    flow_id: str | None = None
    """The flow whose logs go. Rendered."""
    execution_id: str | None = None
    """The execution whose logs go. Rendered."""
    log_levels: list[str] | str | None = None
    """The levels of the lines that go. Rendered."""
    start_date: str | None = None
    """The earliest time of the lines that go. Rendered."""
    end_date: str
    """The latest time of the lines that go. Rendered."""
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
