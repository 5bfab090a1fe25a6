"""The tasks that the controller does, one file each."""

from penstock.flow.types import TaskType, TaskTypes


def register(types: TaskTypes) -> None:
    """Make the command tasks known."""
    resume = f"{__name__}.resume:Resume"
    types.register(TaskType("io.kestra.plugin.core.execution.Resume", model=resume))
    old = ("io.kestra.core.tasks.trigger.Toggle",)
    toggle = f"{__name__}.toggle:Toggle"
    types.register(TaskType("io.kestra.plugin.core.trigger.Toggle", old, toggle))
