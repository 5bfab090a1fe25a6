"""Which executions go, and which stay because others need them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from penstock.controller.gc.retention import beyond_limits, done_again, is_over
from penstock.controller.runtime.indexes import ObjectStore


def execution(name: str, state: str, ended: str = "2026-01-01", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name},
        "spec": spec,
        "status": {"state": state, "endDate": f"{ended}T00:00:00Z"},
    }


def removed(own: list[dict[str, Any]], keep: int = 100, oldest: str = "2025-01-01") -> list[str]:
    executions = ObjectStore()
    for body in own:
        executions.put(body)
    found = beyond_limits(own, executions, keep, datetime.fromisoformat(f"{oldest}T00:00:00Z"))
    return [body["metadata"]["name"] for body in found]


@pytest.mark.parametrize(
    ("keep", "oldest", "gone"),
    [
        (100, "2025-01-01", []),
        (2, "2025-01-01", ["b", "a"]),
        (0, "2025-01-01", ["d", "c", "b", "a"]),
        (100, "2026-01-03", ["b", "a"]),
        (3, "2026-01-03", ["b", "a"]),
    ],
)
def test_what_is_beyond_the_number_or_older_goes(keep: int, oldest: str, gone: list[str]) -> None:
    own = [execution(name, "SUCCESS", f"2026-01-0{day}") for day, name in enumerate("abcd", 1)]
    assert removed(own, keep, oldest) == gone


def test_what_runs_stays_and_takes_no_place_of_those_that_are_kept() -> None:
    own = [execution("a", "SUCCESS"), execution("b", "RUNNING"), execution("c", "PAUSED")]
    assert removed(own, keep=1) == []


def test_what_is_done_again_stays_however_old_it_is() -> None:
    own = [execution("a", "FAILED"), execution("b", "RUNNING", replay={"execution": "a"})]
    assert removed(own, keep=0) == []


@pytest.mark.parametrize(
    ("last", "needed"), [("RUNNING", {"a", "b", "c"}), ("SUCCESS", set()), ("FAILED", set())]
)
def test_what_a_running_execution_does_again_is_needed(last: str, needed: set[str]) -> None:
    own = [
        execution("a", "SUCCESS"),
        execution("b", "RETRIED", replay={"execution": "a"}),
        execution("c", "RETRIED", retry={"original": "b"}),
        execution("d", last, replay={"execution": "c"}),
        execution("e", "SUCCESS", replay={"execution": "unknown"}),
    ]
    assert done_again(own) == needed


@pytest.mark.parametrize(("top", "over"), [("RUNNING", False), ("PAUSED", False), ("FAILED", True)])
def test_what_was_called_is_needed_while_any_of_its_callers_runs(top: str, over: bool) -> None:
    # given: top called middle, which called inner
    bodies = [
        execution("top", top),
        execution("middle", "SUCCESS", parent={"execution": "top"}),
        execution("inner", "SUCCESS", parent={"execution": "middle"}),
    ]
    executions = ObjectStore()
    for body in bodies:
        executions.put(body)
    # then
    assert [is_over(body, executions) for body in bodies] == [over] * 3


def test_executions_that_claim_to_have_called_each_other_are_over() -> None:
    # given
    bodies = [execution(a, "SUCCESS", parent={"execution": b}) for a, b in (("a", "b"), ("b", "a"))]
    executions = ObjectStore()
    for body in bodies:
        executions.put(body)
    # then
    assert all(is_over(body, executions) for body in bodies)
