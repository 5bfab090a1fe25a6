"""Everything that a flow may name, put together: the one place that knows all rooms of types."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from penstock.engine import commands, executables, flowables, instant
from penstock.flow.document import Trigger
from penstock.flow.parse import FlowParser
from penstock.flow.problems import Problem
from penstock.flow.types import TaskTypes
from penstock.tasks import registry

if TYPE_CHECKING:
    from penstock.expressions import Expressions


@cache
def task_types() -> TaskTypes:
    """The task types that Penstock carries."""
    types = TaskTypes()
    flowables.register(types)
    instant.register(types)
    executables.register(types)
    commands.register(types)
    registry.register(types)
    return types


@cache
def expressions() -> Expressions:
    """The expression language, with its cache of compiled templates."""
    from penstock.expressions import Expressions

    return Expressions()


def check_expression(text: str) -> None:
    """Raises an exception whose text says why an expression can't be compiled."""
    expressions().check(text)


def check_trigger(trigger: Trigger) -> Iterable[Problem]:
    """The problems of one trigger. Most flows have none: what knows them is read on the first."""
    from penstock.triggers.checks import check_trigger

    return check_trigger(trigger)


def flow_parser() -> FlowParser:
    """Reads and checks flows with all types, expressions and triggers."""
    return FlowParser(task_types(), check_expression, check_trigger)
