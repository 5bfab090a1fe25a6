"""The core tasks by their type: which class runs them. Read in the pod, so literal and light."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class CoreType:
    """One type of task that Penstock's own image runs."""

    name: str
    source: str
    """`module:Class`; imported only where a task of this type is run or checked."""
    aliases: tuple[str, ...] = ()

    def load(self) -> type:
        """The dataclass of the task."""
        module, _, name = self.source.partition(":")
        loaded = getattr(import_module(module), name)
        assert isinstance(loaded, type)
        return loaded


CORE_TYPES = (
    CoreType(
        "io.kestra.plugin.core.log.Log",
        "penstock.tasks.log:Log",
        ("io.kestra.core.tasks.log.Log",),
    ),
    CoreType(
        "io.kestra.plugin.core.debug.Return",
        "penstock.tasks.debug_return:Return",
        ("io.kestra.core.tasks.debugs.Return",),
    ),
    CoreType(
        "io.kestra.plugin.core.debug.Echo",
        "penstock.tasks.log:Echo",
        ("io.kestra.core.tasks.debugs.Echo",),
    ),
    CoreType(
        "io.kestra.plugin.core.output.OutputValues",
        "penstock.tasks.output_values:OutputValues",
    ),
    CoreType("io.kestra.plugin.core.flow.Sleep", "penstock.tasks.sleep:Sleep"),
    CoreType(
        "io.kestra.plugin.core.execution.Fail",
        "penstock.tasks.fail:Fail",
        ("io.kestra.core.tasks.executions.Fail",),
    ),
)

_BY_NAME = {
    name.lower(): core_type
    for core_type in CORE_TYPES
    for name in (core_type.name, *core_type.aliases)
}


def core_type(name: str) -> CoreType | None:
    """The core task of that type, by its name or an old one."""
    return _BY_NAME.get(name.lower())
