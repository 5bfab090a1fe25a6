"""The core tasks by their type: which class runs them. Read in the pod, so literal and light."""

from __future__ import annotations

from penstock.tasks.contract.definition import Need, TaskDefinition

_CORE = "io.kestra.plugin.core"
_OLD = "io.kestra.core.tasks"

_HTTP_WITHOUT_EFFECT = (
    "options.logs",
    "options.logLevel",
    "options.connectionPoolIdleTimeout",
)

_TYPES = (
    TaskDefinition(f"{_CORE}.log.Log", "penstock.tasks.core.log:Log", (f"{_OLD}.log.Log",)),
    TaskDefinition(
        f"{_CORE}.debug.Return",
        "penstock.tasks.core.debug_return:Return",
        (f"{_OLD}.debugs.Return",),
        needs=("metrics",),
    ),
    TaskDefinition(f"{_CORE}.debug.Echo", "penstock.tasks.core.log:Echo", (f"{_OLD}.debugs.Echo",)),
    TaskDefinition(
        f"{_CORE}.output.OutputValues", "penstock.tasks.core.output_values:OutputValues"
    ),
    TaskDefinition(f"{_CORE}.flow.Sleep", "penstock.tasks.core.sleep:Sleep"),
    TaskDefinition(
        f"{_CORE}.execution.Fail", "penstock.tasks.core.fail:Fail", (f"{_OLD}.executions.Fail",)
    ),
    TaskDefinition(
        f"{_CORE}.http.Request",
        "penstock.tasks.core.http_tasks:Request",
        ("io.kestra.plugin.fs.http.Request",),
        needs=("uris", "metrics"),
        without_effect=_HTTP_WITHOUT_EFFECT,
    ),
    TaskDefinition(
        f"{_CORE}.http.Download",
        "penstock.tasks.core.http_tasks:Download",
        ("io.kestra.plugin.fs.http.Download",),
        needs=("files", "metrics"),
        without_effect=_HTTP_WITHOUT_EFFECT,
    ),
)


def _type(
    name: str,
    source: str,
    *aliases: str,
    needs: tuple[Need, ...] = (),
    typed: tuple[str, ...] = (),
    unrendered: tuple[str, ...] = (),
) -> TaskDefinition:
    path = f"penstock.tasks.core.{source}"
    return TaskDefinition(f"{_CORE}.{name}", path, aliases, needs, typed, unrendered)


_FILES: tuple[Need, ...] = ("files",)
_DELETE: tuple[Need, ...] = ("files", "delete")
_NAMESPACES: tuple[Need, ...] = ("files", "namespaces")

_SERVED_TYPES = (
    _type("kv.Set", "kv:Set", f"{_CORE}.kv.Put", typed=("value",)),
    _type("kv.Get", "kv:Get"),
    _type("kv.GetKeys", "kv:GetKeys"),
    _type("kv.Delete", "kv:Delete"),
    _type("state.Set", "state:Set", f"{_OLD}.states.Set"),
    _type("state.Get", "state:Get", f"{_OLD}.states.Get"),
    _type("state.Delete", "state:Delete", f"{_OLD}.states.Delete"),
    _type("storage.Write", "storage:Write", needs=_FILES),
    _type("storage.Concat", "storage:Concat", f"{_OLD}.storages.Concat", needs=_FILES),
    _type("storage.Delete", "storage:Delete", f"{_OLD}.storages.Delete", needs=_DELETE),
    _type("storage.Size", "storage:Size", f"{_OLD}.storages.Size", needs=_FILES),
    _type("storage.Reverse", "storage:Reverse", f"{_OLD}.storages.Reverse", needs=_FILES),
    _type("storage.Split", "split:Split", f"{_OLD}.storages.Split", needs=_FILES),
    _type(
        "storage.FilterItems",
        "items:FilterItems",
        f"{_OLD}.storages.FilterItems",
        needs=_FILES,
        unrendered=("filterCondition",),
    ),
    _type(
        "storage.DeduplicateItems",
        "items:DeduplicateItems",
        f"{_OLD}.storages.DeduplicateItems",
        needs=_FILES,
        unrendered=("expr",),
    ),
    _type(
        "storage.LocalFiles",
        "local_files:LocalFiles",
        f"{_OLD}.storages.LocalFiles",
        needs=_FILES,
    ),
    _type(
        "storage.PurgeCurrentExecutionFiles",
        "storage:PurgeCurrentExecutionFiles",
        f"{_OLD}.storages.PurgeExecution",
        f"{_CORE}.storage.PurgeExecution",
        needs=_DELETE,
    ),
    _type("namespace.UploadFiles", "namespace:UploadFiles", needs=_NAMESPACES),
    _type("namespace.DownloadFiles", "namespace:DownloadFiles", needs=_NAMESPACES),
    _type("namespace.DeleteFiles", "namespace:DeleteFiles", needs=(*_NAMESPACES, "metrics")),
    _type("log.Fetch", "log_fetch:Fetch", f"{_OLD}.log.Fetch", needs=("files", "logs")),
    _type("metric.Publish", "metric_publish:Publish", needs=("metrics",)),
    _type(
        "templating.TemplatedTask",
        "templated:TemplatedTask",
        f"{_OLD}.templating.TemplatedTask",
    ),
)

CORE_TYPES = (*_TYPES, *_SERVED_TYPES)
"""The core types that a flow may name."""

_PARTS = (
    _type("flow.ForEachItem$ForEachItemSplit", "for_each_item:SplitItems", needs=_FILES),
    _type("flow.ForEachItem$ForEachItemMergeOutputs", "for_each_item:MergeOutputs", needs=_FILES),
)
"""The core types that a task of a flow opens into."""

_BY_NAME = {name: known for known in (*CORE_TYPES, *_PARTS) for name in known.names}


def core_type(name: str) -> TaskDefinition | None:
    """The core task of that type, by its name or an old one."""
    return _BY_NAME.get(name.lower())
