"""Everything that a flow may name, put together: the one place that knows all rooms of types."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from penstock.engine.kinds import commands, executables, flowables, instant
from penstock.flow.document import Trigger
from penstock.flow.parse import FlowParser
from penstock.flow.problems import Problem
from penstock.flow.references import TemplateReads
from penstock.flow.types import TaskTypes
from penstock.tasks.registry import definitions as registry

if TYPE_CHECKING:
    from penstock.expressions import Expressions


@cache
def task_types() -> TaskTypes:
    """The task types that are installed: Penstock's own, and those of other distributions. These
    are looked for where a flow names a type that is none of Penstock's."""
    types = own_task_types().copy()
    types.further = registry.foreign_types
    return types


@cache
def own_task_types() -> TaskTypes:
    """The task types that Penstock itself carries."""
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
    """Check an expression. Raises an exception whose text says why it can't be compiled."""
    expressions().check(text)


def read_template(text: str) -> TemplateReads:
    """What a template reads of the variables. The language is read on the first one."""
    from penstock.expressions.references import template_reads

    return template_reads(text)


def check_trigger(trigger: Trigger) -> Iterable[Problem]:
    """The problems of one trigger. Most flows have none: what knows them is read on the first."""
    from penstock.triggers.checks import check_trigger

    return check_trigger(trigger)


def flow_parser(types: TaskTypes | None = None) -> FlowParser:
    """Reads and checks flows with all expressions and triggers, and with these types or all."""
    known = task_types() if types is None else types
    return FlowParser(known, check_expression, check_trigger, read_template)
