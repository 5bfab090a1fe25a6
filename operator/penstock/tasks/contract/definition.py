"""The definition of a runnable task: all that is known of its type before one of it runs.

Pods read it, so it needs nothing but the standard library. So do the tables of definitions, and the
modules with the properties of tasks: a flow is checked, and the reference is written, where what a
task runs with (a database's driver, say) is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from penstock.tasks.contract.task import CORE, SCRIPT, Context, CoreTask

Need = Literal["files", "uris", "delete", "namespaces", "logs", "metrics"]
"""`files`: the internal storage; `uris`: the same, where a property names a file by URI; `delete`:
to delete files by URI; `namespaces`: to write namespace files, and to read those of every
namespace; `logs`: the logs of other executions; `metrics`: to publish numbers.
"""


@dataclass(frozen=True)
class TaskDefinition:
    """One type of runnable task. What is named as `module:name` is imported where it is used."""

    name: str
    """The type as a flow writes it; capitals do not matter."""
    properties: str
    """`module:Class` of the dataclass of its properties. Docstrings there are the reference: what
    the task does, its outputs, an example, and below each field what it is."""
    aliases: tuple[str, ...] = ()
    """Older names."""
    needs: tuple[Need, ...] = ()
    """What it needs of the world beyond its properties. It is given that and nothing else."""
    typed: tuple[str, ...] = ()
    """Properties of which a single expression keeps its type."""
    unrendered: tuple[str, ...] = ()
    """Properties that the task itself renders."""
    without_effect: tuple[str, ...] = ()
    """Properties that are accepted and do nothing."""
    spellings: tuple[tuple[str, str], ...] = ()
    """Properties that may be written in another way, each with the usual one."""
    deprecated: str | None = None
    """What to use in its place; None for a type that is not deprecated."""
    runtime: str = CORE
    """Which image runs it: see :attr:`penstock.tasks.contract.task.Container.runtime`."""
    image: str | None = None
    """The image of a script that names none."""
    program: str | None = None
    """`module:function` that runs the task in its pod: it is given the properties and the context,
    and returns the outputs. It may import whatever is in the image of its runtime. None where the
    properties have a method `run`."""
    container: str | None = None
    """`module:function` that makes the container from the type's name and its properties. None
    where Penstock's own program runs the task."""
    check: str | None = None
    """`module:function` that checks properties as they are written, beyond what their types say: it
    returns the errors that it found, and the properties that are still to be checked."""
    warnings: str | None = None
    """`module:function` that tells of properties that have no effect, each with the reason."""

    @property
    def is_script(self) -> bool:
        """Whether it runs in the user's image."""
        return self.runtime == SCRIPT

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the type, in small letters."""
        return tuple(name.lower() for name in (self.name, *self.aliases))

    def load(self) -> type:
        """The dataclass of its properties."""
        loaded = imported(self.properties)
        assert isinstance(loaded, type)
        return loaded

    def spelled(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Properties by their usual names."""
        usual = dict(self.spellings)
        return {usual.get(key, key): value for key, value in properties.items()}

    def task(self, properties: Any) -> CoreTask:
        """What runs in the pod, from the properties as :meth:`load` has them."""
        task: CoreTask = properties if self.program is None else _Program(self.program, properties)
        return task


@dataclass(frozen=True)
class _Program:
    """A task whose program stands apart from its properties."""

    source: str
    properties: Any

    def run(self, context: Context) -> Mapping[str, Any] | None:
        outputs: Mapping[str, Any] | None = imported(self.source)(self.properties, context)
        return outputs


def imported(source: str) -> Any:
    """What stands at `module:name`."""
    module, _, name = source.partition(":")
    return getattr(import_module(module), name)
