"""The core tasks by their type: which class runs them. Read in the pod, so literal and light."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

_CORE = "io.kestra.plugin.core"
_OLD = "io.kestra.core.tasks"


@dataclass(frozen=True)
class CoreType:
    """One type of task that Penstock's own image runs."""

    name: str
    source: str
    """`module:Class`; imported only where a task of this type is run or checked."""
    aliases: tuple[str, ...] = ()
    local_only: bool = False
    """Whether it needs services that only `penstock run` has yet."""
    typed: tuple[str, ...] = ()
    """Properties of which a single expression keeps its type."""
    unrendered: tuple[str, ...] = ()
    """Properties that the task itself renders."""
    without_effect: tuple[str, ...] = ()
    """Properties that are accepted and do nothing."""

    def load(self) -> type:
        """The dataclass of the task."""
        module, _, name = self.source.partition(":")
        loaded = getattr(import_module(module), name)
        assert isinstance(loaded, type)
        return loaded


_HTTP_WITHOUT_EFFECT = (
    "options.logs",
    "options.logLevel",
    "options.connectionPoolIdleTimeout",
)

_TYPES = (
    CoreType(f"{_CORE}.log.Log", "penstock.tasks.log:Log", (f"{_OLD}.log.Log",)),
    CoreType(
        f"{_CORE}.debug.Return", "penstock.tasks.debug_return:Return", (f"{_OLD}.debugs.Return",)
    ),
    CoreType(f"{_CORE}.debug.Echo", "penstock.tasks.log:Echo", (f"{_OLD}.debugs.Echo",)),
    CoreType(f"{_CORE}.output.OutputValues", "penstock.tasks.output_values:OutputValues"),
    CoreType(f"{_CORE}.flow.Sleep", "penstock.tasks.sleep:Sleep"),
    CoreType(f"{_CORE}.execution.Fail", "penstock.tasks.fail:Fail", (f"{_OLD}.executions.Fail",)),
    CoreType(
        f"{_CORE}.http.Request",
        "penstock.tasks.http_tasks:Request",
        ("io.kestra.plugin.fs.http.Request",),
        without_effect=_HTTP_WITHOUT_EFFECT,
    ),
    CoreType(
        f"{_CORE}.http.Download",
        "penstock.tasks.http_tasks:Download",
        ("io.kestra.plugin.fs.http.Download",),
        local_only=True,
        without_effect=_HTTP_WITHOUT_EFFECT,
    ),
)


def _local(
    name: str,
    source: str,
    *aliases: str,
    typed: tuple[str, ...] = (),
    unrendered: tuple[str, ...] = (),
    local_only: bool = True,
) -> CoreType:
    """A type that needs services."""
    path = f"penstock.tasks.{source}"
    return CoreType(f"{_CORE}.{name}", path, aliases, local_only, typed, unrendered)


_LOCAL_TYPES = (
    _local("kv.Set", "kv:Set", f"{_CORE}.kv.Put", typed=("value",), local_only=False),
    _local("kv.Get", "kv:Get", local_only=False),
    _local("kv.GetKeys", "kv:GetKeys", local_only=False),
    _local("kv.Delete", "kv:Delete", local_only=False),
    _local("state.Set", "state:Set", f"{_OLD}.states.Set", local_only=False),
    _local("state.Get", "state:Get", f"{_OLD}.states.Get", local_only=False),
    _local("state.Delete", "state:Delete", f"{_OLD}.states.Delete", local_only=False),
    _local("storage.Write", "storage:Write"),
    _local("storage.Concat", "storage:Concat", f"{_OLD}.storages.Concat"),
    _local("storage.Delete", "storage:Delete", f"{_OLD}.storages.Delete"),
    _local("storage.Size", "storage:Size", f"{_OLD}.storages.Size"),
    _local("storage.Reverse", "storage:Reverse", f"{_OLD}.storages.Reverse"),
    _local("storage.Split", "split:Split", f"{_OLD}.storages.Split"),
    _local(
        "storage.FilterItems",
        "items:FilterItems",
        f"{_OLD}.storages.FilterItems",
        unrendered=("filterCondition",),
    ),
    _local(
        "storage.DeduplicateItems",
        "items:DeduplicateItems",
        f"{_OLD}.storages.DeduplicateItems",
        unrendered=("expr",),
    ),
    _local("storage.LocalFiles", "local_files:LocalFiles", f"{_OLD}.storages.LocalFiles"),
    _local(
        "storage.PurgeCurrentExecutionFiles",
        "storage:PurgeCurrentExecutionFiles",
        f"{_OLD}.storages.PurgeExecution",
        f"{_CORE}.storage.PurgeExecution",
    ),
    _local("namespace.UploadFiles", "namespace:UploadFiles"),
    _local("namespace.DownloadFiles", "namespace:DownloadFiles"),
    _local("namespace.DeleteFiles", "namespace:DeleteFiles"),
    _local("log.Fetch", "log_fetch:Fetch", f"{_OLD}.log.Fetch"),
    _local("metric.Publish", "metric_publish:Publish"),
    _local(
        "templating.TemplatedTask",
        "templated:TemplatedTask",
        f"{_OLD}.templating.TemplatedTask",
    ),
)

CORE_TYPES = (*_TYPES, *_LOCAL_TYPES)

_BY_NAME = {
    name.lower(): core_type
    for core_type in CORE_TYPES
    for name in (core_type.name, *core_type.aliases)
}


def core_type(name: str) -> CoreType | None:
    """The core task of that type, by its name or an old one."""
    return _BY_NAME.get(name.lower())
