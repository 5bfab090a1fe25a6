"""The tasks that the controller does, one file each. Each is read when a flow names it."""

from penstock.flow.types import TaskType, TaskTypes

_CORE = "io.kestra.plugin.core."
_OLD = "io.kestra.core.tasks."
_TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "execution.Count": ("count:Count", (f"{_OLD}executions.Counts", f"{_CORE}execution.Counts")),
    "execution.PurgeExecutions": (
        "purge_executions:PurgeExecutions",
        (f"{_OLD}storages.Purge", f"{_CORE}storage.Purge"),
    ),
    "execution.Resume": ("resume:Resume", (f"{_OLD}executions.Resume",)),
    "kv.PurgeKV": ("purge_kv:PurgeKV", ()),
    "log.PurgeLogs": ("purge_logs:PurgeLogs", ()),
    "trigger.Toggle": ("toggle:Toggle", (f"{_OLD}trigger.Toggle",)),
}


def register(types: TaskTypes) -> None:
    """Make the command tasks known."""
    for name, (source, old) in _TYPES.items():
        types.register(TaskType(_CORE + name, old, f"{__name__}.{source}"))
