"""The listener, from a server that it asks to Executions: over a real gateway and API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from e2e.apiserver.listening import environment_of, listening, token_of
from e2e.apiserver.stage import Stage
from e2e.apiserver.test_gateway import accepted, gateway
from penstock.controller.runtime.settings import ListenerSettings
from penstock.kubernetes.api.client import (
    DEPLOYMENTS,
    FLOWS,
    TRIGGER_STATES,
    ApiError,
    Object,
    Resource,
)
from penstock.kubernetes.secrets.listener import NAME
from penstock.listener.sources.addresses import REFUSED_VARIABLE
from penstock.resources.trigger_state import trigger_state_name

ASKING = """
    id: asking
    namespace: company.team
    variables: {{path: stock}}
    inputs:
      - {{id: level, type: INT}}
    tasks:
      - id: note
        type: io.kestra.plugin.core.execution.Labels
        labels: {{seen: "{{{{ inputs.level }}}}"}}
    triggers:
      - id: low
        type: io.kestra.plugin.core.http.Trigger
        uri: "{url}/{{{{ vars.path }}}}"
        interval: PT1S
        headers: {{X-Key: "{{{{ secret('SHOP_KEY') }}}}"}}
        responseCondition: "{{{{ (response.body | jq('.level') | first) < 5 }}}}"
        inputs: {{level: "{{{{ trigger.body | jq('.level') | first }}}}"}}
        labels: {{code: "{{{{ trigger.code }}}}"}}
"""
IMAGE = "penstock:0.1.0"
"""As the fence of the manifests has it."""
_NAMESPACES = Resource("", "v1", "namespaces")
STATE = trigger_state_name("asking", "low")


@dataclass
class Shop:
    """A server that is asked."""

    url: str = ""
    level: int = 9
    keys: list[str | None] = field(default_factory=list)

    async def was_asked(self, times: int) -> bool:
        return len(self.keys) >= times

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("X-Key"))
        if request.headers.get("X-Key") != "s3cr3t-key":
            return web.Response(status=401)
        return web.json_response({"level": self.level})


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setenv(REFUSED_VARIABLE, "")  # it is on this machine
    made = Shop()
    app = web.Application()
    app.router.add_get("/stock", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def ready(stage: Stage) -> Stage:
    """A namespace in which a controller is at work."""
    stage.controller.choose(
        listener=ListenerSettings(gateway_url="http://gateway"), jobs={"image": IMAGE}
    )
    stage.controller.start()
    await stage.controller.ready()
    return stage


async def found(get: Callable[[], Awaitable[Any]]) -> Any:
    """What there is, once there is something."""
    async with asyncio.timeout(12):
        while True:
            try:
                if value := await get():
                    return value
            except ApiError as error:
                if not error.not_found:
                    raise
            await asyncio.sleep(0.05)


async def deployment(stage: Stage) -> Object:
    made = await found(lambda: stage.api.get(DEPLOYMENTS, stage.namespace, NAME))
    assert isinstance(made, dict)
    return made


async def state(stage: Stage, holds: Callable[[Object], bool]) -> Object:
    """The status of the TriggerState, once something holds of it."""

    async def get() -> Object | None:
        body = await stage.api.get(TRIGGER_STATES, stage.namespace, STATE)
        status: Object = body.get("status") or {}
        return status if holds(status) else None

    told = await found(get)
    assert isinstance(told, dict)
    return told


async def test_an_answer_that_is_as_wanted_starts_an_execution(
    ready: Stage, shop: Shop, tmp_path: Path
) -> None:
    # given
    shop.level = 3
    async with gateway(ready) as door:
        await accepted(ready, ASKING.format(url=shop.url), "asking")
        given = environment_of(
            await deployment(ready), {("penstock-secrets", "SHOP_KEY"): "s3cr3t-key"}
        )
        # when
        async with listening(ready, tmp_path, door.port, given):
            (execution, *_) = await found(ready.executions)
            ended = await ready.ended([execution["metadata"]["name"]])
            told = await state(
                ready, lambda status: bool(status.get("lastDate")) and "message" not in status
            )
    # then
    (status,) = ended.values()
    assert status.state == "SUCCESS"
    assert status.labels["seen"] == "3"
    assert status.labels["code"] == "200"
    assert execution["spec"]["trigger"]["variables"]["body"] == '{"level": 3}'
    assert told["state"] == "Armed"
    # and the secret is nowhere
    assert "s3cr3t-key" not in str(await ready.executions())


async def test_what_is_wrong_with_a_source_stands_in_the_trigger_state(
    ready: Stage, shop: Shop, tmp_path: Path
) -> None:
    async with gateway(ready) as door:
        await accepted(ready, ASKING.format(url=shop.url), "asking")
        made = await deployment(ready)
        # when its Secret is not there
        async with listening(ready, tmp_path, door.port, environment_of(made, {})):
            told = await state(ready, lambda status: status.get("state") == "Failing")
    # then
    assert "secret('SHOP_KEY')" in told["message"]
    assert await ready.executions() == []


async def test_a_listener_that_starts_anew_starts_nothing_twice(
    ready: Stage, shop: Shop, tmp_path: Path
) -> None:
    # given a trigger that asks once an hour
    shop.level = 1
    flow = ASKING.format(url=shop.url).replace("PT1S", "PT1H")
    async with gateway(ready) as door:
        await accepted(ready, flow, "asking")
        values = {("penstock-secrets", "SHOP_KEY"): "s3cr3t-key"}
        given = environment_of(await deployment(ready), values)
        # when
        for number in range(1, 4):
            async with listening(ready, tmp_path, door.port, given):
                await found(partial(shop.was_asked, number))
                await found(ready.executions)
                await asyncio.sleep(0.3)
    # then
    assert len(await ready.executions()) == 1


async def test_the_deployment_goes_with_the_last_trigger(ready: Stage, shop: Shop) -> None:
    await accepted(ready, ASKING.format(url=shop.url), "asking")
    made = await deployment(ready)
    # a change by somebody else is not fought; a deletion is made up for
    await ready.api.delete(DEPLOYMENTS, ready.namespace, NAME, made["metadata"]["uid"])

    async def another() -> bool:
        body = await ready.api.get(DEPLOYMENTS, ready.namespace, NAME)
        return bool(body["metadata"]["uid"] != made["metadata"]["uid"])

    await found(another)
    # when
    await ready.api.delete(FLOWS, ready.namespace, "asking")
    for body in await ready.api.list(TRIGGER_STATES, ready.namespace):
        # what the garbage collector of a whole cluster does
        await ready.api.delete(TRIGGER_STATES, ready.namespace, body["metadata"]["name"])

    # then
    async def gone() -> bool:
        return await ready.api.list(DEPLOYMENTS, ready.namespace) == []

    await found(gone)


async def test_a_token_is_worth_its_own_namespace_only(
    ready: Stage, shop: Shop, tmp_path: Path
) -> None:
    """A listener of another namespace learns nothing, and starts nothing, in this one."""
    event = {"flow": "asking", "trigger": "low", "key": "1", "variables": {"body": '{"level": 1}'}}
    await ready.api.create(
        _NAMESPACES,
        "",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{ready.namespace}-x"}},
    )
    async with gateway(ready) as door, ClientSession() as session:
        await accepted(ready, ASKING.format(url=shop.url), "asking")
        base = f"http://127.0.0.1:{door.port}/api/v1/listener"

        async def ask(token: str) -> tuple[int, int, Any]:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(f"{base}/triggers", headers=headers) as answer:
                listed = await answer.json()
            async with session.post(f"{base}/firings", headers=headers, json=event) as fired:
                return answer.status, fired.status, listed

        theirs = await ask(await token_of(ready, f"{ready.namespace}-x"))
        for_the_api = await ask(await token_of(ready, ready.namespace, "https://kubernetes"))
        forged = await ask("a.b.c")
        before = await ready.executions()
        own = await ask(await token_of(ready, ready.namespace))
        again = await ask(await token_of(ready, ready.namespace))

    assert theirs[:2] == (200, 410)
    assert theirs[2]["triggers"] == []
    assert for_the_api[:2] == forged[:2] == (401, 401)
    assert before == []
    assert own[:2] == again[:2] == (200, 200)
    assert [item["trigger"] for item in own[2]["triggers"]] == ["low"]
    assert "inputs" not in own[2]["triggers"][0]["properties"]
    assert len(await ready.executions()) == 1
