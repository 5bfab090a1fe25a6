"""The tasks that the engine does itself, one file each."""

from penstock.engine.instant.assert_ import Assert
from penstock.engine.instant.exit_ import Exit
from penstock.engine.instant.labels import Labels
from penstock.engine.instant.set_variables import SetVariables
from penstock.engine.instant.template import Template
from penstock.engine.instant.unset_variables import UnsetVariables
from penstock.flow.types import TaskType, TaskTypes

_NEW = "io.kestra.plugin.core.execution."
_OLD = "io.kestra.core.tasks.executions."


def register(types: TaskTypes) -> None:
    """Make the instant tasks known."""
    types.register(TaskType(_NEW + "Labels", (_OLD + "Labels",), Labels))
    types.register(
        TaskType(
            "io.kestra.plugin.core.flow.Template",
            ("io.kestra.core.tasks.flows.Template",),
            Template,
            deprecated="use Subflow",
        )
    )
    for model in (Assert, Exit, SetVariables, UnsetVariables):
        types.register(TaskType(_NEW + model.__name__, model=model))
