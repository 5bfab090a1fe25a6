"""Informers: no object is lost, none that is gone stays, and a removal does the same however it
became known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from penstock.controller.concurrency.standing import FlowKey
from penstock.controller.runtime import informer as module
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.informer import Informer
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import (
    EXECUTIONS,
    FLOWS,
    GIT_SOURCES,
    JOBS,
    KEY_VALUES,
    PODS,
    ApiError,
    Object,
)
from penstock.kubernetes.observation import results
from tests.fixtures.apiserver import ApiServer, Refused, names
from tests.fixtures.controller import NAMESPACE, Controller, execution, until
from tests.fixtures.git import Hanging
from tests.fixtures.pods import job_of, pod_of

BY = pytest.mark.parametrize("by", ["watch", "list"])
PLACE = {"flow": {"namespace": "company.team", "id": "flow", "name": "flow", "revision": 1}}
RUN, ATTEMPT = "run-1", 1


@pytest.fixture
def given(tmp_path: Path) -> Controller:
    """Chunks of one object: everything can happen between two."""
    return Controller(tmp_path, chunk=1, git=Hanging())


async def found_out(given: Controller, by: str) -> None:
    """Let the controller know what happened."""
    if by == "watch":
        given.watch()
    else:
        given.lose_watch()
        await given.list()


def while_listing(given: Controller, happens: Callable[[], object], chunk: int = 1) -> None:
    """Let something happen when the list has come as far as to this chunk, told by the watch."""

    async def between(number: int) -> None:
        if number == chunk:
            given.server.between = None
            happens()
            given.watch()

    given.server.between = between


# --- What happens while a list is under way -----------------------------------------------------


async def test_what_is_made_while_a_list_is_under_way_stays(given: Controller) -> None:
    # given
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))
    await given.list()
    # when
    while_listing(given, lambda: given.server.put(EXECUTIONS, execution("new")))
    await given.list(EXECUTIONS)
    # then
    assert names(list(given.stores.executions)) == ["a", "b", "new"]
    changed = given.server.put(EXECUTIONS, execution("new", metadata={"labels": {"x": "y"}}))
    given.watch()
    assert given.stores.executions.get(NAMESPACE, "new") == changed, "news of it still counts"


async def test_what_the_controller_makes_itself_while_a_list_is_under_way_stays(
    given: Controller,
) -> None:
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))

    async def between(number: int) -> None:
        if number == 1:
            given.server.between = None
            made = await given.server.api.create(EXECUTIONS, NAMESPACE, execution("own"))
            given.stores.executions.put(made)

    given.server.between = between
    await given.list(EXECUTIONS)
    assert names(list(given.stores.executions)) == ["a", "b", "own"]


async def test_what_is_changed_while_a_list_is_under_way_is_not_set_back(given: Controller) -> None:
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))
    await given.list()

    def change() -> None:
        given.server.put(EXECUTIONS, execution("b", metadata={"labels": {"x": "y"}}))

    while_listing(given, change)
    await given.list(EXECUTIONS)
    assert given.stores.executions.get(NAMESPACE, "b") == given.server.get(
        EXECUTIONS, NAMESPACE, "b"
    )


async def test_what_is_deleted_while_a_list_is_under_way_does_not_come_back(
    given: Controller,
) -> None:
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))
    await given.list()
    while_listing(given, lambda: given.server.remove(EXECUTIONS, NAMESPACE, "b"))
    await given.list(EXECUTIONS)
    assert names(list(given.stores.executions)) == ["a"]


async def test_what_is_deleted_and_made_anew_while_a_list_is_under_way_is_the_new_one(
    given: Controller,
) -> None:
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))
    await given.list()

    def replace() -> None:
        given.server.remove(EXECUTIONS, NAMESPACE, "b")
        given.server.put(EXECUTIONS, execution("b"))

    while_listing(given, replace)
    await given.list(EXECUTIONS)
    there = given.server.get(EXECUTIONS, NAMESPACE, "b")
    assert given.stores.executions.get(NAMESPACE, "b") == there


# --- Lists that fail ------------------------------------------------------------------------------


async def test_a_chunk_that_fails_leaves_everything_as_it_was(given: Controller) -> None:
    # given
    for name in ("a", "b", "c"):
        given.server.put(EXECUTIONS, execution(name))
    await given.list()
    given.server.remove(EXECUTIONS, NAMESPACE, "a")
    given.lose_watch()

    # when
    async def between(number: int) -> None:
        if number == 1:
            raise Refused(503, "ServiceUnavailable")

    given.server.between = between
    with pytest.raises(ApiError):
        await given.list(EXECUTIONS)
    # then
    assert names(list(given.stores.executions)) == ["a", "b", "c"]


async def test_a_list_whose_moment_was_forgotten_begins_anew(given: Controller) -> None:
    for name in ("a", "b", "c"):
        given.server.put(EXECUTIONS, execution(name))

    async def between(number: int) -> None:
        if number == 2:
            given.server.between = None
            given.server.forget_lists()

    given.server.between = between
    await given.list(EXECUTIONS)
    assert names(list(given.stores.executions)) == ["a", "b", "c"]
    pages = given.server.count("GET", EXECUTIONS)
    assert pages == 6, "three of the list that was given up, three of the one that came through"


async def test_a_moment_that_is_always_forgotten_is_an_error(given: Controller) -> None:
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))

    async def between(number: int) -> None:
        given.server.forget_lists()

    given.server.between = between
    with pytest.raises(ApiError) as error:
        await given.list(EXECUTIONS)
    assert error.value.status == 410


async def test_a_list_that_fails_is_tried_later_and_later(
    given: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.02)
    given.server.put(EXECUTIONS, execution("a"))
    given.server.refuse("GET", EXECUTIONS, Refused(503, "ServiceUnavailable"), times=3)
    informer = next(item for item in given.operator.informers if item.resource == EXECUTIONS)
    await informer.list_until_done()
    times = [call.time for call in given.server.calls if call.plural == "executions"]
    assert len(times) == 4
    assert times[3] - times[2] >= 0.064, "0.02 s doubled twice, less its jitter"
    assert names(list(given.stores.executions)) == ["a"]


async def test_only_the_namespaces_that_are_served_are_listed(tmp_path: Path) -> None:
    given = Controller(tmp_path, namespaces=["team", "other"])
    for namespace in ("team", "other", "foreign"):
        given.server.put(EXECUTIONS, execution(namespace, metadata={"namespace": namespace}))
    await given.list()
    assert names(list(given.stores.executions)) == ["other", "team"]
    given.server.remove(EXECUTIONS, "other", "other")
    await given.list()
    assert names(list(given.stores.executions)) == ["team"]


# --- A removal does the same, however it becomes known --------------------------------------------


@BY
async def test_of_an_execution_that_is_gone_nothing_stays_and_everybody_is_told(
    given: Controller, by: str
) -> None:
    # given: an execution with files, a parent that waits for it, and another behind it in the queue
    spec = {"parent": {"execution": "parent", "taskRun": "r", "flow": "flow"}}
    status = {"state": "RUNNING", **PLACE}
    given.server.put(EXECUTIONS, execution("gone", spec=spec, status=status))
    queued = {"state": "QUEUED", **PLACE, "history": [{"state": "QUEUED", "date": _date(1)}]}
    given.server.put(EXECUTIONS, execution("next", status=queued))
    await given.list()
    body = given.stores.executions.get(NAMESPACE, "gone")
    assert body is not None
    uid = body["metadata"]["uid"]
    given.server.put(JOBS, job_of(body))
    await given.list()
    given.operator.runtime.slots.slots.learn(FlowKey(NAMESPACE, "flow"), 1)
    given.queued()
    # when
    given.server.remove(EXECUTIONS, NAMESPACE, "gone")
    await found_out(given, by)
    # then
    assert given.stores.executions.get(NAMESPACE, "gone") is None
    assert (NAMESPACE, "/company/team/flow/executions/gone/") in given.operator.files.orphaned._gone
    assert given.attempts.of(uid) == {}
    told = {key.name for key in given.queued()}
    assert {"parent", "next"} <= told


@BY
async def test_of_a_flow_that_is_gone_the_revisions_are_looked_at(
    given: Controller, by: str
) -> None:
    given.server.put(FLOWS, _flow())
    await given.list()
    given.queued()
    given.server.remove(FLOWS, NAMESPACE, "flow")
    await found_out(given, by)
    assert given.stores.flows.get(NAMESPACE, "flow") is None
    assert Key("Flow", NAMESPACE, "flow") in given.queued()


@BY
async def test_of_a_git_source_that_is_gone_the_call_of_git_ends(
    given: Controller, by: str
) -> None:
    # given: one whose server never answers
    source = {"metadata": {"name": "source", "namespace": NAMESPACE}, "spec": {"url": "https://x"}}
    given.server.put(GIT_SOURCES, source)
    await given.list()
    git = given.git
    assert isinstance(git, Hanging)
    reconcile = asyncio.create_task(given.reconcile("GitSource", "source"))
    await until(lambda: git.calls)
    # when
    given.server.remove(GIT_SOURCES, NAMESPACE, "source")
    await found_out(given, by)
    # then
    assert await reconcile is None
    assert git.calls == 0


@BY
async def test_a_key_value_that_is_gone_is_told_of_anew_when_it_comes_back(
    given: Controller, by: str
) -> None:
    spec = {"namespace": "company.team", "key": "k", "value": 1}
    pair = {"metadata": {"name": "k", "namespace": NAMESPACE}, "spec": spec}
    given.server.put(KEY_VALUES, pair)
    await given.list()
    given.server.remove(KEY_VALUES, NAMESPACE, "k")
    await found_out(given, by)
    assert list(given.stores.keyvalues) == []


@BY
async def test_a_job_that_is_gone_ends_its_attempt(given: Controller, by: str) -> None:
    # given
    owner = given.server.put(EXECUTIONS, execution())
    job = given.server.put(JOBS, job_of(owner))
    await given.list()
    given.queued()
    # when
    given.server.remove(JOBS, NAMESPACE, job["metadata"]["name"])
    await found_out(given, by)
    # then
    assert given.attempts.look(owner["metadata"]["uid"], (RUN, ATTEMPT)).job_deleted
    assert Key("Execution", NAMESPACE, "run") in given.queued()


@BY
async def test_of_a_pod_that_is_gone_without_an_end_the_job_tells(
    given: Controller, by: str
) -> None:
    # given: a pod that runs
    owner = given.server.put(EXECUTIONS, execution())
    job = given.server.put(JOBS, job_of(owner))
    state = {"running": {"startedAt": _date(1)}}
    status = {"phase": "Running", "containerStatuses": [{"name": "task", "state": state}]}
    pod = given.server.put(PODS, pod_of(job) | {"status": status})
    await given.list()
    seen = given.attempts.look(owner["metadata"]["uid"], (RUN, ATTEMPT))
    assert results.observe(seen.job, list(seen.pods.values())).state == "RUNNING"
    # when: its node is gone, the pod is deleted by force, and the Job gives up
    given.server.remove(PODS, NAMESPACE, pod["metadata"]["name"])
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    given.server.put(JOBS, job | {"status": {"conditions": [condition]}})
    await found_out(given, by)
    # then
    ended = results.observe(seen.job, list(seen.pods.values()))
    assert (ended.state, ended.reason) == ("FAILED", "PodDeleted")


async def test_a_namesake_removes_the_one_before_whose_deletion_nobody_saw(
    given: Controller,
) -> None:
    # given
    status = {"state": "RUNNING", **PLACE}
    old = given.server.put(EXECUTIONS, execution("a", status=status))
    await given.list()
    # when
    deleted = given.server.remove(EXECUTIONS, NAMESPACE, "a")
    given.lose_watch()
    new = given.server.put(EXECUTIONS, execution("a"))
    given.watch()
    # then
    assert given.stores.executions.get(NAMESPACE, "a") == new
    assert given.operator.files.orphaned._gone, "the files of the one before"
    # and its deletion, told late, is no news
    given.operator.files.orphaned._gone.clear()
    given.tell("executions", "DELETED", deleted)
    assert given.stores.executions.get(NAMESPACE, "a") == new
    assert not given.operator.files.orphaned._gone
    assert old["metadata"]["uid"] != new["metadata"]["uid"]


async def test_a_deleted_job_of_another_uid_says_nothing_of_this_one(given: Controller) -> None:
    owner = given.server.put(EXECUTIONS, execution())
    job = given.server.put(JOBS, job_of(owner))
    await given.list()
    given.tell("jobs", "DELETED", job | {"metadata": {**job["metadata"], "uid": "other"}})
    assert not given.attempts.look(owner["metadata"]["uid"], (RUN, ATTEMPT)).job_deleted


# --- When to list ---------------------------------------------------------------------------------


async def test_when_kopf_lists_anew_so_does_the_informer(
    given: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kopf lists where its watch was lost, and does not tell what is gone since."""
    # given
    monkeypatch.setattr(module, "RELIST_DELAY", 0.01)
    for name in ("a", "b"):
        given.server.put(EXECUTIONS, execution(name))
    await given.list()
    informer = next(item for item in given.operator.informers if item.resource == EXECUTIONS)
    task = asyncio.create_task(informer.run())
    # when
    given.server.remove(EXECUTIONS, NAMESPACE, "a")
    given.lose_watch()
    for body in given.server.all(EXECUTIONS):
        informer.watched(None, body)
    # then
    await until(lambda: names(list(given.stores.executions)) == ["b"])
    task.cancel()


# --- Everything at once ---------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["make", "delete", "tell", "list", "change", "lose", "go on"]),
        st.sampled_from("ab"),
    ),
    min_size=6,
    max_size=30,
)


class Interleaving:
    """An informer and its store, in front of a server on which steps are taken."""

    def __init__(self) -> None:
        self.server = ApiServer(chunk=1)
        self.gone: list[str] = []
        self.known: set[str] = set()
        self.store = ObjectStore()
        self.store.on_removed(lambda body: self.gone.append(body["metadata"]["uid"]))
        self.informer = Informer(
            self.server.api,
            EXECUTIONS,
            self.store.__iter__,
            self._seen,
            self.store.remove,
        )
        self.told = 0
        self.steps: list[tuple[str, str]] = []

    async def take(self, steps: list[tuple[str, str]]) -> None:
        """Take the steps; those after a list happen before its chunk is answered, up to `go on`."""
        self.steps = list(steps)
        self.server.between = self._between
        while self.steps:
            await self._step(*self.steps.pop(0))
        self.server.between = None
        await self.informer.list_anew()
        while self.told < len(self.server.events):
            self._tell()

    async def _between(self, chunk: int) -> None:
        while self.steps and self.steps[0][0] not in ("list", "go on"):
            await self._step(*self.steps.pop(0))

    async def _step(self, what: str, name: str) -> None:
        known = self.server.get(EXECUTIONS, NAMESPACE, name)
        match what:
            case "make" if known is None:
                self.server.put(EXECUTIONS, execution(name))
            case "change" if known is not None:
                self.server.put(EXECUTIONS, known)
            case "delete" if known is not None:
                self.server.remove(EXECUTIONS, NAMESPACE, name)
            case "tell":
                self._tell()
            case "lose":
                self._lose()
            case "list":
                await self.informer.list_anew()

    def _seen(self, body: Object) -> None:
        if self.store.put(body):
            self.known.add(body["metadata"]["uid"])

    def _tell(self) -> None:
        if self.told < len(self.server.events):
            _, kind, body = self.server.events[self.told]
            self.told += 1
            self.informer.watched(kind, body)

    def _lose(self) -> None:
        self.told = len(self.server.events)


@settings(max_examples=300)
@generated(steps=STEPS)
def test_whatever_happens_in_whatever_order_the_store_ends_as_the_server_is(
    steps: list[tuple[str, str]],
) -> None:
    # given
    world = Interleaving()
    # when
    asyncio.run(world.take(steps))
    # then
    there: list[Object] = world.server.all(EXECUTIONS)
    assert sorted(map(str, world.store)) == sorted(map(str, there))
    assert len(world.gone) == len(set(world.gone)), "a removal is told once"
    live = {body["metadata"]["uid"] for body in there}
    assert set(world.gone) >= world.known - live, "and of everything that was known"
    assert not set(world.gone) & live


def _date(second: int) -> str:
    return f"2026-01-02T03:04:{second:02}Z"


def _flow() -> Object:
    tasks = [{"id": "a", "type": "io.kestra.plugin.core.log.Log", "message": "x"}]
    spec = {"id": "flow", "namespace": "company.team", "tasks": tasks}
    return {"metadata": {"name": "flow", "namespace": NAMESPACE}, "spec": spec}
