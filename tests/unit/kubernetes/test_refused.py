"""Why a Job has no pod: read from Events."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.kubernetes.observation.events import last_warning, refusals, start_within
from penstock.kubernetes.observation.podstatus import PendingProblem

QUOTA = (
    'Error creating: pods "x-1" is forbidden: exceeded quota: team, requested: pods=1, '
    "used: pods=2, limited: pods=2"
)


def event(note: str, uid: str = "job", seen: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"note": note, "regarding": {"uid": uid}, "deprecatedLastTimestamp": seen}


def test_a_quota_may_have_room_again() -> None:
    assert refusals([event(QUOTA)]) == {
        "job": PendingProblem("QuotaExceeded", QUOTA.removeprefix("Error creating: "), False)
    }


@pytest.mark.parametrize(
    ("note", "hopeless"),
    [
        ('Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"', True),
        ('Error creating: pods "x" is forbidden: maximum memory usage per Container is 1Gi', True),
        ('Error creating: Pod "x" is invalid: spec.containers[0].name: Required value', True),
        ('Error creating: admission webhook "a.b" denied the request: no', True),
        ('Error creating: pods "x" is forbidden: status unknown for quota: team, try again', False),
        ('Error creating: Internal error occurred: failed calling webhook "a.b": EOF', False),
        ("", False),
    ],
)
def test_a_policy_is_there_to_stay(note: str, hopeless: bool) -> None:
    (problem,) = refusals([event(note)]).values()
    assert (problem.reason, problem.hopeless) == ("PodRefused", hopeless)
    assert problem.message


def test_the_newest_reason_of_each_job_counts() -> None:
    # given
    late = {
        **event("Error creating: late", seen="2026-01-01T00:00:01Z"),
        "series": {"lastObservedTime": "2026-01-01T00:00:09.000000Z"},
    }
    events = [late, event("Error creating: early", seen="2026-01-01T00:00:05Z")]
    # when
    found = refusals([*events, event("Error creating: b", "other"), {"note": "nobody's"}])
    # then
    assert {uid: problem.message for uid, problem in found.items()} == {
        "job": "late",
        "other": "b",
    }


def test_the_last_warning_about_a_pod_is_its_problem() -> None:
    # given
    missing = {**event('configmap "x" not found', seen="2026-01-02T00:00:00Z"), "reason": "Mount"}
    # then
    assert last_warning([missing, event("earlier")]) == PendingProblem(
        "Mount", 'configmap "x" not found'
    )
    assert last_warning([]) is None


@pytest.mark.parametrize(
    ("annotations", "seconds"),
    [
        (None, 600.0),
        ({}, 600.0),
        ({"penstock.dev/start-within": "5"}, 5.0),
        ({"penstock.dev/start-within": "soon"}, 600.0),
    ],
)
def test_a_job_says_how_long_its_pod_may_wait(
    annotations: dict[str, str] | None, seconds: float
) -> None:
    assert start_within({"metadata": {"annotations": annotations}}, 600.0) == seconds
