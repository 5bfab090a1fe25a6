"""Filters of preconditions: what each lets through, and what is no filter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from pydantic import ValidationError

from penstock.triggers.evaluation import ConditionError
from penstock.triggers.flow_trigger.preconditions import Filter, UpstreamFlow, Where
from tests.unit.triggers.context import context, execution

SEEN = replace(
    context(labels={"tier": "gold"}, empty=None),
    upstream=execution("e1", "extract", "WARNING", labels={"tier": "gold"}),
)


def filter_(text: str) -> Filter:
    return Filter.model_validate(yaml.load(f"{{{text}}}", yaml.BaseLoader), context={})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("field: FLOW_ID, type: EQUAL_TO, value: extract", True),
        ("field: FLOW_ID, type: NOT_EQUAL_TO, value: extract", False),
        ("field: STATE, type: IN, values: [WARNING, FAILED]", True),
        ("field: STATE, type: NOT_IN, values: [WARNING, FAILED]", False),
        ("field: NAMESPACE, type: STARTS_WITH, value: company", True),
        ("field: NAMESPACE, type: ENDS_WITH, value: company", False),
        ("field: NAMESPACE, type: CONTAINS, value: ny.te", True),
        ("field: NAMESPACE, type: REGEX, value: 'company\\..*'", True),
        ("field: NAMESPACE, type: REGEX, value: company", False),
        ("field: FLOW_ID, type: IS_NULL", False),
        ("field: FLOW_ID, type: IS_NOT_NULL", True),
        ("field: FLOW_ID, type: IS_TRUE", False),
        ("field: EXPRESSION, type: IS_TRUE, value: \"{{ labels.tier == 'gold' }}\"", True),
        ("field: EXPRESSION, type: IS_FALSE, value: \"{{ labels.tier == 'gold' }}\"", False),
        ("field: EXPRESSION, type: IS_NULL, value: '{{ empty }}'", True),
        ("field: EXPRESSION, type: IN, value: '{{ labels.tier }}', values: [gold]", True),
    ],
)
def test_filters(text: str, holds: bool) -> None:
    assert filter_(text).holds(SEEN) is holds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("field: STATE, type: EQUAL_TO", "`value` cannot be null for type EQUAL_TO"),
        ("field: STATE, type: IN", "`values` cannot be null for type IN"),
        ("field: STATE, type: IN, value: x, values: [x]", "`value` must be null for type IN"),
        ("field: STATE, type: REGEX, value: x, values: [x]", "`values` must be null for type REG"),
        ("field: STATE, type: IS_NULL, value: x", "`value` must be null for type IS_NULL"),
        ("field: EXPRESSION, type: IS_TRUE", "`value` cannot be null for type IS_TRUE"),
        ("field: EXPRESSION, type: EQUAL_TO, value: x", "compare in the expression"),
        ("field: STATE, type: REGEX, value: '('", "invalid pattern [(]"),
        ("field: STATUS, type: IS_NULL", "'FLOW_ID'"),
    ],
)
def test_what_is_no_filter(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        filter_(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(("operand", "holds"), [("AND", False), ("OR", True)])
def test_filters_are_put_together_by_the_operand(operand: str, holds: bool) -> None:
    filters = [
        {"field": "FLOW_ID", "type": "EQUAL_TO", "value": "extract"},
        {"field": "STATE", "type": "EQUAL_TO", "value": "FAILED"},
    ]
    where = Where.model_validate({"id": "w", "operand": operand, "filters": filters})
    assert where.holds(SEEN) is holds


def test_a_missing_variable_is_an_error_of_the_filter() -> None:
    with pytest.raises(ConditionError, match="Unable to find `region`"):
        filter_("field: EXPRESSION, type: IS_TRUE, value: '{{ labels.region }}'").holds(SEEN)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("{namespace: company.team}", True),
        ("{namespace: company}", False),
        ("{namespace: company.team, flowId: extract, states: [WARNING]}", True),
        ("{namespace: company.team, flowId: extract, states: [SUCCESS]}", False),
        ("{namespace: company.team, flowId: load}", False),
        ("{namespace: company.team, labels: {tier: gold}}", True),
        ("{namespace: company.team, labels: {tier: silver}}", False),
    ],
)
def test_flows(text: str, holds: bool) -> None:
    entry = UpstreamFlow.model_validate(yaml.load(text, yaml.BaseLoader), context={})
    assert entry.holds(SEEN) is holds
