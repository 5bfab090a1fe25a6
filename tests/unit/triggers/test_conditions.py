"""Conditions: which are true of which date and execution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from penstock.triggers.conditions import AnyCondition
from penstock.triggers.conditions.model import Condition
from penstock.triggers.evaluation import ConditionError, FlowName
from tests.unit.triggers.context import context, execution

_READER: TypeAdapter[Condition] = TypeAdapter(AnyCondition)
_PREFIX = "io.kestra.plugin.core.condition."


def condition(text: str) -> Condition:
    """`Name: {property: …}` as a condition."""
    [(name, properties)] = yaml.load(text, yaml.BaseLoader).items()
    return _READER.validate_python({"type": _PREFIX + name, **_nested(properties or {})})


def _nested(value: Any) -> Any:
    """Inner conditions by their short names as well."""
    if isinstance(value, list):
        return [_nested(item) for item in value]
    if isinstance(value, dict):
        found = {key: _nested(item) for key, item in value.items()}
        return found | {"type": _PREFIX + found["type"]} if "type" in found else found
    return value


@pytest.mark.parametrize(
    ("text", "date", "holds"),
    [
        # 2025-01-06 is a Monday
        ("DayWeek: {dayOfWeek: MONDAY}", "2025-01-06T00:00:00Z", True),
        ("DayWeek: {dayOfWeek: MONDAY}", "2025-01-07T00:00:00Z", False),
        ("DayWeek: {dayOfWeek: MONDAY}", "2025-01-07T00:00:00+02:00", False),
        ("DayWeekInMonth: {dayOfWeek: MONDAY, dayInMonth: FIRST}", "2025-01-06T09:00:00Z", True),
        ("DayWeekInMonth: {dayOfWeek: MONDAY, dayInMonth: SECOND}", "2025-01-06T09:00:00Z", False),
        ("DayWeekInMonth: {dayOfWeek: MONDAY, dayInMonth: SECOND}", "2025-01-13T09:00:00Z", True),
        ("DayWeekInMonth: {dayOfWeek: FRIDAY, dayInMonth: FOURTH}", "2025-01-24T09:00:00Z", True),
        ("DayWeekInMonth: {dayOfWeek: FRIDAY, dayInMonth: LAST}", "2025-01-24T09:00:00Z", False),
        ("DayWeekInMonth: {dayOfWeek: FRIDAY, dayInMonth: LAST}", "2025-01-31T09:00:00Z", True),
        ("PublicHoliday: {country: NO}", "2025-05-17T09:00:00Z", True),
        ("PublicHoliday: {country: NO}", "2025-05-16T09:00:00Z", False),
        ("PublicHoliday: {country: NO}", "2025-05-16T22:30:00-05:00", False),
        ("PublicHoliday: {country: de, subDivision: by}", "2025-01-06T09:00:00Z", True),
        ("PublicHoliday: {country: DE, subDivision: DE-BE}", "2025-01-06T09:00:00Z", False),
        ("PublicHoliday: {country: \"{{ 'D' ~ 'E' }}\", subDivision: \"{{ 'BY' }}\"}",
         "2025-01-06T09:00:00Z", True),
        ("PublicHoliday: {country: FR, date: '2025-07-14'}", "2025-01-06T09:00:00Z", True),
        ("Weekend: {}", "2025-01-04T09:00:00Z", True),
        ("Weekend: {}", "2025-01-06T09:00:00Z", False),
        ("DateTimeBetween: {after: '2025-01-06T09:00:00Z'}", "2025-01-06T09:00:00Z", False),
        ("DateTimeBetween: {after: '2025-01-06T09:00:00Z'}", "2025-01-06T09:00:01Z", True),
        ("DateTimeBetween: {after: '2025-01-06T09:00:00+01:00'}", "2025-01-06T08:30:00Z", True),
        ("DateTimeBetween: {before: '2025-01-06T09:00:00Z'}", "2025-01-06T09:00:00Z", False),
        ("DateTimeBetween: {after: '2025-01-01T00:00:00Z', before: '2025-02-01T00:00:00Z'}",
         "2025-01-15T00:00:00Z", True),
        ("DateTimeBetween: {after: '2025-01-01T00:00:00Z', before: '2025-02-01T00:00:00Z'}",
         "2025-02-15T00:00:00Z", False),
        ("TimeBetween: {after: '08:00:00', before: '17:00:00'}", "2025-01-06T08:00:00Z", False),
        ("TimeBetween: {after: '08:00:00', before: '17:00:00'}", "2025-01-06T08:00:01Z", True),
        ("TimeBetween: {after: '08:00:00', before: '17:00:00'}", "2025-01-06T16:30:00+05:00", True),
        ("TimeBetween: {after: '08:00:00+01:00'}", "2025-01-06T07:30:00Z", True),
        ("TimeBetween: {after: '08:00:00+01:00'}", "2025-01-06T06:30:00Z", False),
        ("TimeBetween: {before: '08:00:00Z'}", "2025-01-06T06:30:00Z", True),
        ("Not: {conditions: [{type: Weekend}]}", "2025-01-06T09:00:00Z", True),
        ("Not: {conditions: [{type: Weekend}, {type: DayWeek, dayOfWeek: MONDAY}]}",
         "2025-01-06T09:00:00Z", False),
        ("Or: {conditions: [{type: Weekend}, {type: DayWeek, dayOfWeek: MONDAY}]}",
         "2025-01-06T09:00:00Z", True),
        ("Or: {conditions: [{type: Weekend}, {type: DayWeek, dayOfWeek: MONDAY}]}",
         "2025-01-07T09:00:00Z", False),
        ("Weekend: {date: \"{{ trigger.date | dateAdd(1, 'DAYS') }}\"}", "2025-01-03T09:00:00Z",
         True),
    ],
)  # fmt: skip
def test_dates(text: str, date: str, holds: bool) -> None:
    assert condition(text).holds(context(trigger={"date": date})) is holds


UPSTREAM = execution(
    "e1",
    "extract",
    "WARNING",
    labels={"tier": "gold", "team": "data"},
    outputs={"rows": 3},
    attempts=[["SUCCESS"], ["FAILED", "SUCCESS"]],
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ExecutionFlow: {namespace: company.team, flowId: extract}", True),
        ("ExecutionFlow: {namespace: company, flowId: extract}", False),
        ("ExecutionNamespace: {namespace: company.team}", True),
        ("ExecutionNamespace: {namespace: company}", False),
        ("ExecutionNamespace: {namespace: company, prefix: true}", True),
        ("ExecutionNamespace: {namespace: company.te, comparison: PREFIX}", True),
        ("ExecutionNamespace: {namespace: team, comparison: SUFFIX}", True),
        ("ExecutionNamespace: {namespace: company, prefix: true, comparison: EQUALS}", False),
        ("ExecutionStatus: {in: [WARNING, FAILED]}", True),
        ("ExecutionStatus: {in: [FAILED]}", False),
        ("ExecutionStatus: {notIn: [FAILED]}", True),
        ("ExecutionStatus: {in: [WARNING], notIn: [WARNING]}", False),
        ("ExecutionLabels: {labels: {tier: gold}}", True),
        ("ExecutionLabels: {labels: [{key: tier, value: gold}, {key: team, value: data}]}", True),
        ("ExecutionLabels: {labels: {tier: gold, team: web}}", False),
        ("HasRetryAttempt: {}", True),
        ("HasRetryAttempt: {in: [FAILED]}", True),
        ("HasRetryAttempt: {in: [KILLED]}", False),
        ("HasRetryAttempt: {notIn: [FAILED, SUCCESS]}", False),
        ("ExecutionOutputs: {expression: '{{ trigger.outputs.rows > 2 }}'}", True),
        ("ExecutionOutputs: {expression: '{{ trigger.outputs.rows > 3 }}'}", False),
        ("FlowCondition: {namespace: company.team, flowId: listener}", True),
        ("FlowCondition: {namespace: company.team, flowId: extract}", False),
        ("FlowNamespaceCondition: {namespace: company, prefix: true}", True),
        ("FlowNamespaceCondition: {namespace: company}", False),
    ],
)
def test_executions(text: str, holds: bool) -> None:
    assert condition(text).holds(replace(context(), upstream=UPSTREAM)) is holds


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("{{ 1 == 1 }}", True), ("{{ 1 == 2 }}", False), ("{{ ' false ' }}", False),
        ("  ", False), ("{{ null }}", False), ("False", True), ("{{ [] }}", True),
        ("0", True), ("{{ 0 }}", True), ("text", True),
        ("{{ trigger.body.hello == 'world' }}", True),
    ],
)  # fmt: skip
def test_expressions_have_a_truth_of_their_own(expression: str, holds: bool) -> None:
    """Neither blank nor `false`: so `0` is true here, and nowhere else."""
    found = _READER.validate_python({"type": _PREFIX + "Expression", "expression": expression})
    assert found.holds(context(trigger={"body": {"hello": "world"}})) is holds


def test_an_execution_without_outputs_has_none_to_be_true() -> None:
    found = condition("ExecutionOutputs: {expression: 'true'}")
    assert not found.holds(replace(context(), upstream=execution("e1")))
    assert not found.holds(context())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ExecutionFlow: {namespace: x, flowId: y}", "only a Flow trigger has one"),
        ("Expression: {expression: '{{ vars.missing }}'}", "Unable to find `missing`"),
        ("Weekend: {date: tomorrow}", "`date` of the condition Weekend: the text `tomorrow`"),
        ("PublicHoliday: {country: '{{ 1 }}', date: '2025-01-01'}", "`1` is no country"),
        ("PublicHoliday: {country: '{{ \"XX\" }}', date: '2025-01-01'}", "holidays for `XX`"),
        ("MultipleCondition: {id: m, conditions: {a: {type: Weekend}}}", "top of a Flow trigger"),
    ],
)
def test_what_cannot_be_told_is_an_error(text: str, told: str) -> None:
    with pytest.raises(ConditionError) as error:
        condition(text).holds(context())
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Weekends: {}", "no condition type `io.kestra.plugin.core.condition.Weekends`; did you"),
        ("SLA: {}", "no condition type `io.kestra.plugin.core.condition.SLA` ["),
        ("DayWeek: {}", "dayOfWeek"),
        ("PublicHoliday: {}", "country"),
        ("PublicHoliday: {country: XX}", "there is no calendar of holidays for `XX`"),
        ("PublicHoliday: {country: DE, subDivision: QQ}", "no calendar of holidays for `DE-QQ`"),
        ("PublicHoliday: {country: list_supported_countries}", "is no country; write its two"),
        ("DayWeek: {dayOfWeek: MONTAG}", "'MONDAY'"),
        ("DayWeek: {dayOfWeek: MONDAY, dayOfWeeks: x}", "unknown property `dayOfWeeks`; did you"),
        ("DateTimeBetween: {}", "`after` or `before` must be given"),
        ("DateTimeBetween: {after: soon}", "`soon` is not a date-time; write for example 2025"),
        ("TimeBetween: {after: '25:00'}", "`25:00` is not a time of day; write for example 09:00"),
        ("Not: {conditions: []}", "at least 1"),
        ("Not: {conditions: [{type: Weeken}]}", "conditions.0.type"),
        ("ExecutionStatus: {in: [DONE]}", "'SUCCESS'"),
        (
            "MultipleCondition: {id: m, conditions: {a: {type: MultipleCondition, id: n, "
            "conditions: {b: {type: Weekend}}}}}",
            "a MultipleCondition can't stand in another one",
        ),
    ],
)
def test_what_is_no_condition(text: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        condition(text)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("io.kestra.plugin.core.condition.Weekend", "Weekend"),
        ("IO.KESTRA.plugin.core.condition.weekend", "Weekend"),
        ("io.kestra.plugin.core.condition.WeekendCondition", "Weekend"),
        ("io.kestra.core.models.conditions.types.WeekendCondition", "Weekend"),
        ("io.kestra.core.models.conditions.types.VariableCondition", "Expression"),
        ("io.kestra.plugin.core.condition.ExpressionCondition", "Expression"),
        ("io.kestra.core.models.conditions.types.MultipleCondition", "MultipleCondition"),
        ("io.kestra.core.models.conditions.types.FlowCondition", "FlowCondition"),
        (
            "io.kestra.core.models.conditions.types.FlowNamespaceCondition",
            "FlowNamespaceCondition",
        ),
    ],
)
def test_every_name_of_a_type(name: str, canonical: str) -> None:
    properties: dict[str, dict[str, Any]] = {
        "Weekend": {},
        "Expression": {"expression": "x"},
        "FlowCondition": {"namespace": "x", "flowId": "y"},
        "FlowNamespaceCondition": {"namespace": "x"},
        "MultipleCondition": {"id": "m", "conditions": {"a": {"type": _PREFIX + "Weekend"}}},
    }
    assert _READER.validate_python({"type": name, **properties[canonical]}).name == canonical


def test_the_flow_of_a_flow_condition_is_the_one_that_has_the_trigger() -> None:
    found = condition("FlowCondition: {namespace: x, flowId: y}")
    assert found.holds(replace(context(flow=FlowName("x", "y")), upstream=UPSTREAM))
