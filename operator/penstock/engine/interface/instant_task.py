"""Tasks that the engine does itself, at once and without a Job: they change the execution.

Such a task says what changes; :mod:`penstock.engine.decision.settling` makes it so. As the change
and the end of the task are stored by one write, it happens exactly once. A new one is one file in
:mod:`penstock.engine.kinds.instant`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.engine.interface.flowable import Evaluator
from penstock.flow.task import Task
from penstock.resources.execution import State


class InstantFailure(Exception):
    """The task fails; the text tells the flow's author why."""


@dataclass(frozen=True)
class Scene:
    """The labels and variables that an instant task finds."""

    labels: Mapping[str, str]
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """What an instant task changes of the execution; None stands for what it leaves as it is."""

    labels: dict[str, str] | None = None
    """All labels of the execution from now on."""
    variables: dict[str, Any] | None = None
    """All variables of the execution from now on."""
    exit: State | None = None
    """The execution ends in this state."""


class InstantTask(Task):
    """A task that is done as soon as it is started."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        """Say what the task changes. Raises ``InstantFailure`` or ``ExpressionError``."""
        raise NotImplementedError
