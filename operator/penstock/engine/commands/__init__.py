"""The tasks that the controller does, one file each."""

from penstock.engine.commands.resume import Resume
from penstock.engine.commands.toggle import Toggle
from penstock.flow.types import TaskType, TaskTypes


def register(types: TaskTypes) -> None:
    """Make the command tasks known."""
    types.register(TaskType("io.kestra.plugin.core.execution.Resume", model=Resume))
    old = ("io.kestra.core.tasks.trigger.Toggle",)
    types.register(TaskType("io.kestra.plugin.core.trigger.Toggle", old, Toggle))
