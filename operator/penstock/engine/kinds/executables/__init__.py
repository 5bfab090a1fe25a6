"""The tasks that are done by other executions, one file each."""

from penstock.flow.types import TaskType, TaskTypes

_NEW = "io.kestra.plugin.core.flow."
_OLD = "io.kestra.core.tasks.flows."


def register(types: TaskTypes) -> None:
    """Make the executable tasks known."""
    old = (_OLD + "Subflow", _OLD + "Flow")
    types.register(TaskType(_NEW + "Subflow", old, f"{__name__}.subflow:Subflow"))
