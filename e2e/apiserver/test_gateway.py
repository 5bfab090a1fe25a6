"""Webhooks, from a real HTTP client to Executions of a real API server."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector

from e2e.apiserver.controlplane import GATEWAY
from e2e.apiserver.process import connected
from e2e.apiserver.stage import Stage
from penstock.gateway import bodies, main
from penstock.gateway.main import serving
from penstock.kubernetes.api.client import (
    EXECUTIONS,
    FLOWS,
    TRIGGER_STATES,
    Api,
    ApiError,
    Object,
    Resource,
)
from penstock.resources.execution import State
from penstock.resources.trigger_state import trigger_state_name

RECEIVING = """
    id: receiving
    namespace: company.team
    tasks:
      - id: note
        type: io.kestra.plugin.core.execution.Labels
        labels: {of: "{{ trigger.body.of }}"}
    outputs:
      - {id: sum, type: INT, value: "{{ trigger.body.a + 1 }}"}
    triggers:
      - id: plain
        type: io.kestra.plugin.core.trigger.Webhook
        key: plain-key
      - id: waiting
        type: io.kestra.plugin.core.trigger.Webhook
        key: waiting-key
        wait: true
      - id: asking
        type: io.kestra.plugin.core.trigger.Webhook
        key: asking-key
        wait: true
        returnOutputs: true
"""
RUNNING = """
    id: running
    namespace: company.team
    tasks:
      - {id: work, type: io.kestra.plugin.core.log.Log, message: hello}
    triggers:
      - {id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: key, wait: true}
"""
DELIVERY = {"Idempotency-Key": "delivery-1"}


class Replica:
    """One gateway, and a client in front of it."""

    def __init__(self, stage: Stage, session: ClientSession, port: int) -> None:
        self._namespace = stage.namespace
        self._session = session
        self.port = port
        self._url = f"http://127.0.0.1:{port}"

    async def call(
        self, key: str, body: Any = None, method: str = "POST", flow: str = "receiving", **more: Any
    ) -> tuple[int, Any]:
        """The status and the JSON of the answer to a call."""
        path = f"/api/v1/{self._namespace}/executions/webhook/company.team/{flow}/{key}"
        sent = more if "data" in more else {"json": body, **more}
        async with self._session.request(method, self._url + path, **sent) as answer:
            return answer.status, await _read(answer)

    async def push(self, source: str) -> int:
        path = f"/api/v1/gitsources/{self._namespace}/{source}/push"
        async with self._session.post(self._url + path) as answer:
            return answer.status

    async def is_ready(self) -> bool:
        async with self._session.get(f"{self._url}/readyz") as answer:
            return answer.status == 200


async def _read(answer: ClientResponse) -> Any:
    is_json = answer.content_type == "application/json"
    return await answer.json() if is_json else await answer.text()


@asynccontextmanager
async def gateway(
    stage: Stage, kind: type[Api] = Api, waits: float = 30.0
) -> AsyncIterator[Replica]:
    """A gateway with the rights that the chart gives it."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            await connected(stage.plane.kubeconfig(f"{stage.namespace}-gateway", GATEWAY))
        )
        running = await stack.enter_async_context(
            serving(kind(client), [stage.namespace], 0, "127.0.0.1", waits)
        )
        session = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=0)))
        replica = Replica(stage, session, running.port)
        await until(replica.is_ready)
        yield replica


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def ready(stage: Stage) -> Stage:
    """A namespace in which a controller is at work."""
    stage.controller.start()
    await stage.controller.ready()
    return stage


async def accepted(stage: Stage, text: str, name: str) -> None:
    """Let there be a Flow that the controller has accepted."""
    await stage.flow(text)
    await told_of(stage, name)


async def told_of(stage: Stage, name: str) -> Object:
    """What the controller says of a Flow as it stands."""
    async with asyncio.timeout(20):
        while True:
            body = await stage.api.get(FLOWS, stage.namespace, name)
            status = body.get("status") or {}
            if status.get("observedGeneration") == body["metadata"]["generation"]:
                return dict(status)
            await asyncio.sleep(0.05)


async def test_a_call_starts_an_execution_that_runs_to_its_end(ready: Stage) -> None:
    await accepted(ready, RECEIVING, "receiving")
    async with gateway(ready) as replica:
        # when
        status, answer = await replica.call("plain-key", {"of": "shop", "a": 1})
        # then
        assert (status, answer["state"]["current"]) == (200, "CREATED")
        (ended,) = (await ready.ended([answer["id"]])).values()
        assert (ended.state, ended.outputs, ended.labels["of"]) == (
            State.SUCCESS, {"sum": 2}, "shop"
        )  # fmt: skip
        assert ended.trigger == "plain"
        # and nothing else does
        for key, method, expected in (
            ("wrong", "POST", 404), ("plain-key", "DELETE", 405),
        ):  # fmt: skip
            assert (await replica.call(key, method=method))[0] == expected
        assert (await replica.call("plain-key", "x" * 600_000))[0] == 413
        # what is small, but takes up six times as much once it is stored, is told too
        status, answer = await replica.call("plain-key", data=b"\x01" * 500_000)
        assert (status, answer["message"]) == (
            413,
            "the call takes up more room than an Execution has",
        )
    assert len(await ready.executions()) == 1


async def trigger_of(stage: Stage, trigger: str) -> Object:
    """What the TriggerState of a trigger of the flow says, once it says something."""
    name = trigger_state_name("receiving", trigger)
    async with asyncio.timeout(20):
        while True:
            with suppress(ApiError):
                body = await stage.api.get(TRIGGER_STATES, stage.namespace, name)
                if (body.get("status") or {}).get("state"):
                    return dict(body["status"])
            await asyncio.sleep(0.05)


async def test_its_trigger_state_says_who_serves_a_webhook(ready: Stage) -> None:
    await ready.flow(RECEIVING.replace("key: waiting-key", "key: \"{{ secret('HOOK') }}\""))
    plain, waiting = await trigger_of(ready, "plain"), await trigger_of(ready, "waiting")
    assert (plain["state"], plain["message"]) == ("Armed", "calls are received by the gateway")
    assert waiting["state"] == "NotServed"
    assert "`key` is a secret()" in waiting["message"]


async def test_a_webhook_is_disabled_and_enabled_by_its_trigger_state(ready: Stage) -> None:
    await accepted(ready, RECEIVING, "receiving")
    await trigger_of(ready, "plain")
    name = trigger_state_name("receiving", "plain")
    async with gateway(ready) as replica:
        assert (await replica.call("plain-key", {"a": 1}))[0] == 200
        # when
        patch: Object = {"spec": {"disabled": True}}
        await ready.api.patch(TRIGGER_STATES, ready.namespace, name, patch)
        # then
        await until(lambda: _is_missing(replica, "plain-key"))
        patch = {"spec": {"disabled": False}}
        await ready.api.patch(TRIGGER_STATES, ready.namespace, name, patch)
        await until(lambda: _is_received(replica, "plain-key"))


async def _is_received(replica: Replica, key: str) -> bool:
    return (await replica.call(key, {"a": 1}))[0] == 200


async def test_an_answer_waits_for_the_end_and_gives_the_outputs(ready: Stage) -> None:
    await accepted(ready, RECEIVING, "receiving")
    async with gateway(ready) as replica:
        status, answer = await replica.call("waiting-key", {"of": "x", "a": 2})
        assert (status, answer["state"]["current"]) == (200, "SUCCESS")
        assert answer["outputs"] == {"sum": 3}
        assert await replica.call("asking-key", {"of": "x", "a": 3}) == (200, {"sum": 4})
        # one that fails says so
        status, answer = await replica.call("asking-key", {"of": "x"})
        assert (status, answer["execution"]["state"]["current"]) == (500, "FAILED")


async def test_an_answer_waits_for_a_task_s_pod_and_no_longer_than_it_may(ready: Stage) -> None:
    await accepted(ready, RUNNING, "running")
    ready.hold.add("work")
    async with gateway(ready, waits=2.0) as replica:
        # given: a pod that does not end
        status, answer = await replica.call("key", flow="running", headers=DELIVERY)
        assert (status, answer["state"]["current"]) == (202, "RUNNING")
        # when: the same delivery comes again, and the pod ends meanwhile
        again = asyncio.create_task(replica.call("key", flow="running", headers=DELIVERY))
        await asyncio.sleep(0.5)
        assert not again.done()
        ready.hold.clear()
        # then
        status, ended = await again
        assert (status, ended["state"]["current"], ended["id"]) == (200, "SUCCESS", answer["id"])


async def test_a_client_that_leaves_leaves_nothing_behind(ready: Stage) -> None:
    await accepted(ready, RUNNING, "running")
    ready.hold.add("work")
    async with gateway(ready) as replica:
        call = asyncio.create_task(replica.call("key", flow="running"))
        await until(_one_waits)
        # when
        call.cancel()
        # then
        await until(_none_waits)
    assert len(await ready.executions()) == 1


async def _one_waits() -> bool:
    return len(_waiting()) == 1


async def _none_waits() -> bool:
    return not _waiting()


def _waiting() -> list[asyncio.Task[Any]]:
    """The answers that wait for an execution, in this process."""
    return [task for task in asyncio.all_tasks() if "Webhooks._answered" in _stack(task)]


def _stack(task: asyncio.Task[Any]) -> str:
    names = []
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        names.append(getattr(coroutine, "__qualname__", ""))
        coroutine = getattr(coroutine, "cr_await", None)
    return " ".join(names)


async def test_two_replicas_give_one_execution_to_one_delivery(ready: Stage) -> None:
    await accepted(ready, RECEIVING, "receiving")
    async with gateway(ready) as one, gateway(ready) as other:
        for number in range(20):
            headers = {"X-GitHub-Delivery": f"delivery-{number}"}
            calls = [
                each.call("plain-key", {"a": number}, headers=headers) for each in (one, other)
            ]
            (first, answer), (second, same) = await asyncio.gather(*calls)
            assert (first, second, answer["id"]) == (200, 200, same["id"])
    assert len(await ready.executions()) == 20


class Dying(Api):
    """The API server to a gateway that breaks off between an Execution's creation and its
    answer."""

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        await super().create(resource, namespace, body)
        raise ConnectionAbortedError("killed")


async def test_what_was_created_and_not_answered_is_found_by_the_next(ready: Stage) -> None:
    # given
    await accepted(ready, RECEIVING, "receiving")
    async with gateway(ready, Dying) as dying:
        status, answer = await dying.call("plain-key", {"a": 1}, headers=DELIVERY)
        assert (status, "id" in answer) == (500, False)
    (made,) = await ready.executions()
    # when
    async with gateway(ready) as replica:
        status, answer = await replica.call("plain-key", {"a": 1}, headers=DELIVERY)
    # then
    assert (status, answer["id"]) == (200, made["metadata"]["name"])
    assert len(await ready.executions()) == 1


async def test_a_changed_flow_is_served_as_it_stands(ready: Stage) -> None:
    await accepted(ready, RECEIVING, "receiving")
    async with gateway(ready) as replica:
        assert (await replica.call("plain-key", {"a": 1}))[0] == 200
        # when
        body = await ready.api.get(FLOWS, ready.namespace, "receiving")
        body["spec"]["triggers"][0]["key"] = "new-key"
        await ready.api.replace(FLOWS, body)
        # then: the old key opens nothing soon after
        await until(lambda: _is_missing(replica, "plain-key"))
        assert (await replica.call("new-key", {"a": 1}))[0] == 200
        # and a Flow that is gone is not served
        await ready.api.delete(FLOWS, ready.namespace, "receiving")
        await until(lambda: _is_missing(replica, "new-key"))


async def _is_missing(replica: Replica, key: str) -> bool:
    return (await replica.call(key, {"a": 1}))[0] == 404


async def test_slow_senders_are_cut(ready: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN", 0.5)
    monkeypatch.setattr(main, "_SILENCE", 0.5)
    await accepted(ready, RECEIVING, "receiving")
    async with gateway(ready) as replica, asyncio.timeout(20):
        path = f"/api/v1/{ready.namespace}/executions/webhook/company.team/receiving/plain-key"
        begin = f"POST {path} HTTP/1.1\r\nHost: gateway\r\n".encode()
        # given: one that never ends its headers
        reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
        writer.write(begin)
        assert await reader.read() == b""
        # and one that never ends its body
        reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
        writer.write(begin + b"Content-Length: 100\r\n\r\n{")
        assert (await reader.readline()).split()[1] == b"408"
        # then: others are served
        assert (await replica.call("plain-key", {"a": 1}))[0] == 200
    assert len(await ready.executions()) == 1


async def test_a_thousand_calls_at_once_are_a_thousand_executions(stage: Stage) -> None:
    """No controller runs: what is measured is the way from a call to its Execution."""
    await stage.flow(RECEIVING)
    body = await stage.api.get(FLOWS, stage.namespace, "receiving")
    ready_now = {"type": "Ready", "status": "True", "reason": "Accepted"}
    moment = {"lastTransitionTime": "2026-01-01T00:00:00Z", "message": ""}
    status = {"observedGeneration": 1, "revision": 1, "conditions": [ready_now | moment]}
    await stage.api.replace_status(FLOWS, body | {"status": status})
    async with gateway(stage) as replica:
        answers: Counter[int] = Counter()

        async def call(number: int) -> str:
            while True:
                status, answer = await replica.call("plain-key", {"a": number})
                answers[status] += 1
                if status == 200:
                    return str(answer["id"])
                assert status == 429, answer
                await asyncio.sleep(1)

        # when
        ids = await asyncio.gather(*(call(number) for number in range(1_000)))
        # then
        assert len(set(ids)) == 1_000
        assert len(await stage.api.list(EXECUTIONS, stage.namespace)) == 1_000
        assert set(answers) <= {200, 429}
        # and calls that come one after the other wait for no more than a write
        taken = []
        for number in range(20):
            began = time.monotonic()
            assert (await replica.call("plain-key", {"a": number}))[0] == 200
            taken.append(time.monotonic() - began)
        assert statistics.median(taken) < 1, taken
