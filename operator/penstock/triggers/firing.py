"""A firing: what every trigger's decision comes to, whatever the trigger listens to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from penstock.expressions import ExpressionError
from penstock.flow.document import Trigger
from penstock.flow.problems import shortened
from penstock.resources.execution import TriggerReference
from penstock.triggers.evaluation import Context


@dataclass(frozen=True)
class Firing:
    """One execution that a trigger calls for.

    Who starts executions makes the name of the execution from the flow, the trigger and the key,
    by calculation. So a decision that is made twice, after a crash for example, starts one.
    """

    key: str
    """Tells the event from every other one of the same trigger: the same event always has the same
    key. For example the due time, or the place of a message in its topic."""
    variables: Mapping[str, Any]
    """What expressions of the execution see as `trigger.…`."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Values of the flow's inputs, rendered."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels beside those of the flow, rendered."""
    backfill: str | None = None
    """The id of the backfill that it belongs to, where it belongs to one."""
    problems: tuple[str, ...] = ()
    """What could not be rendered, in words for the flow's author."""
    has_inputs: bool = True
    """Whether the inputs were rendered; if not, they are as they are written."""
    failure: str | None = None
    """Why the execution is to be FAILED before anything of it runs, in words for the flow's
    author. It is there since somebody waits for it."""

    def reference(self, trigger: Trigger) -> TriggerReference:
        """Say in an execution that this firing of a trigger started it."""
        return TriggerReference(
            id=trigger.id, type=trigger.type, variables=dict(self.variables), failure=self.failure
        )

    @property
    def what_is_wrong(self) -> tuple[str, ...]:
        """All that is to be told of it, beside that it started something."""
        return self.problems if self.failure is None else (f"FAILED: {self.failure}",)


_LONGEST_FAILURE = 1_000
"""Characters of a failure that are kept."""


def failed_firing(firing: Firing, failure: str) -> Firing:
    """The firing whose execution is FAILED from the start, and so has no inputs."""
    return replace(firing, inputs={}, problems=(), failure=shortened(failure, _LONGEST_FAILURE))


def rendered_firing(
    key: str,
    variables: Mapping[str, Any],
    inputs: Mapping[str, Any],
    labels: Mapping[str, str],
    context: Context,
    date: datetime,
) -> Firing:
    """The firing of a trigger whose `inputs` and `labels` are rendered as texts, at a date.

    Where the inputs can't be rendered the execution is given them as they are written, and reports
    what is wrong with them. A label that can't be rendered is left out, as in Kestra.
    """
    problems = []
    given: Mapping[str, Any] = inputs
    has_inputs = True
    try:
        given = context.language.render(dict(inputs), context.variables, date)
    except ExpressionError as error:
        has_inputs = False
        problems.append(f"its inputs can't be rendered: {error}")
    made = {}
    for name, template in labels.items():
        try:
            made[name] = str(context.language.render(template, context.variables, date))
        except ExpressionError as error:
            problems.append(f"its label {name} is left out: {error}")
    return Firing(key, variables, given, made, problems=tuple(problems), has_inputs=has_inputs)
