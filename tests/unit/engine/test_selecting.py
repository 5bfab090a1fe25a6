"""Which executions, logs and keys are meant by tasks that count or delete those of others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.engine.interface.selecting import (
    CountExecutions,
    ExecutionFacts,
    PurgeExecutions,
    PurgeLogs,
    PurgePairs,
    Selection,
)
from penstock.resources.execution import State
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def facts(
    name: str, flow: str = "company.team.flow", *, state: State = State.SUCCESS, **more: Any
) -> ExecutionFacts:
    namespace, _, flow_id = flow.rpartition(".")
    given: dict[str, Any] = {"start_date": NOON, "is_over": state.terminated, **more}
    return ExecutionFacts(name, namespace, flow_id, state, **given)


@pytest.mark.parametrize(
    ("selection", "holds"),
    [
        (Selection(), True),
        (Selection("company"), True),
        (Selection("company.team"), True),
        (Selection("comp"), False),
        (Selection("company.team", "flow"), True),
        (Selection("company", "flow"), False),
        (Selection("company.team", "other"), False),
        (Selection(start=NOON, end=NOON), True),
        (Selection(start=NOON + HOUR), False),
        (Selection(end=NOON - HOUR), False),
        (Selection(states=frozenset({State.SUCCESS, State.FAILED})), True),
        (Selection(states=frozenset({State.FAILED})), False),
    ],
)
def test_a_selection_is_by_flow_time_and_state(selection: Selection, holds: bool) -> None:
    assert selection.holds(facts("a")) is holds


def test_a_listed_flow_has_a_row_without_executions_as_well() -> None:
    # given
    count = CountExecutions(
        (("company.team", "flow"), ("company.team", "silent")),
        ("company.data",),
        Selection(start=NOON),
        lambda count: count != 2,
    )
    known = [
        facts("a"),
        facts("b", start_date=NOON - HOUR),
        facts("c", "company.data.x"),
        facts("d", "company.data.below.y"),
        facts("e", "company.data.z"),
        facts("f", "company.data.z"),
        facts("g", "company.else.z"),
    ]
    # when
    outputs = count.outputs(known)
    # then
    assert outputs["total"] == 3
    assert [tuple(row.values()) for row in outputs["results"]] == [
        ("company.team", "flow", 1),
        ("company.team", "silent", 0),
        ("company.data", "x", 1),
        ("company.data.below", "y", 1),
    ]


def test_a_purge_leaves_what_runs_and_what_that_relies_on() -> None:
    # given
    known = [
        facts("own", state=State.RUNNING, made_by="mother"),
        facts("mother", relies_on=("grandmother",)),
        facts("grandmother"),
        facts("daughter", made_by="own"),
        facts("runs", state=State.PAUSED, relies_on=("origin",)),
        facts("origin"),
        facts("ended-but-not-over", is_over=False),
        facts("done", made_by="done-too"),
        facts("done-too"),
        facts("elsewhere", "other.flow"),
    ]
    # when
    meant = PurgeExecutions(Selection("company")).meant(known, "own")
    # then
    assert meant == ["done", "done-too"]


def test_logs_are_of_a_flow_or_of_one_execution() -> None:
    def means(execution: str | None = None, *, wanted: bool = True, **of: Any) -> bool:
        asked = PurgeLogs(Selection(**of), execution, None, NOON, wanted=wanted)
        return asked.means(facts("a"))

    assert means()
    assert means("a", namespace="company")
    assert not means("b")
    assert not means(namespace="other")
    assert not means(wanted=False)


@pytest.mark.parametrize(
    ("purge", "means"),
    [
        ({}, True),
        ({"namespaces": ("a",)}, True),
        ({"namespaces": ("a",), "below": False}, False),
        ({"namespaces": ("a.b",), "below": False}, True),
        ({"namespaces": ("ab",)}, False),
        ({"namespace_pattern": "a.*"}, True),
        ({"namespace_pattern": "b.*"}, False),
        ({"key_pattern": "tmp_*"}, True),
        ({"key_pattern": "*_tmp"}, False),
    ],
)
def test_keys_are_meant_by_namespace_and_pattern(purge: dict[str, Any], means: bool) -> None:
    given: dict[str, Any] = {"namespaces": (), "below": True}
    given |= {"namespace_pattern": None, "key_pattern": None, "expired_only": False}
    assert PurgePairs(**{**given, **purge}).means("a.b", "tmp_1") is means


def asked(given: Flow, task: str) -> Any:
    outcome = given(f"variables: {{ns: company}}\ntasks: [{{id: t, {task}}}]").run()
    outcome.then.ended("SUCCESS")
    (action,) = outcome.world.performed
    return action.command


def test_count_renders_its_properties(given: Flow) -> None:
    count = asked(
        given,
        """type: Count, flows: [{namespace: "{{ vars.ns }}", flowId: f}],
        states: [CANCELED, FAILED], namespaces: '{{ ["a", "b"] }}',
        startDate: "2026-01-02T13:00:00+01:00[Europe/Paris]",
        endDate: "{{ null }}", expression: "{{ count >= 2 and vars.ns == 'company' }}" """,
    )
    assert count.flows == (("company", "f"),)
    assert count.namespaces == ("a", "b")
    states = frozenset({State.CANCELLED, State.FAILED})
    assert count.among == Selection(start=NOON, states=states)
    assert [count.keeps(number) for number in (1, 2)] == [False, True]


def test_purges_render_their_properties(given: Flow) -> None:
    end = 'endDate: "2026-01-02T12:00:00Z"'
    assert asked(
        given,
        f"type: PurgeExecutions, namespace: '{{{{ vars.ns }}}}', flowId: f, {end}, "
        "purgeExecution: '{{ false }}', purgeLog: false",
    ) == PurgeExecutions(Selection("company", "f", None, NOON), executions=False, logs=False)
    assert asked(given, f"type: PurgeLogs, {end}, logLevels: [INFO], executionId: x") == PurgeLogs(
        Selection(), "x", None, NOON, frozenset({"INFO"})
    )
    assert asked(
        given, "type: PurgeKV, namespaces: [a], behavior: {type: key, expiredOnly: false}"
    ) == PurgePairs(("a",), True, None, None, expired_only=False)
    assert asked(given, "type: PurgeKV").expired_only
    assert asked(given, "type: PurgeKV, behavior: {type: version, keepAmount: 1}").expired_only
    assert not asked(given, "type: PurgeKV, expiredOnly: false").expired_only


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (
            "type: Count, startDate: '2026-01-02T12:00:00Z', expression: x",
            "You must provide a list of flows or namespaces.",
        ),
        (
            "type: Count, namespaces: [a], startDate: yesterday, expression: x",
            "`startDate`: `yesterday` is no date",
        ),
        (
            "type: Count, namespaces: [a], startDate: \"{{ '' }}\", expression: x",
            "`startDate` rendered to nothing",
        ),
        (
            "type: PurgeExecutions, endDate: '2026-01-02T12:00:00Z', states: [DONE]",
            "`states`: `DONE` is none of CREATED",
        ),
        (
            "type: PurgeExecutions, endDate: '2026-01-02T12:00:00Z', flowId: f",
            "`flowId` needs `namespace` besides",
        ),
        (
            "type: PurgeLogs, endDate: '2026-01-02T12:00:00Z', logLevels: '{{ [1] }}'",
            "`logLevels` must be a list of texts",
        ),
        (
            "type: PurgeKV, namespaces: [a], namespacePattern: a",
            "`namespaces` and `namespacePattern` can't be given together",
        ),
    ],
)
def test_what_can_not_be_meant_fails_and_says_why(given: Flow, task: str, why: str) -> None:
    outcome = given(f"tasks: [{{id: t, {task}}}]").run()
    outcome.then.ended("FAILED").says(why)
    assert outcome.world.performed == []
