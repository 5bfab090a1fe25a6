"""The identity of an execution: what the Kubernetes object around its status says of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.resources.execution import (
    Control,
    ExecutionSpec,
    ParentReference,
    ReplayReference,
    RetryReference,
    TriggerReference,
)

_LONGEST_NAME = 63
"""Characters of an execution's name, which is the value of a label of its Jobs."""
_DIGEST = 10
_NOT_IN_FOLDERS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Identity:
    """One execution."""

    name: str
    """The name of the resource: `execution.id` in expressions."""
    uid: str
    """Unique in time: seeds what an expression calls random."""
    created: datetime
    revision: int = 1
    trigger: TriggerReference | None = None
    killed: bool = False
    """Somebody wants it ended."""
    schedule_date: datetime | None = None
    priority: int | None = None
    breakpoints: frozenset[str] = frozenset()
    controls: tuple[Control, ...] = ()
    parent: ParentReference | None = None
    retry: RetryReference | None = None
    replay: ReplayReference | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """What expressions see as `envs.…`."""
    globals: Mapping[str, Any] = field(default_factory=dict)
    """What expressions see as `globals.…`."""

    @property
    def original(self) -> str:
        """The name of the execution of which this one is a retry, or its own."""
        return self.name if self.retry is None else self.retry.original

    @property
    def number(self) -> int:
        """Which attempt this execution is, where it is tried again as a whole."""
        return 1 if self.retry is None else self.retry.attempt

    @property
    def depth(self) -> int:
        """How many executions are around this one: its parent, the parent of that, and so on."""
        return 0 if self.parent is None else self.parent.depth


def identity_of(
    name: str,
    uid: str,
    created: datetime,
    spec: ExecutionSpec,
    revision: int = 1,
    environment: Mapping[str, str] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Identity:
    """The identity of an execution with that spec."""
    return Identity(
        name=name,
        uid=uid,
        created=created,
        revision=revision,
        trigger=spec.trigger,
        killed=spec.kill,
        schedule_date=spec.schedule_date,
        priority=spec.priority,
        breakpoints=frozenset(spec.breakpoints),
        controls=tuple(spec.controls),
        parent=spec.parent,
        retry=spec.retry,
        replay=spec.replay,
        environment=environment or {},
        globals=variables or {},
    )


def inputs_secret(name: str, uid: str) -> str:
    """The name of the Secret that holds what an execution was given as text."""
    return derived_name(name, uid, "inputs")


def control_secret(name: str, uid: str, control: str) -> str:
    """The name of the Secret that holds what one of its controls gave as text."""
    return derived_name(name, uid, "control", control)


def derived_name(name: str, *parts: object) -> str:
    """A name for an execution that another one makes: the same for the same parts.

    It begins as the maker's name does, so that they stand together in a list; but with a dash for
    each full stop, so that it is also the name of the folder in which its files lie.
    """
    digest = hashlib.sha256("\0".join(map(str, (name, *parts))).encode()).hexdigest()[:_DIGEST]
    start = _NOT_IN_FOLDERS.sub("-", name[: _LONGEST_NAME - _DIGEST - 1]).strip("-")
    return f"{start}-{digest}"
