"""What installed distributions bring: definitions of tasks and types of triggers, by entry point.

Penstock's own stand in its `pyproject.toml`, as those of others stand in theirs, and are read
first: looking through every distribution that is installed takes five times as long, and is done
only where a flow names what Penstock itself has not. Pods of tasks read this module and the tables
of tasks too, so these need nothing but the standard library.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

TASKS = "penstock.tasks"
"""The group whose entries are :class:`penstock.tasks.contract.definition.TaskDefinition`."""
TRIGGERS = "penstock.triggers"
"""The group whose entries are :class:`penstock.triggers.kinds.TriggerType`."""

_OWN = "penstock"


def own(group: str, kind: type[T]) -> tuple[T, ...]:
    """What Penstock's own entries of a group name. An entry is one of its kind, or a table of them.

    Raises ``RuntimeError`` where Penstock is not installed as it is written.
    """
    entries: Iterable[EntryPoint] = ()
    with suppress(PackageNotFoundError):
        entries = distribution(_OWN).entry_points.select(group=group)
    found = tuple(item for entry in entries for item in _loaded(entry, kind))
    if not found:
        raise RuntimeError(
            f"Penstock's own entry points `{group}` are not known: it was installed before it had "
            "them, or runs without being installed; install it (in a checkout: `make dev`)"
        )
    return found


def foreign(group: str, kind: type[T]) -> tuple[T, ...]:
    """What the entries of every other distribution name. One that can't be read is told in the log,
    and keeps nothing else from working."""
    found: list[T] = []
    for entry in entry_points(group=group):
        if _distribution_of(entry) == _OWN:
            continue
        try:
            found += _loaded(entry, kind)
        except Exception as error:
            logger.warning(
                "what the package %s brings as `%s` of %s can't be used: %s: %s",
                *(_distribution_of(entry), entry.name, group, type(error).__name__, error),
            )
    return tuple(found)


def _distribution_of(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""


def _loaded(entry: EntryPoint, kind: type[T]) -> tuple[T, ...]:
    value = entry.load()
    items = tuple(value) if isinstance(value, Iterable) else (value,)
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"`{entry.value}` is no {kind.__name__}, and no table of them")
    return items
