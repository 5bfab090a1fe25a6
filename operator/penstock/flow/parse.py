"""The parser of flows: it makes a valid flow of plain values, or tells every reason why it is none.

The same function serves the controller, the Git sync and the command line; only text from a file
has lines to name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from penstock.flow.checks import check_flow, recursions
from penstock.flow.document import Flow, Trigger
from penstock.flow.limits import check_depth
from penstock.flow.loading import SourceDocument
from penstock.flow.old_names import name_today, old_names
from penstock.flow.plugin_defaults import apply_plugin_defaults, drop_foreign_defaults, is_written
from penstock.flow.problems import InvalidFlow, Location, Problem, bounded
from penstock.flow.references import ReadTemplate, unknown_references
from penstock.flow.rendered_texts import all_texts_of
from penstock.flow.types import TaskTypes
from penstock.flow.validation import from_validation

CheckExpression = Callable[[str], None]
"""Compiles an expression. Raises an exception whose text says why it can't be compiled."""

CheckTrigger = Callable[[Trigger], Iterable[Problem]]
"""The problems of one trigger, located from the trigger."""

_NOT_OF_THE_FLOW = frozenset({"extend", "deleted", "tenantId"})
"""The properties in files of Kestra's blueprints and exports that mean nothing here."""

_TASKS = frozenset({"tasks", "errors", "finally", "afterExecution"})


@dataclass(frozen=True)
class ParsedFlow:
    """A valid flow, and the warnings for its author."""

    flow: Flow
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class FlowParser:
    """Reads flow documents with the task types and the expression language that there are."""

    types: TaskTypes
    check_expression: CheckExpression
    check_trigger: CheckTrigger = lambda trigger: ()
    read_template: ReadTemplate | None = None
    """Tells what a template reads. Without it, names that do not exist are not looked for."""

    def parse(self, document: SourceDocument) -> ParsedFlow:
        """Read one flow. Raises :class:`InvalidFlow` with its problems in order of lines: all, or
        the first ones and how many more there are."""
        problems: list[Problem] = []
        flow: Flow | None = None
        checked: Flow | None = None
        raw = document.value
        if not isinstance(raw, dict):
            raise InvalidFlow([Problem((), "a flow is a map with `id`, `namespace` and `tasks`")])
        if (problem := check_depth(raw)) is not None:
            raise InvalidFlow([problem.at_line(document.line_of(problem.location))])
        raw = {key: value for key, value in raw.items() if key not in _NOT_OF_THE_FLOW}
        merged = apply_plugin_defaults(raw, lambda name: name_today(name, self.types))
        try:
            flow = self._validate(raw, merged)
            checked = flow
        except ValidationError as error:
            problems += [
                _with_origin(problem, raw, merged) for problem in from_validation(error, merged)
            ]
            checked = self._read_leniently(merged, error)
        problems += self._expression_problems(raw)
        problems += old_names(raw, self.types)
        problems += recursions(raw)
        if self.read_template is not None:
            problems += unknown_references(raw, self.types, self.read_template)
        if checked is not None:
            problems += check_flow(checked, self.types)
            problems += self._trigger_problems(checked, raw)
        located = sorted(
            (problem.at_line(document.line_of(problem.location)) for problem in _once(problems)),
            key=lambda problem: problem.line or 0,
        )
        refusals = [problem for problem in located if not problem.warning]
        if refusals or flow is None:
            warnings = [problem for problem in located if problem.warning]
            raise InvalidFlow(bounded(refusals), bounded(warnings))
        return ParsedFlow(flow, tuple(bounded(located)))

    def _trigger_problems(self, flow: Flow, raw: dict[str, Any]) -> list[Problem]:
        found = [
            replace(problem, location=("triggers", index, *problem.location))
            for index, trigger in enumerate(flow.triggers)
            for problem in self.check_trigger(trigger)
        ]
        # A default by prefix may hold more than a trigger knows; Kestra reads it leniently.
        return [
            problem
            for problem in found
            if problem.code != "unknown_property" or is_written(raw, problem.location)
        ]

    def _validate(self, raw: dict[str, Any], merged: dict[str, Any]) -> Flow:
        """Validate a flow, without the properties that a default by prefix gives to types which
        lack them."""
        context = {"types": self.types}
        try:
            return Flow.model_validate(merged, context=context)
        except ValidationError as error:
            if not drop_foreign_defaults(raw, merged, error):
                raise
        return Flow.model_validate(merged, context=context)

    def _read_leniently(self, merged: dict[str, Any], error: ValidationError) -> Flow | None:
        """A refused flow as far as it can be read: its author is told everything at once."""
        wrong = {line["loc"][0] for line in error.errors(include_url=False) if line["loc"]}
        rest = {key: value for key, value in merged.items() if key in _TASKS or key not in wrong}
        rest = {"id": "refused", "namespace": "refused"} | rest
        try:
            return Flow.model_validate(rest, context={"types": self.types, "lenient": True})
        except ValidationError:
            return None

    def _expression_problems(self, raw: Mapping[str, Any]) -> Iterator[Problem]:
        """A warning for each expression that does not compile.

        Kestra takes a flow with such an expression, and fails the task that renders it. Penstock
        does so too: a file that Kestra runs in part runs here in part.
        """
        for text in all_texts_of(raw):
            try:
                self.check_expression(text.value)
            except Exception as error:
                yield Problem(text.at, f"{error}{text.of_task}", code="expression", warning=True)


def _with_origin(problem: Problem, raw: dict[str, Any], merged: dict[str, Any]) -> Problem:
    """A problem that says if a plugin default gave the property: its author finds nothing at its
    place."""
    place = problem.location
    if place and is_written(merged, place) and not is_written(raw, place):
        return replace(problem, message=f"{problem.message} (given by `pluginDefaults`)")
    return problem


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """The first problem of each kind at each place."""
    seen: dict[tuple[Location, str | None], Problem] = {}
    for problem in problems:
        seen.setdefault((problem.location, problem.code), problem)
    return list(seen.values())
