"""What has to hold, whatever happens to the controller, its calls and its objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from e2e.apiserver.faults import Call
from e2e.apiserver.nodes import attempt_of
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import JOBS, Object
from penstock.resources.execution import ExecutionStatus

FAILING_PER_SECOND = 8
"""So often in a second a call may fail with the same path: a few tries, and the words on why."""
SHARED = "/controllerrevisions/"
"""What each Execution of a flow reads for itself, so that each may fail to as often."""
ALIKE_PER_SECOND = 40
"""So often in a second the same call may be made at all."""


async def check(stage: Stage, deleted_jobs: Collection[str] = ()) -> None:
    """Raises ``AssertionError`` that says which invariant does not hold, and of what.

    `deleted_jobs` are the uids of the Jobs that the test deleted.
    """
    calls = stage.controller.calls
    jobs = [*stage.nodes.jobs.values(), *jobs_made(calls)]
    each_attempt_has_one_job(jobs, stage.nodes.collected.union(deleted_jobs))
    executions = await stage.executions()
    for body in executions:
        no_open_attempt_is_lost(body)
        every_wait_says_why(body)
    nothing_is_tried_in_a_hot_loop(calls, len(executions))


def jobs_made(calls: Iterable[Call]) -> Iterable[Object]:
    """The Jobs that the controller made, also those whose making it was not told of."""
    for call in calls:
        if call.made is not None and f"/{JOBS.plural}/" in call.path:
            yield dict(call.made)


def each_attempt_has_one_job(jobs: Iterable[Object], deleted: Collection[str]) -> None:
    """At no time, and one after the other only where somebody else deleted the first one.

    Who deletes a Job before the controller knows of it, gets it once more. So does the garbage
    collector after the deletion of an Execution, while that is still on its way to the controller.
    """
    uids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for job in jobs:
        uids[attempt_of(job)].add(job["metadata"]["uid"])
    for attempt, found in uids.items():
        left = found.difference(deleted)
        assert len(left) <= 1, f"the attempt {attempt} had the Jobs {left}"


def no_open_attempt_is_lost(body: Object) -> None:
    """An execution that ended has nothing open, and the numbers of its attempts have no gap."""
    status = ExecutionStatus.from_json(body.get("status") or {})
    for run in status.task_runs:
        where = f"{body['metadata']['name']}, task run {run.id} of {run.task_id}"
        numbers = [attempt.number for attempt in run.attempts]
        assert numbers == list(range(1, len(numbers) + 1)), f"{where}: attempts {numbers}"
        if status.state.terminated:
            assert run.state.terminated, f"{where} is {run.state} in an execution that ended"
            for attempt in run.attempts:
                assert attempt.state.terminated, f"{where}: attempt {attempt.number} is open"


def every_wait_says_why(body: Object) -> None:
    """An execution that has not ended when nothing happens any more says what it waits for."""
    status = ExecutionStatus.from_json(body.get("status") or {})
    if status.state.terminated:
        return
    told = [item.reason for item in status.conditions if item.type in ("Stalled", "Reconciling")]
    waits = any(item.type == "Stalled" for item in status.conditions)
    waits = waits or "ProgressingWithRetry" in told
    assert waits, f"{body['metadata']['name']} is {status.state} and says only {told}"


def every_call_is_allowed(calls: Iterable[Call]) -> None:
    """The chart gives the controller every right that it needs."""
    forbidden = {f"{call.verb} {call.path}" for call in calls if call.status == 403}
    assert not forbidden, f"the controller's rights lack {sorted(forbidden)}"


def nothing_is_tried_in_a_hot_loop(calls: Iterable[Call], executions: int = 1) -> None:
    made: dict[str, list[float]] = defaultdict(list)
    failed: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        what = f"{call.verb} {call.path}"
        made[what].append(call.time)
        if not (200 <= call.status < 300 or _is_list(call)):
            failed[what].append(call.time)
    for what, times in failed.items():
        found = most_in_a_second(times)
        most = FAILING_PER_SECOND * (executions if SHARED in what else 1)
        assert found <= most, f"{what} failed {found} times in one second"
    for what, times in made.items():
        found = most_in_a_second(times)
        assert found <= ALIKE_PER_SECOND, f"{what} was called {found} times in one second"


def _is_list(call: Call) -> bool:
    """Whether it asks for a collection: every object that wants to know does so."""
    return call.verb == "GET" and call.path.partition("/namespaces/")[2].count("/") == 1


def most_in_a_second(times: list[float]) -> int:
    """The most of them that lie within one second."""
    times = sorted(times)
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] > 1:
            first += 1
        most = max(most, last - first + 1)
    return most
