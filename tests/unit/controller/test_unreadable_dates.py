"""A date that is none, in the status of one object, stops nothing that looks at all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.controller.concurrency.slots import SlotLimits, Slots
from penstock.controller.concurrency.standing import FlowKey, standing_of
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.gc.retention import beyond_limits
from penstock.controller.runtime.indexes import ObjectStore
from penstock.resources.conditions import Condition
from penstock.resources.execution import State
from penstock.resources.flow import FlowStatus
from penstock.resources.stored import (
    InvalidSpec,
    conditions_of,
    spec_of,
    status_of,
    written_date,
)
from penstock.resources.trigger_state import TriggerStateSpec
from tests.fixtures.executions import places

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NO_DATES = [["2026-01-01T00:00:00Z"], [], "2026-01-01T23:59:60Z", "0000-01-01T00:00:00Z"]


def execution(name: str, state: str, **status: Any) -> dict[str, Any]:
    flow = {"namespace": "company.team", "id": "flow", "name": "flow"}
    return {
        "metadata": {
            "namespace": "team",
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"flow": flow},
        "status": {"state": state, "flow": flow, **status},
    }


def store(*bodies: dict[str, Any]) -> ObjectStore:
    found = ObjectStore(lambda body: [(body["metadata"]["namespace"], "flow")])
    for body in bodies:
        found.put(body)
    return found


@pytest.mark.parametrize("date", NO_DATES)
def test_executions_are_listed_kept_and_queued_by_when_they_were_made(date: Any) -> None:
    # given
    good = execution(
        "good", "QUEUED", history=[{"state": "QUEUED", "date": "2026-02-01T00:00:00Z"}]
    )
    bad = execution("bad", "QUEUED", history=[{"state": "QUEUED", "date": date}], startDate=date)
    ended = execution("ended", "SUCCESS", endDate=date)
    executions = store(good, bad, ended)
    # then
    slots = Slots(SlotLimits())
    for body in (good, bad):
        slots.put(body["metadata"]["uid"], standing_of(body, State.QUEUED))
    first = slots.first_of(FlowKey("team", "flow"))
    assert first is not None
    assert first.name == "bad"
    facts = ExecutionIndex(executions, places(executions)).facts("team")
    assert {item.name for item in facts} == {"good", "bad", "ended"}
    oldest = NOW - timedelta(days=1)
    assert [body["metadata"]["name"] for body in beyond_limits([ended], executions, 9, oldest)] == [
        "ended"
    ]


@pytest.mark.parametrize("date", NO_DATES)
def test_a_status_that_cannot_be_read_counts_as_none(date: Any) -> None:
    assert written_date(date) is None
    assert status_of(FlowStatus, {"status": {"nextDate": [1], "revision": 3}}) == FlowStatus()
    assert status_of(FlowStatus, {"status": {"revision": 3}}).revision == 3


@pytest.mark.parametrize("date", NO_DATES)
def test_a_spec_that_cannot_be_read_is_refused_by_the_place_in_it(date: Any) -> None:
    body = {"spec": {"flow": "flow", "trigger": "yearly", "backfill": {"start": date}}}
    with pytest.raises(InvalidSpec, match=r"^spec\.backfill\.start: "):
        spec_of(TriggerStateSpec, body)
    with pytest.raises(InvalidSpec, match=r"^spec\.flow: Field required$"):
        spec_of(TriggerStateSpec, {})


def test_of_conditions_those_count_that_can_be_read() -> None:
    good = Condition(
        type="Ready",
        status="True",
        reason="Accepted",
        message="",
        observed_generation=1,
        last_transition_time=NOW,
    )
    written = good.model_dump(mode="json", by_alias=True)
    body = {"status": {"conditions": [{**written, "lastTransitionTime": ["x"]}, written]}}
    assert conditions_of(body) == [good]
