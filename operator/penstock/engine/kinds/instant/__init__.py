"""The tasks that the engine does itself, one file each. Each is read when a flow names it."""

from penstock.flow.types import TaskType, TaskTypes

_NEW = "io.kestra.plugin.core.execution."
_OLD = "io.kestra.core.tasks.executions."
_FILES = {
    "Assert": "assert_",
    "Exit": "exit_",
    "Labels": "labels",
    "SetVariables": "set_variables",
    "UnsetVariables": "unset_variables",
}


def register(types: TaskTypes) -> None:
    """Make the instant tasks known."""
    for name, file in _FILES.items():
        old = (_OLD + name,) if name == "Labels" else ()
        types.register(TaskType(_NEW + name, old, f"{__name__}.{file}:{name}"))
    types.register(
        TaskType(
            "io.kestra.plugin.core.flow.Template",
            ("io.kestra.core.tasks.flows.Template",),
            f"{__name__}.template:Template",
            deprecated="use Subflow",
        )
    )
