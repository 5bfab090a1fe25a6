"""Whether the tasks of a WorkingDirectory can run in one pod, by what their runners ask for.

A pod has one place, one set of volumes and one limit of memory: tasks that each want their own get
pods of their own. It is told from the flow as it is written, so that it is the same whenever it is
asked, whatever the tasks before have given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.flow.model import is_expression
from penstock.tasks.contract.installed import find
from penstock.tasks.contract.task import Placement, Resources, TaskFailure
from penstock.tasks.core.templated import TEMPLATED
from penstock.tasks.registry.properties import read
from penstock.tasks.scripts.placement import placement
from penstock.tasks.scripts.runner_options import DockerOptions, Runner
from penstock.tasks.scripts.runners import resources

_ORDINARY = frozenset({"cpu", "memory", "ephemeral-storage"})
"""Devices are given to a container when its pod begins."""
_RUNNERS = (("taskRunner", Runner), ("docker", DockerOptions), ("dockerOptions", DockerOptions))


@dataclass(frozen=True)
class Sharing:
    """What the pod of many tasks is asked for."""

    placement: Placement = field(default_factory=Placement)
    resources: tuple[Resources, ...] = ()
    """What each script wants."""


def sharing(tasks: Iterable[tuple[str, Mapping[str, Any]]]) -> Sharing | None:
    """What tasks, by their types and properties as they are written, ask of a pod in common; None
    where each needs its own.
    """
    places: list[Placement] = []
    wanted: list[Resources] = []
    for name, properties in tasks:
        definition = find(name)
        if definition is not None and definition.name == TEMPLATED:
            return None  # it may turn out to be any task
        if definition is None or not definition.is_script:
            continue
        try:
            place, amount = _asked(properties)
        except (TaskFailure, _NotWritten):
            return None
        places.append(place)
        wanted.append(amount)
    if not all(_can_share(place, places[0]) for place in places):
        return None
    if any({*amount.requests, *amount.limits} - _ORDINARY for amount in wanted):
        return None
    return Sharing(places[0] if places else Placement(), tuple(wanted))


class _NotWritten(Exception):
    """A value is not known before the task runs: it is an expression."""


def _asked(properties: Mapping[str, Any]) -> tuple[Placement, Resources]:
    for name, kind in _RUNNERS:
        options = properties.get(name)
        if options is None:
            continue
        if not isinstance(options, Mapping):
            raise _NotWritten
        # The image is each container's own; so are credentials of Docker, which have no effect.
        rest = {key: value for key, value in options.items() if key not in ("image", "credentials")}
        if is_expression(repr(rest)):
            raise _NotWritten
        runner = read(kind, rest)
        place = placement(runner) if isinstance(runner, Runner) else Placement()
        return place, resources(name, runner)
    return Placement(), Resources()


def _can_share(place: Placement, with_: Placement) -> bool:
    """Volumes may not be mounted in part in a container that is added to a pod."""
    return place == with_ and not any("subPath" in mount for mount in place.volume_mounts)
