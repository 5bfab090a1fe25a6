"""The definitions of tasks that are installed: Penstock's own, and those of other distributions.

Each distribution names its tables in its `pyproject.toml`, below
`[project.entry-points."penstock.tasks"]`.
"""

from __future__ import annotations

import logging
from functools import cache

from penstock.tasks.contract.core_types import core_type
from penstock.tasks.contract.definition import TaskDefinition

logger = logging.getLogger(__name__)


def find(name: str) -> TaskDefinition | None:
    """The definition of a type, by any of its names; capitals do not matter.

    A pod of a core task waits for this: no entry point is read for one.
    """
    core = core_type(name)
    if core is not None:
        return core
    own = _by_name(own_definitions()).get(name.lower())
    return own if own is not None else _by_name(foreign_definitions()).get(name.lower())


@cache
def own_definitions() -> tuple[TaskDefinition, ...]:
    """List the definitions that Penstock itself brings."""
    from penstock.entry_points import TASKS, own

    return own(TASKS, TaskDefinition)


@cache
def foreign_definitions() -> tuple[TaskDefinition, ...]:
    """List the definitions that other distributions bring, but for types that there are already."""
    from penstock.entry_points import TASKS, foreign

    taken = set(_by_name(own_definitions()))
    found = []
    for definition in foreign(TASKS, TaskDefinition):
        if clash := taken.intersection(definition.names):
            logger.warning("there is a task type %s already: the other is left", min(clash))
            continue
        taken.update(definition.names)
        found.append(definition)
    return tuple(found)


@cache
def _by_name(definitions: tuple[TaskDefinition, ...]) -> dict[str, TaskDefinition]:
    return {name: definition for definition in definitions for name in definition.names}
