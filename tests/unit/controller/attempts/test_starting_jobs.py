"""So many Jobs of a namespace start at once; further ones wait, in order, and nobody else does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.attempts import starting_jobs as module
from penstock.controller.attempts.starting_jobs import NoRoom, StartingJobs
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, PODS, Object
from penstock.kubernetes.api.labels import EXECUTION_NAME
from tests.fixtures.apiserver import ApiServer, Refused
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until
from tests.fixtures.pods import complete, ended, job_of, pod_of, running

ONE = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.debug.Return, format: x}]
"""
SIDE_BY_SIDE = """
    id: flow
    namespace: company.team
    tasks:
      - id: side_by_side
        type: io.kestra.plugin.core.flow.Parallel
        tasks:
          - {id: hello, type: io.kestra.plugin.core.debug.Return, format: x}
          - {id: in_one_place, type: io.kestra.plugin.core.flow.WorkingDirectory, tasks: [
              {id: a, type: io.kestra.plugin.scripts.shell.Commands, commands: [ls]},
              {id: b, type: io.kestra.plugin.scripts.shell.Commands, commands: [ls]}]}
          - {id: bye, type: io.kestra.plugin.core.debug.Return, format: x}
"""
OTHER = "quiet"


class Room:
    """A bound of two Jobs, and what is asked of it."""

    def __init__(self, at_once: int = 2) -> None:
        self.woken: list[str] = []
        self.over: set[str] = set()
        self.jobs = StartingJobs(at_once, self._wake, self.over.__contains__)

    def _wake(self, key: Key) -> None:
        self.woken.append(key.name)

    def admits(self, name: str, namespace: str = NAMESPACE) -> bool:
        """Ask for the only Job of an execution, both of one name."""
        meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
        try:
            self.jobs.admit({"metadata": meta}, name)
        except NoRoom:
            return False
        return True


def runs_on(name: str, room: Room, node: str, phase: str = "Running") -> None:
    """Let the pod of a Job be seen on a node."""
    job = job_of({"metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}})
    pod = pod_of({**job, "metadata": {**job["metadata"], "uid": f"job-{name}"}})
    pod["spec"] = {**(pod.get("spec") or {}), "nodeName": node}
    room.jobs.pod_seen({**pod, "status": {"phase": phase}})


async def test_further_jobs_wait_and_come_in_their_order() -> None:
    # given
    room = Room()
    assert [room.admits(name) for name in "abcde"] == [True, True, False, False, False]
    # when
    room.jobs.left(NAMESPACE, "b")
    # then
    assert room.woken == ["c"]
    assert not room.admits("new"), "the place is kept for whoever was called"
    assert room.admits("c")
    # and when
    room.jobs.left(NAMESPACE, "a")
    room.jobs.left(NAMESPACE, "c")
    # then
    assert room.woken == ["c", "d", "e"]
    assert room.jobs.is_waiting(NAMESPACE, "new")


async def test_another_namespace_never_waits() -> None:
    room = Room()
    assert [room.admits(name) for name in "abc"] == [True, True, False]
    assert [room.admits(name, OTHER) for name in "xy"] == [True, True]


async def test_while_others_start_too_a_namespace_has_few_for_each_node() -> None:
    # given
    room = Room(8)
    assert all(room.admits(name) for name in "abcdef"), "it is alone"
    # when
    assert room.admits("x", OTHER)
    for name in "abcd":
        room.jobs.left(NAMESPACE, name)
    # then
    assert [room.admits(name) for name in "ghi"] == [True, False, False]
    # and when its pods run on two nodes
    runs_on("left", room, "node-a")
    runs_on("left-too", room, "node-b")
    room.jobs.left(NAMESPACE, "e")
    # then
    assert room.woken == ["h", "i"]
    assert [room.admits(name) for name in "jklm"] == [True, True, False, False]


async def test_a_pod_that_only_names_a_node_makes_no_room() -> None:
    # given
    room = Room(8)
    assert room.admits("x", OTHER)
    assert [room.admits(name) for name in "abcd"] == [True, True, True, False]
    # when somebody makes pods that run nowhere
    for number in range(10):
        runs_on("forged", room, f"nowhere-{number}", phase="Pending")
    room.jobs.left(NAMESPACE, "none")
    # then
    assert room.woken == []


async def test_a_namespace_that_is_alone_again_has_all_the_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(module, "_COMPANY", 0.05)
    room = Room(8)
    assert room.admits("x", OTHER)
    assert [room.admits(name) for name in "abcd"] == [True, True, True, False]
    # when
    await asyncio.sleep(0.1)
    room.jobs.left(NAMESPACE, "a")
    # then
    assert all(room.admits(name) for name in "defghi")


async def test_without_a_bound_nobody_waits() -> None:
    room = Room(0)
    assert all(room.admits(str(number)) for number in range(1_000))


async def test_who_was_admitted_may_ask_again() -> None:
    room = Room()
    assert [room.admits(name) for name in "aaab"] == [True] * 4


async def test_an_execution_that_has_ended_takes_no_place() -> None:
    # given
    room = Room()
    assert [room.admits(name) for name in "abcd"] == [True, True, False, False]
    # when
    room.over.add("uid-c")
    room.jobs.left(NAMESPACE, "a")
    # then
    assert room.woken == ["d"]


async def test_a_job_that_nobody_wants_any_more_leaves_the_line() -> None:
    room = Room()
    assert [room.admits(name) for name in "abcd"] == [True, True, False, False]
    room.jobs.left(NAMESPACE, "c")
    assert room.woken == []
    room.jobs.left(NAMESPACE, "a")
    assert room.woken == ["d"]


async def test_jobs_that_start_for_long_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(module, "LONGEST", 0.05)
    room = Room()
    assert [room.admits(name) for name in "abcde"] == [True, True, False, False, False]
    # when nothing is heard of them
    await until(lambda: room.woken == ["c", "d"])
    # then
    assert room.woken == ["c", "d"], "two more, and not all"
    await until(lambda: room.woken == ["c", "d", "e"])


@pytest.mark.parametrize(
    "status",
    [
        running(),
        ended(),
        {"phase": "Failed"},
        {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
        {
            "phase": "Pending",
            "initContainerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        },
    ],
    ids=["runs", "has ended", "failed", "finds no node", "has no image"],
)
async def test_a_job_counts_until_its_pod_does_not_start(status: dict[str, Any]) -> None:
    # given
    room = Room(1)
    job = job_of({"metadata": {"name": "run", "namespace": NAMESPACE, "uid": "uid-run"}})
    pod = pod_of({**job, "metadata": {**job["metadata"], "uid": "uid-job"}})
    assert room.admits(job["metadata"]["name"])
    assert not room.admits("next")
    # when
    room.jobs.pod_seen({**pod, "status": {"phase": "Pending"}})
    # then
    assert room.woken == []
    # and when
    room.jobs.pod_seen({**pod, "status": status})
    # then
    assert room.woken == ["next"]


# --- The whole controller -------------------------------------------------------------------------


def elsewhere(body: Object) -> Object:
    return {**body, "metadata": {**body["metadata"], "namespace": OTHER}}


def jobs_in(server: ApiServer, namespace: str = NAMESPACE) -> list[Object]:
    return [job for job in server.all(JOBS) if job["metadata"]["namespace"] == namespace]


def starts(server: ApiServer, job: Object) -> None:
    """Let the pod of a Job run."""
    server.put(PODS, {**pod_of(job), "status": running()})


async def there_are(server: ApiServer, number: int) -> None:
    await until(lambda: len(jobs_in(server)) == number)


def state(server: ApiServer, name: str) -> object:
    body = server.get(EXECUTIONS, NAMESPACE, name) or {}
    return (body.get("status") or {}).get("state")


def burst(server: ApiServer, size: int = 6) -> None:
    server.put(FLOWS, flow(ONE))
    server.put(FLOWS, elsewhere(flow(ONE)))
    for number in range(size):
        server.put(EXECUTIONS, execution(f"run-{number}"))


async def test_a_burst_of_one_namespace_does_not_delay_another(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path, jobsStartingAtOnce=2)
    server = controller.server
    burst(server)
    async with controller.running():
        await there_are(server, 2)
        # when
        server.put(EXECUTIONS, elsewhere(execution("hello")))
        # then
        await until(lambda: jobs_in(server, OTHER))
        assert len(jobs_in(server)) == 2
        # and the others follow, one for each that has started
        for made in range(2, 6):
            starts(server, jobs_in(server)[made - 2])
            await there_are(server, made + 1)
            await asyncio.sleep(0.05)
            assert len(jobs_in(server)) == made + 1
    whose = [job["metadata"]["annotations"][EXECUTION_NAME] for job in jobs_in(server)]
    assert sorted(whose) == [f"run-{number}" for number in range(6)]


async def test_those_that_wait_cost_no_reconcile(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path, jobsStartingAtOnce=1)
    server = controller.server
    burst(server, 20)
    async with controller.running():
        await there_are(server, 1)
        await until(
            lambda: len([body for body in server.all(EXECUTIONS) if "status" in body]) == 20
        )
        await asyncio.sleep(0.3)
        calls = len(server.calls)
        # when
        await asyncio.sleep(0.5)
        # then
        assert len(server.calls) == calls


async def test_a_job_that_could_not_be_made_leaves_its_place(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path, jobsStartingAtOnce=1)
    server = controller.server
    server.refuse("POST", JOBS, Refused(422, "Invalid", "no such thing"), times=3)
    burst(server, 4)
    # when
    async with controller.running():
        # then
        await there_are(server, 1)
    states = [(body.get("status") or {}).get("state") for body in server.all(EXECUTIONS)]
    assert states.count("FAILED") == 3


async def test_a_controller_that_starts_anew_knows_which_jobs_start(tmp_path: Path) -> None:
    # given: two that start, one that runs, one that was made long ago, and two without a Job
    controller = Controller(tmp_path, jobsStartingAtOnce=4)
    server = controller.server
    burst(server, 4)
    async with controller.running():
        await there_are(server, 4)
    first, second, third, _ = jobs_in(server)
    starts(server, first)
    long_ago = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds")
    server.put(JOBS, {**second, "metadata": {**second["metadata"], "creationTimestamp": long_ago}})
    for name in ("late-0", "late-1"):
        server.put(EXECUTIONS, execution(name))
    # when
    controller = Controller(tmp_path, server=server, jobsStartingAtOnce=3)
    async with controller.running():
        await there_are(server, 5)
        await asyncio.sleep(0.2)
        # then
        assert len(jobs_in(server)) == 5
        starts(server, third)
        await there_are(server, 6)


async def test_tasks_of_one_execution_take_turns_too(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path, jobsStartingAtOnce=1)
    server = controller.server
    server.put(FLOWS, flow(SIDE_BY_SIDE))
    server.put(EXECUTIONS, execution())
    async with controller.running():
        for made in range(1, 4):
            # when
            await there_are(server, made)
            await asyncio.sleep(0.1)
            # then
            assert len(jobs_in(server)) == made
            job = jobs_in(server)[-1]
            server.put(PODS, {**pod_of(job), "status": ended()})
            server.put(JOBS, complete(job))


async def test_a_killed_execution_waits_for_nothing(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path, jobsStartingAtOnce=1)
    server = controller.server
    burst(server, 1)
    async with controller.running():
        await there_are(server, 1)
        server.put(EXECUTIONS, execution("killed"))
        await until(lambda: state(server, "killed"))
        server.put(EXECUTIONS, execution("next"))
        await until(lambda: state(server, "next"))
        body = server.get(EXECUTIONS, NAMESPACE, "killed")
        assert body is not None
        server.put(EXECUTIONS, {**body, "spec": {**body["spec"], "kill": True}})
        await until(lambda: state(server, "killed") == "KILLED")
        # when
        starts(server, jobs_in(server)[0])
        # then
        await there_are(server, 2)
    assert jobs_in(server)[1]["metadata"]["annotations"][EXECUTION_NAME] == "next"
