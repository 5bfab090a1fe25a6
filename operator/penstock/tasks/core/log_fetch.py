"""The task `Fetch`, which keeps an execution's log as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from penstock.tasks.contract.records import line_of, making
from penstock.tasks.contract.services import LogEntry
from penstock.tasks.contract.task import Context, Level, TaskFailure


@dataclass(frozen=True)
class Fetch:
    """Writes the log of an execution to a file, one entry a line.

    ```yaml
    id: logs
    type: io.kestra.plugin.core.log.Fetch
    level: ERROR
    ```
    """

    namespace: str | None = None
    """The namespace of the execution; only together with `flowId` and `executionId`."""
    flow_id: str | None = None
    """The flow of the execution."""
    execution_id: str | None = None
    """The execution; this one where none is named."""
    tasks_id: list[str] = field(default_factory=list)
    """The tasks whose entries are wanted; all where none is named."""
    level: Level = "INFO"
    """The lowest level that is wanted."""

    def run(self, context: Context) -> Mapping[str, Any]:
        if (self.namespace is None) != (self.flow_id is None):
            raise TaskFailure("properties `namespace`, `flowId`: must be given together")
        if self.namespace is not None and self.execution_id is None:
            raise TaskFailure(
                "property `executionId`: must be given beside `namespace` and `flowId`"
            )
        named = self.namespace is not None and self.flow_id is not None
        flow = (str(self.namespace), str(self.flow_id)) if named else None
        entries = context.services.logs(self.execution_id, self.tasks_id, self.level, flow)
        size = 0
        with making(context, "logs.ion") as made:
            for entry in entries:
                made.file.write(line_of(_fields(entry)))
                size += 1
        return {"size": size, "uri": made.uri}


def _fields(entry: LogEntry) -> dict[str, Any]:
    at = entry.timestamp.astimezone(UTC).isoformat(timespec="milliseconds")
    return {
        "namespace": entry.namespace,
        "flowId": entry.flow,
        "taskId": entry.task,
        "executionId": entry.execution,
        "taskRunId": entry.task_run,
        "timestamp": at.replace("+00:00", "Z"),
        "level": entry.level,
        "message": entry.message,
    }
