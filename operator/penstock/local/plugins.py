"""Task types of a person's own, for executions on this machine: `penstock run --plugin`.

A plugin is a Python module with a function `register(types)`. What it registers is a type that the
engine does (`TaskType(name, model=…)`), or one that runs here: a dataclass of properties with a
method `run(context)`, as Penstock's own tasks are (:mod:`penstock.tasks.contract.task`).

    def register(types):
        types.register(task_type("com.company.Greet", Greet))
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.flow.types import TaskType
from penstock.tasks.contract.task import CoreTask
from penstock.tasks.registry.properties import check, read
from penstock.types import task_types

if TYPE_CHECKING:
    # `penstock flow validate` needs no engine, and starts some 10 ms sooner without it.
    from penstock.engine.interface.actions import StartAttempt


class PluginError(Exception):
    """A plugin can't be used; the text tells why."""


@dataclass(frozen=True)
class PluginType(TaskType):
    """A type whose tasks run in this process."""

    task: type[Any] | None = None
    """The dataclass of its properties, with a method `run(context)`."""


def task_type(name: str, task: type[Any], *aliases: str) -> PluginType:
    """Make a task type of a dataclass with a method `run(context)`."""
    return PluginType(name, aliases, check=partial(check, task), task=task)


class Plugins:
    """Penstock's own types, and those of plugins."""

    def __init__(self) -> None:
        self.types = task_types().copy()

    @classmethod
    def of(cls, modules: Iterable[str]) -> Plugins:
        """Import the modules, from the current folder too. Raises :class:`PluginError`."""
        plugins = cls()
        for module in modules:
            plugins.load(module)
        return plugins

    def load(self, module: str) -> None:
        """Import a module and register its types. Raises :class:`PluginError`."""
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            register = import_module(module).register
        except ImportError as error:
            raise PluginError(f"the plugin `{module}` can't be imported: {error}") from error
        except AttributeError:
            raise PluginError(f"the plugin `{module}` has no function `register(types)`") from None
        register(self.types)

    def task(self, start: StartAttempt) -> CoreTask | None:
        """The task of an attempt; None where its type is no plugin's. Raises ``TaskFailure``."""
        found = self.types.find(start.task.type)
        if not isinstance(found, PluginType) or found.task is None:
            return None
        task: CoreTask = read(found.task, start.properties)
        return task
