"""The tasks that are done by other executions, one file each."""

from penstock.engine.executables.subflow import Subflow
from penstock.flow.types import TaskType, TaskTypes

_NEW = "io.kestra.plugin.core.flow."
_OLD = "io.kestra.core.tasks.flows."


def register(types: TaskTypes) -> None:
    """Make the executable tasks known."""
    types.register(TaskType(_NEW + "Subflow", (_OLD + "Subflow", _OLD + "Flow"), Subflow))
