"""What the gateway's token is worth: with it, the API server does what the gateway does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from e2e.apiserver.controlplane import GATEWAY, ControlPlane
from e2e.apiserver.process import connected
from penstock.cluster.firings import execution_of
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import (
    CONFIG_MAPS,
    EXECUTIONS,
    FLOWS,
    GIT_SOURCES,
    JOBS,
    KEY_VALUES,
    PODS,
    SECRETS,
    TRIGGER_STATES,
    Api,
    ApiError,
    Object,
    Resource,
)
from penstock.resources import API_VERSION
from penstock.resources.gitsource import PUSH_ANNOTATION, RECONCILE_ANNOTATION
from penstock.resources.listener_report import ANNOTATION
from penstock.triggers.firing import Firing

NAMESPACES = Resource("", "v1", "namespaces")
OWNER = {
    "apiVersion": API_VERSION,
    "kind": "Execution",
    "name": "x",
    "uid": "61f762f5-ebe3-497f-aed0-21b0024639da",
}


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Api]:
    async with await connected(plane.kubeconfig("gateway-admin")) as client:
        yield Api(client)


@pytest.fixture
async def namespace(admin: Api) -> str:
    name = f"t-{uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await admin.create(NAMESPACES, "", body)
    return name


@pytest.fixture
async def source(admin: Api, namespace: str) -> str:
    """A GitSource."""
    meta = {"name": "flows", "labels": {"a": "b"}, "annotations": {"theirs": "1"}}
    body = {"apiVersion": API_VERSION, "kind": "GitSource", "metadata": meta}
    spec = {"url": "https://git.example.com/flows.git", "suspend": True}
    await admin.create(GIT_SOURCES, namespace, body | {"spec": spec})
    return "flows"


@pytest.fixture
async def gateway(plane: ControlPlane, namespace: str, source: str) -> AsyncIterator[Api]:
    """The API server, as it answers to the gateway's token, once the policies are in force."""
    async with await connected(plane.kubeconfig("gateway-fence", GATEWAY)) as client:
        api = Api(client)
        for probe in (_mark(api, namespace, source), _foreign(api, namespace)):
            await _in_force(probe)
        yield api


async def _in_force(probe: Any) -> None:
    """Wait until a policy counts: each does so a moment after it was made."""
    async with asyncio.timeout(20):
        while True:
            if await _is_refused(probe):
                return
            await asyncio.sleep(0.1)


def _mark(api: Api, namespace: str, source: str) -> Any:
    patch = {"metadata": {"annotations": {"probe": uuid4().hex}}}
    return lambda: api.patch(GIT_SOURCES, namespace, source, patch)


def _foreign(api: Api, namespace: str) -> Any:
    def create() -> Any:
        body = webhook(namespace)
        del body["spec"]["trigger"]
        return api.create(EXECUTIONS, namespace, body)

    return create


async def _is_refused(doing: Any) -> bool:
    try:
        await doing()
    except ApiError as error:
        return "gateway" in str(error)
    return False


async def refused(doing: Any) -> str:
    with pytest.raises(ApiError) as caught:
        await doing
    assert caught.value.status in (403, 422), caught.value
    return str(caught.value)


def webhook(namespace: str, type: str = "io.kestra.plugin.core.trigger.Webhook") -> Object:
    """An Execution as the gateway creates it."""
    flow = {"metadata": {"name": "orders", "namespace": namespace}}
    trigger = Trigger(id="hook", type=type)
    return execution_of(flow, "orders", trigger, Firing(uuid4().hex, {"body": None}))


async def test_what_the_gateway_does_is_let_through(
    gateway: Api, namespace: str, source: str
) -> None:
    for type in (
        "io.kestra.plugin.core.trigger.Webhook",
        "IO.Kestra.Plugin.Core.Trigger.WEBHOOK",
        "io.kestra.core.models.triggers.types.Webhook",
        "io.kestra.plugin.core.http.Trigger",
    ):
        await gateway.create(EXECUTIONS, namespace, webhook(namespace, type))
    assert await gateway.list(FLOWS, namespace) == []
    for _ in range(2):
        patch = {"metadata": {"annotations": {PUSH_ANNOTATION: uuid4().hex}}}
        marked = await gateway.patch(GIT_SOURCES, namespace, source, patch)
    assert marked["metadata"]["annotations"].keys() == {"theirs", PUSH_ANNOTATION}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "trigger"), {"id": "x", "type": "io.kestra.plugin.core.trigger.Flow"}),
        (("spec", "trigger"), {"id": "x", "type": "io.kestra.plugin.core.trigger.Schedule"}),
        (("spec", "trigger"), {"id": "x", "type": "IO.Kestra.plugin.core.trigger.ScheduleOnDates"}),
        (("spec", "trigger"), None),
        (("spec", "parent"), {"execution": "x", "taskRun": "y", "attempt": 1}),
        (("spec", "replay"), {"execution": "x"}),
        (("metadata", "ownerReferences"), [OWNER]),
        (("metadata", "annotations"), {"penstock.dev/called-by": "x"}),
    ],
    ids=str,
)
async def test_other_executions_than_those_of_webhooks_are_refused(
    gateway: Api, namespace: str, path: tuple[str, str], value: Any
) -> None:
    body = webhook(namespace)
    body[path[0]][path[1]] = value
    told = await refused(gateway.create(EXECUTIONS, namespace, body))
    assert "Penstock's gateway creates" in told


async def test_an_execution_is_neither_changed_nor_deleted(
    gateway: Api, admin: Api, namespace: str
) -> None:
    body = await gateway.create(EXECUTIONS, namespace, webhook(namespace))
    name = body["metadata"]["name"]
    await refused(gateway.patch(EXECUTIONS, namespace, name, {"spec": {"kill": True}}))
    await refused(gateway.delete(EXECUTIONS, namespace, name))
    assert await admin.get(EXECUTIONS, namespace, name)


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"url": "https://evil.example.com/flows.git"}},
        {"spec": {"suspend": False}},
        {"metadata": {"annotations": {RECONCILE_ANNOTATION: "now"}}},
        {"metadata": {"annotations": {"theirs": "2"}}},
        {"metadata": {"annotations": {"theirs": None}}},
        {"metadata": {"annotations": None}},
        {"metadata": {"labels": {"a": "c"}}},
        {"metadata": {"finalizers": ["example.com/stay"]}},
        {"metadata": {"ownerReferences": [OWNER]}},
    ],
    ids=str,
)
async def test_of_a_gitsource_nothing_but_the_mark_is_written(
    gateway: Api, namespace: str, source: str, patch: Object
) -> None:
    told = await refused(gateway.patch(GIT_SOURCES, namespace, source, patch))
    assert "but the annotation" in told


async def test_of_a_trigger_state_nothing_but_the_report_is_written(
    gateway: Api, admin: Api, namespace: str
) -> None:
    # given
    spec = {"flow": "orders", "trigger": "hook"}
    body = {"apiVersion": API_VERSION, "kind": "TriggerState", "metadata": {"name": "state"}}
    await admin.create(TRIGGER_STATES, namespace, body | {"spec": spec})

    async def other() -> None:
        patch = {"metadata": {"annotations": {"probe": uuid4().hex}}}
        await gateway.patch(TRIGGER_STATES, namespace, "state", patch)

    await _in_force(other)
    # then
    report = {"metadata": {"annotations": {ANNOTATION: "{}"}}}
    await gateway.patch(TRIGGER_STATES, namespace, "state", report)
    for patch in ({"spec": {"disabled": True}}, {"metadata": {"labels": {"a": "b"}}}):
        told = await refused(gateway.patch(TRIGGER_STATES, namespace, "state", patch))
        assert "but the annotation" in told
    await refused(gateway.delete(TRIGGER_STATES, namespace, "state"))
    await refused(gateway.create(TRIGGER_STATES, namespace, body | {"spec": spec}))


@pytest.mark.parametrize(
    "kind",
    [PODS, JOBS, SECRETS, CONFIG_MAPS, KEY_VALUES, GIT_SOURCES],
    ids=lambda kind: kind.plural,
)
async def test_nothing_else_is_read(gateway: Api, namespace: str, kind: Resource) -> None:
    await refused(gateway.list(kind, namespace))
    await refused(gateway.get(kind, namespace, "x"))
