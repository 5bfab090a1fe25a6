"""One memory for each Execution: nothing is left anywhere of one that has ended or is gone."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any
from weakref import WeakValueDictionary

import pytest
from cachetools import Cache

from penstock.controller.app.assembly import Operator
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.queue import Key
from penstock.engine.state.task_run_cache import TaskRunCache
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, PODS, Object
from penstock.kubernetes.api.labels import ATTEMPT, EXECUTION_UID, TASK_RUN
from penstock.storage.key import create_key
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until
from tests.fixtures.pods import complete, ended, pod_of, running

RICH = """
    id: flow
    namespace: company.team
    concurrency: {limit: 5}
    inputs: [{id: token, type: SECRET}]
    tasks:
      - id: large
        type: io.kestra.plugin.core.debug.Return
        format: "{{ inputs.token }}"
      - id: look
        type: io.kestra.plugin.core.flow.If
        condition: "{{ fileExists('nothing') }}"
        then: [{id: never, type: io.kestra.plugin.core.log.Log, message: x}]
      - {id: last, type: io.kestra.plugin.core.debug.Return, format: x}
      - {id: logs, type: io.kestra.plugin.core.log.Fetch}
"""
LARGE = {"value": "x" * 3_000}


@dataclass
class Notes:
    """A slot, as somebody has one who remembers something."""

    texts: list[str] = field(default_factory=list)


def test_what_is_put_into_a_slot_is_there_until_the_execution_is_forgotten() -> None:
    memories = ExecutionMemories()
    memories.of("u", Notes).texts.append("one")
    assert memories.look("u", Notes) == Notes(["one"])
    assert list(memories.all(Notes)) == [Notes(["one"])]
    memories.forget("u")
    assert memories.look("u", Notes) is None


def test_whoever_only_looks_leaves_nothing() -> None:
    memories = ExecutionMemories()
    assert memories.look("u", Notes) is None
    assert memories._memories == {}


def test_of_a_forgotten_execution_nothing_is_remembered_until_it_goes_on() -> None:
    # given: its reconcile is still under way
    memories = ExecutionMemories()
    memories.forget("u")
    # when
    memories.of("u", Notes).texts.append("late")
    memories.mark(_body("u"), "waits")
    # then
    assert memories.look("u", Notes) is None
    assert memories.marked("waits") == {}
    # and when it is restarted
    memories.remember("u")
    memories.of("u", Notes).texts.append("new")
    assert memories.look("u", Notes) == Notes(["new"])


def test_an_execution_is_found_by_its_mark_until_that_is_taken_away() -> None:
    # given
    memories = ExecutionMemories()
    for uid in ("a", "b", "c"):
        memories.mark(_body(uid), "waits")
    # when
    memories.unmark("a", "waits")
    memories.unmark("nobody", "waits")
    memories.forget("b")
    # then
    assert memories.marked("waits") == {"c": Key("Execution", NAMESPACE, "run-c")}
    memories.forget("c")
    assert memories._marked == {}


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path)
    create_key(controller.operator.files.storage.root)
    return controller


async def test_nothing_is_left_of_an_execution_that_has_ended(controller: Controller) -> None:
    # given: one with everything of which something is remembered
    server = controller.server
    async with controller.running():
        server.put(FLOWS, flow(RICH))
        server.put(EXECUTIONS, execution("run", spec={"inputs": {"token": "hunter2"}}))
        await _end(controller, "large", LARGE)
        seen = _uid(controller)
        assert any("memories" in path for path in left_of(controller.operator, seen))
        # when
        await _end(controller, "last", {"value": "x"})
        await _end(controller, "logs", {"size": 1})
        await until(lambda: _state(controller) == "SUCCESS")
        # then: but for the object itself, and what has a bound
        await nothing_left(controller, seen, controller.stores.executions)


async def test_nothing_is_left_of_an_execution_that_was_deleted_while_it_ran(
    controller: Controller,
) -> None:
    # given
    server = controller.server
    async with controller.running():
        server.put(FLOWS, flow(RICH))
        server.put(EXECUTIONS, execution("run", spec={"inputs": {"token": "hunter2"}}))
        await _end(controller, "large", LARGE)
        job = await _job(controller, "last")
        server.put(PODS, {**pod_of(job), "status": running()})
        uid = _uid(controller)
        # when
        server.remove(EXECUTIONS, NAMESPACE, "run")
        for resource in (PODS, JOBS):
            for body in list(server.all(resource)):
                server.remove(resource, NAMESPACE, body["metadata"]["name"])
        # then
        await nothing_left(controller, uid)


async def test_nothing_is_left_of_an_execution_whose_write_got_no_answer(
    controller: Controller,
) -> None:
    # given: a slot of its flow is kept for it, as long as it is not known whether it was written
    server = controller.server
    async with controller.running():
        end = server.refuse("PUT", EXECUTIONS, OSError("lost"), "status")
        server.put(FLOWS, flow(RICH))
        server.put(EXECUTIONS, execution("run", spec={"inputs": {"token": "hunter2"}}))
        kept = controller.operator.runtime.slots.slots._kept
        await until(lambda: kept)
        uid = _uid(controller)
        # when
        server.remove(EXECUTIONS, NAMESPACE, "run")
        end()
        # then
        await until(lambda: not kept)
        await nothing_left(controller, uid)


async def test_of_a_job_whose_execution_went_while_no_controller_ran_nothing_is_kept(
    controller: Controller,
) -> None:
    # given
    labels = {EXECUTION_UID: "uid-gone", TASK_RUN: "r", ATTEMPT: "1"}
    meta = {"name": "left", "namespace": NAMESPACE, "labels": labels}
    controller.server.put(JOBS, {"metadata": meta})
    # when
    async with controller.running():
        # then
        assert left_of(controller.operator, "uid-gone") == []


async def nothing_left(controller: Controller, uid: str, *besides: object) -> None:
    """Wait until nothing is left of an Execution, but for what is named."""
    found: list[str] = ["?"]
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while found:
                await asyncio.sleep(0.02)
                found = left_of(controller.operator, uid, *besides)
    assert found == []


def left_of(operator: Operator, uid: str, *besides: object) -> list[str]:
    """Where an Execution is found in all that belongs to an operator, but for what has a bound."""
    return list(_paths(operator, uid, "operator", {id(thing) for thing in besides}))


def _paths(thing: Any, uid: str, path: str, seen: set[int]) -> Iterator[str]:
    if isinstance(thing, str):
        if re.search(rf"\b{uid}\b", thing):
            yield path
        return
    if id(thing) in seen or isinstance(thing, type | Cache | TaskRunCache):
        return
    seen.add(id(thing))
    for name, part in _parts(thing):
        yield from _paths(part, uid, f"{path}.{name}", seen)


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    match thing:
        case Mapping() | WeakValueDictionary():
            for key, value in list(thing.items()):
                yield "(key)", key
                yield str(key), value
        case list() | tuple() | set() | frozenset() | deque():
            yield from ((str(index), item) for index, item in enumerate(thing))
        case MethodType():
            yield "self", thing.__self__
        case partial():
            yield from (("func", thing.func), ("args", thing.args), ("keywords", thing.keywords))
        case _ if type(thing).__module__.startswith("penstock"):
            yield from list(vars(thing).items()) if hasattr(thing, "__dict__") else ()


def _body(uid: str) -> Object:
    return {"metadata": {"namespace": NAMESPACE, "name": f"run-{uid}", "uid": uid}}


def _uid(controller: Controller) -> str:
    body = controller.server.get(EXECUTIONS, NAMESPACE, "run")
    assert body is not None
    return str(body["metadata"]["uid"])


def _state(controller: Controller) -> str | None:
    body = controller.server.get(EXECUTIONS, NAMESPACE, "run") or {}
    return (body.get("status") or {}).get("state")


async def _job(controller: Controller, task: str) -> Object:
    """The Job of a task, once it is there."""

    def found() -> list[Object]:
        jobs = controller.server.all(JOBS)
        return [job for job in jobs if job["metadata"]["name"].startswith(f"run-{task}-")]

    await until(found)
    return found()[0]


async def _end(controller: Controller, task: str, outputs: dict[str, Any]) -> None:
    """Let the pod of a task end well."""
    job = await _job(controller, task)
    controller.server.put(PODS, {**pod_of(job), "status": ended(0, outputs)})
    controller.server.put(JOBS, complete(job))


def test_the_search_finds_what_is_there() -> None:
    store = ObjectStore()
    store.put({**_body("u-1"), "spec": {}})
    assert list(_paths({"a": [store]}, "u-1", "x", set()))
