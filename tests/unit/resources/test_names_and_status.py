"""Names of Flows, conditions, and a status that survives its way through the API server."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.resources.conditions import Condition
from penstock.resources.execution import Attempt, ExecutionStatus, State, TaskRun, Transition
from penstock.resources.flow import flow_resource_name
from penstock.resources.health import with_conditions

NOW = datetime(2025, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_IDS = st.one_of(
    st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9._-]{0,12}\Z"),
    st.from_regex(r"\A[ab][.b-]{0,4}\Z"),
    st.text(min_size=1, max_size=8),
)


@pytest.mark.parametrize(
    ("namespace", "flow_id", "name"),
    [("company.team", "hello-world", "company.team.hello-world"), ("a", "b", "a.b")],
)
def test_a_flow_is_called_what_it_is(namespace: str, flow_id: str, name: str) -> None:
    assert flow_resource_name(namespace, flow_id) == name


@pytest.mark.parametrize("flow_id", ["Hello", "a_b", "a.b", "x-0123456789", "a\n", "-", "é" * 300])
def test_other_ids_get_a_hash(flow_id: str) -> None:
    assert re.fullmatch(r"[-a-z0-9.]*-[0-9a-f]{10}", flow_resource_name("ns", flow_id))


@given(_IDS, _IDS)
def test_names_are_subdomains(namespace: str, flow_id: str) -> None:
    name = flow_resource_name(namespace, flow_id)
    assert len(name) <= 253
    assert _SUBDOMAIN.fullmatch(name)


@given(st.tuples(_IDS, _IDS), st.tuples(_IDS, _IDS))
def test_two_flows_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (flow_resource_name(*one) == flow_resource_name(*other)) == (one == other)


def test_a_name_cannot_be_made_to_look_like_that_of_another() -> None:
    hashed = flow_resource_name("ns", "Big")
    assert hashed.startswith("ns.big-")
    assert flow_resource_name("ns", hashed.removeprefix("ns.")) != hashed
    assert flow_resource_name("a.b", "c") != flow_resource_name("a", "b.c")


# --- conditions -----------------------------------------------------------------------------------


def conditions_of(status: ExecutionStatus) -> dict[str, str]:
    return {item.type: item.status for item in status.conditions}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("CREATED", {"Succeeded": "Unknown", "Ready": "False", "Reconciling": "True"}),
        ("RUNNING", {"Succeeded": "Unknown", "Ready": "False", "Reconciling": "True"}),
        ("RETRYING", {"Succeeded": "Unknown", "Ready": "False", "Reconciling": "True"}),
        ("SUCCESS", {"Succeeded": "True", "Ready": "True"}),
        ("WARNING", {"Succeeded": "True", "Ready": "True"}),
        ("FAILED", {"Succeeded": "False", "Ready": "False", "Stalled": "True"}),
        ("KILLED", {"Succeeded": "False", "Ready": "False", "Stalled": "True"}),
    ],
)
def test_the_health_of_an_execution(state: str, expected: dict[str, str]) -> None:
    running = with_conditions(ExecutionStatus(state=State.RUNNING, progress="1/2"), 1, NOW)
    assert running.conditions[0].message == "1/2 task runs ended"
    status = running.model_copy(update={"state": State(state), "message": "so it is"})
    ended = with_conditions(status, 2, NOW)
    assert conditions_of(ended) == expected
    assert ended.observed_generation == 2
    assert all(item.observed_generation == 2 for item in ended.conditions)


def test_telling_the_same_twice_changes_nothing() -> None:
    once = with_conditions(ExecutionStatus(state=State.RUNNING), 1, NOW)
    assert with_conditions(once, 1, NOW + timedelta(minutes=1)) == once


# --- the status as JSON ---------------------------------------------------------------------------

_DATES = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1))  # noqa: DTZ001
_STATES = st.sampled_from(list(State))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)  # fmt: skip
_VALUES = st.dictionaries(st.text(max_size=4), _JSON.filter(lambda item: item is not None))
_ATTEMPTS = st.builds(
    Attempt, number=st.integers(1, 9), state=_STATES, created_date=_DATES, end_date=_DATES,
    exit_code=st.none() | st.integers(0, 255), message=st.none() | st.text(max_size=9),
)  # fmt: skip
_RUNS = st.builds(
    TaskRun, id=st.text(max_size=5), task_id=st.text(max_size=5), state=_STATES,
    start_date=_DATES, value=st.none() | st.text(max_size=5), outputs=st.none() | _VALUES,
    attempts=st.lists(_ATTEMPTS, max_size=2), values=st.none() | st.lists(st.text(max_size=3)),
)  # fmt: skip
_STATUSES = st.builds(
    ExecutionStatus,
    state=_STATES,
    history=st.lists(st.builds(Transition, state=_STATES, date=_DATES), max_size=2),
    task_runs=st.lists(_RUNS, max_size=3),
    inputs=_VALUES,
    conditions=st.lists(
        st.builds(
            Condition, type=st.text(), status=st.just("True"), reason=st.text(),
            last_transition_time=_DATES,
        ),
        max_size=1,
    ),
)  # fmt: skip


@given(_STATUSES)
def test_a_status_comes_back_as_it_was(status: ExecutionStatus) -> None:
    stored = json.dumps(status.to_json(), allow_nan=False)
    assert ExecutionStatus.from_json(json.loads(stored)) == status


def test_null_values_in_outputs_and_inputs_come_back() -> None:
    status = ExecutionStatus(inputs={"a": None, "b": {"c": None}})
    assert ExecutionStatus.from_json(status.to_json()) == status


def test_fields_of_a_newer_version_are_ignored() -> None:
    assert ExecutionStatus.from_json({"state": "RUNNING", "mood": "good"}).state is State.RUNNING
