"""Whatever a stranger writes on a Job or a pod, it is not taken for an attempt's."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.keyvalues.task_effects import granted_to
from penstock.controller.runtime.attempt_cache import SeenAttempt
from penstock.kubernetes.api.client import EXECUTIONS, JOBS, PODS, Object
from penstock.kubernetes.api.labels import DIRECTORY, PAIRS
from penstock.tasks.contract.kv_effects import PairUse
from tests.fixtures.controller import NAMESPACE, Controller, execution
from tests.fixtures.pods import ended, job_of, pod_of

KEY = ("run-1", 1)
ELSEWHERE = "attacker"


@pytest.fixture
async def given(tmp_path: Path) -> Controller:
    """A controller that knows an execution of its own, and one of a stranger."""
    controller = Controller(tmp_path)
    controller.server.put(EXECUTIONS, execution())
    mine = execution("theirs")
    mine["metadata"]["namespace"] = ELSEWHERE
    controller.server.put(EXECUTIONS, mine)
    await controller.list()
    return controller


def owner(given: Controller) -> Object:
    body = given.server.get(EXECUTIONS, NAMESPACE, "run")
    assert body is not None
    return body


def seen(given: Controller) -> SeenAttempt:
    return given.attempts.look(owner(given)["metadata"]["uid"], KEY)


def with_owner(body: Object, **changes: Any) -> None:
    (reference,) = body["metadata"]["ownerReferences"]
    reference |= changes


def in_another_namespace(body: Object) -> None:
    body["metadata"]["namespace"] = ELSEWHERE


def without_owner(body: Object) -> None:
    body["metadata"]["ownerReferences"] = []


FORGED_JOBS: dict[str, Any] = {
    "in another namespace": in_another_namespace,
    "without an owner": without_owner,
    "owned by another execution": lambda body: with_owner(body, uid="other"),
    "owned by one of another name": lambda body: with_owner(body, name="other"),
    "owned by another kind": lambda body: with_owner(body, kind="Flow"),
    "owned by that kind of another group": lambda body: with_owner(body, apiVersion="x.dev/v1"),
    "owned, but not controlled": lambda body: with_owner(body, controller=False),
    "with another name": lambda body: body["metadata"].update(name="job"),
    "with the name of another task": lambda body: body["metadata"]["annotations"].update(
        {"penstock.dev/task-id": "other"}
    ),
    "with the name of another attempt": lambda body: body["metadata"]["labels"].update(
        {"penstock.dev/task-run": "run-2"}
    ),
    "of another execution by its annotation": lambda body: body["metadata"]["annotations"].update(
        {"penstock.dev/execution-name": "theirs"}
    ),
    "without the hash of what was asked for": lambda body: body["metadata"]["annotations"].pop(
        "penstock.dev/spec-hash"
    ),
    "that is made a directory": lambda body: body["metadata"]["labels"].update({DIRECTORY: "true"}),
}


@pytest.mark.parametrize("forge", FORGED_JOBS.values(), ids=FORGED_JOBS)
async def test_a_foreign_job_is_passed_over(given: Controller, forge: Any) -> None:
    # given
    job = job_of(owner(given))
    forge(job)
    # when
    given.server.put(JOBS, job)
    given.watch()
    # then
    uid = owner(given)["metadata"]["uid"]
    assert all(attempt.job is None for attempt in given.attempts.of(uid).values())
    if DIRECTORY not in job["metadata"]["labels"]:
        assert given.attempts.of(uid) == {}, "and nothing is remembered of it"


FORGED_PODS: dict[str, Any] = {
    "in another namespace": in_another_namespace,
    "without an owner": without_owner,
    "of another Job": lambda body: with_owner(body, uid="other"),
    "of a Job of another name": lambda body: with_owner(body, name="other"),
    "of another kind": lambda body: with_owner(body, kind="ReplicaSet"),
    "of that kind of another group": lambda body: with_owner(body, apiVersion="x.dev/v1"),
    "owned, but not controlled": lambda body: with_owner(body, controller=False),
    "of an execution that is not there": lambda body: body["metadata"]["annotations"].update(
        {"penstock.dev/execution-name": "absent"}
    ),
}


@pytest.mark.parametrize("is_first", [True, False], ids=["before the Job", "after the Job"])
@pytest.mark.parametrize("forge", FORGED_PODS.values(), ids=FORGED_PODS)
async def test_a_foreign_pod_says_nothing_of_an_attempt(
    given: Controller, forge: Any, is_first: bool
) -> None:
    # given
    job = given.server.put(JOBS, job_of(owner(given)))
    pod = copy.deepcopy(pod_of(job)) | {"status": ended(0, {"answer": "FORGED"})}
    forge(pod)
    given.server.put(PODS, pod)
    news = [("jobs", job), ("pods", pod)]
    # when
    for kind, body in reversed(news) if is_first else news:
        given.tell(kind, "ADDED", body)
    # then
    assert seen(given).job is not None
    assert seen(given).pods == {}
    assert not given.operator.logs._logs, "its log is not read"


async def test_a_pod_that_is_seen_before_its_job_counts_once_that_is(given: Controller) -> None:
    job = given.server.put(JOBS, job_of(owner(given)))
    pod = given.server.put(PODS, pod_of(job) | {"status": ended()})
    # when
    given.tell("pods", "ADDED", pod)
    assert seen(given).pods == {}
    given.tell("jobs", "ADDED", job)
    # then
    assert list(seen(given).pods) == [pod["metadata"]["name"]]


async def test_what_an_attempt_may_change_stands_on_its_job_and_not_on_a_pod(
    given: Controller,
) -> None:
    wish = PairUse(namespace="company.team", key="k", changes=True).to_json()
    job = given.server.put(JOBS, job_of(owner(given)))
    pod = copy.deepcopy(pod_of(job))
    pod["metadata"]["annotations"][PAIRS] = wish
    for kind, body in (("jobs", job), ("pods", given.server.put(PODS, pod))):
        given.tell(kind, "ADDED", body)
    assert granted_to(seen(given)) is None
