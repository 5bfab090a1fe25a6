"""Pods that do not start: when Events are asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from penstock.controller.attempts.pending import Pending
from penstock.kubernetes.api.client import Api

QUOTA = 'Error creating: pods "x" is forbidden: exceeded quota: team'
POLICY = 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"'
WAITING = {"metadata": {"uid": "pod", "namespace": "team"}, "status": {"phase": "Pending"}}


class Events:
    """The Events of a namespace, and how often they were asked for."""

    def __init__(self, *notes: str) -> None:
        self.notes = notes
        self.asked: list[str] = []

    async def list(self, resource: Any, namespace: str, fields: str) -> list[dict[str, Any]]:
        self.asked.append(fields)
        return [
            {"note": note, "reason": "Failed", "regarding": {"uid": f"job-{number}"}}
            for number, note in enumerate(self.notes)
        ]


def pending(events: Events, limit: float = 600.0) -> Pending:
    return Pending(cast(Api, events), limit)


def job(
    age: float, number: int = 0, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    created = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    return {
        "metadata": {
            "uid": f"job-{number}",
            "namespace": "team",
            "creationTimestamp": created,
            "annotations": {
                f"penstock.dev/{name}": text for name, text in (annotations or {}).items()
            },
        }
    }


async def test_a_young_job_is_left_in_peace() -> None:
    # given
    events = Events(POLICY)
    # when
    problem, left = await pending(events).check(job(age=1), [])
    # then
    assert problem is None
    assert 3.5 < left < 4.5
    assert events.asked == []


async def test_a_policy_ends_the_wait_and_a_quota_does_not() -> None:
    # given
    events = Events(POLICY, QUOTA)
    looking = pending(events)
    # when
    refused, _ = await looking.check(job(age=6), [])
    waiting, left = await looking.check(job(age=6, number=1), [])
    # then
    assert refused is not None
    assert refused.reason == "PodRefused"
    assert refused.message.startswith("PodRefused: pods")
    assert waiting is None
    assert 5.5 < left < 6.5
    assert len(events.asked) == 1, "one list for the whole namespace"


async def test_at_the_limit_the_quota_is_the_reason() -> None:
    problem, _ = await pending(Events(QUOTA), limit=30).check(job(age=31), [])
    assert problem is not None
    assert problem.reason == "QuotaExceeded"
    assert problem.message.startswith("not started within 30 s: QuotaExceeded: pods")


async def test_a_task_chooses_its_limit() -> None:
    impatient = job(age=11, annotations={"start-within": "10"})
    problem, _ = await pending(Events()).check(impatient, [])
    assert problem is not None
    assert problem.message == "not started within 10 s: its pod did not start"
    assert not pending(Events()).may_wait(impatient, datetime.now(UTC) - timedelta(seconds=11))


async def test_a_pod_is_asked_about_only_at_the_limit() -> None:
    # given
    events = Events('MountVolume.SetUp failed: configmap "x" not found')
    looking = pending(events, limit=30)
    # when
    early, left = await looking.check(job(age=20), [WAITING])
    asked = len(events.asked)
    late, _ = await looking.check(job(age=31), [WAITING])
    # then
    assert (early, asked) == (None, 0)
    assert 9 < left < 11
    assert late is not None
    assert late.reason == "Failed"
    assert 'configmap "x" not found' in late.message
