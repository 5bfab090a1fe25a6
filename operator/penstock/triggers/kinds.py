"""The kinds of triggers: what one type of trigger is to the rest of Penstock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing
from penstock.triggers.properties import TriggerProperties


@dataclass(frozen=True)
class TriggerType:
    """One type of trigger. What it is alone is checked, and starts nothing on a cluster."""

    name: str
    """The type as a flow writes it; capitals do not matter."""
    model: type[TriggerProperties]
    """The properties of the type."""
    aliases: tuple[str, ...] = ()
    """Older names."""
    served: bool = False
    """Whether executions are started for it on a cluster; a flow may have it either way."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the type, in small letters."""
        return tuple(name.lower() for name in (self.name, *self.aliases))

    @property
    def has_backfill(self) -> bool:
        """Whether dates that passed can be gone through once more."""
        return False

    def has_name(self, name: str) -> bool:
        """Whether a trigger of a flow is of this type, by what it writes as its type."""
        return name.lower() in self.names


@dataclass(frozen=True)
class ClockDecision:
    """What the time calls for now."""

    handled: datetime
    """The instant up to which every date is dealt with, once the firing's execution is there."""
    date: datetime | None = None
    """The date that is dealt with now, where there is one."""
    firing: Firing | None = None
    """The execution for that date."""
    error: str | None = None
    """Why the dates of the trigger can't be told."""


@dataclass(frozen=True, kw_only=True)
class ClockTrigger(TriggerType):
    """A type of trigger that fires at dates. Its functions are pure, and get its properties."""

    plan: Callable[[Any], str]
    """What its dates follow from, in words for the status of its TriggerState. Where that is
    changed, dates that passed before do not count any more."""
    decide: Callable[[Any, datetime, datetime, Context], ClockDecision]
    """What to do about the first date after an instant that is not after the present one."""
    next_look: Callable[[Any, datetime, Context], datetime | None]
    """When to ask for a decision again, after an instant; None where nothing will ever be due."""
    backfill: Callable[[Any, datetime, datetime, Context], ClockDecision] | None = None
    """What to do about the first date after an instant, up to another one, whatever was missed or
    is late. None where a type has no dates beside those that it names."""

    @property
    def has_backfill(self) -> bool:
        return self.backfill is not None


@dataclass(frozen=True, kw_only=True)
class RequestTrigger(TriggerType):
    """A type of trigger that fires upon a request over HTTP: the gateway receives it, and decides
    by the properties alone."""


@dataclass(frozen=True, kw_only=True)
class ExecutionTrigger(TriggerType):
    """A type of trigger that fires when executions of other flows come into states: the Flow
    trigger, whose decision is :func:`penstock.triggers.flow_trigger.decision.decide`."""


@dataclass(frozen=True, kw_only=True)
class SourceTrigger(TriggerType):
    """A type of trigger that the listener serves: it asks a source, or listens to one."""

    driver: str
    """Which function does that, as `module:function`; only the listener imports it. What it has to
    provide is written in :mod:`penstock.listener.source`."""
    rendered_later: frozenset[str] = frozenset()
    """Properties, by the names that a flow file uses, that the driver renders itself, as they see
    what comes."""


@dataclass(frozen=True, kw_only=True)
class StreamTrigger(SourceTrigger):
    """A type of trigger that listens to a source, which delivers what happens as it happens."""


@dataclass(frozen=True, kw_only=True)
class PollTrigger(SourceTrigger):
    """A type of trigger that asks a source again and again. Its properties say in `interval` how
    often."""
