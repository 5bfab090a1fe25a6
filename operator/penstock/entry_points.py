"""What installed distributions bring: definitions of tasks and types of triggers, by entry point.

Penstock's own stand in its `pyproject.toml`, as those of others stand in theirs, and are read
first: looking through every distribution that is installed takes several times as long, and is done
only where a flow names what Penstock itself has not. Pods of tasks read this module and the tables
of tasks too, so these need nothing but the standard library.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import (
    Distribution,
    EntryPoint,
    PackageNotFoundError,
    distribution,
    distributions,
)
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
    for name, installed in _others().items():
        for entry in installed.entry_points.select(group=group):
            try:
                found += _loaded(entry, kind)
            except Exception as error:
                logger.warning(
                    "what the package %s brings as `%s` of %s can't be used: %s: %s",
                    *(name, entry.name, group, type(error).__name__, error),
                )
    return tuple(found)


@cache
def _others() -> dict[str, Distribution]:
    """The other distributions that bring something, by name; where one is there twice, the first.

    Of most, the text of their entry points is all that is read.
    """
    found: dict[str, Distribution] = {}
    for installed in distributions():
        if f"[{_OWN}." in (installed.read_text("entry_points.txt") or ""):
            found.setdefault(installed.name, installed)
    found.pop(_OWN, None)
    return found


def _loaded(entry: EntryPoint, kind: type[T]) -> tuple[T, ...]:
    value = entry.load()
    items = tuple(value) if isinstance(value, Iterable) else (value,)
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"`{entry.value}` is no {kind.__name__}, and no table of them")
    return items
