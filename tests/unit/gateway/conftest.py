"""The gateway's app in front of an API server in memory, and flows that have webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from penstock.gateway.app import gateway_app
from penstock.gateway.files import TriggerFiles
from penstock.gateway.flows import WebhookFlows
from penstock.gateway.handover import Handover
from penstock.gateway.limits import Limits
from penstock.gateway.pushes import Pushes
from penstock.gateway.source_flows import SourceFlows
from penstock.gateway.switches import Switches
from penstock.gateway.webhooks import Webhooks
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, Object
from tests.fixtures.apiserver import ApiServer

HOOK = "/api/v1/executions/webhook/company.team"


def accepted(text: str, kube_namespace: str = "team", **status: Any) -> Object:
    """A Flow as it stands in the cluster once the controller has accepted it."""
    spec = yaml.safe_load(text)
    meta = {"name": f"{spec['namespace']}.{spec['id']}", "namespace": kube_namespace}
    ready = {"type": "Ready", "status": "True"}
    told = {"observedGeneration": 1, "revision": 3, "conditions": [ready], **status}
    uid = f"uid-of-{kube_namespace}-{spec['id']}"
    return {"metadata": {**meta, "uid": uid, "generation": 1}, "spec": spec, "status": told}


def flow(id: str = "orders", *, key: str = "a-long-key", more: str = "") -> str:
    """The YAML of a flow with a webhook, and with more of its properties, each on a line."""
    lines = "".join(f"\n    {line}" for line in more.splitlines() if line)
    return f"""
id: {id}
namespace: company.team
tasks:
  - {{id: take, type: io.kestra.plugin.core.log.Log, message: "{{{{ trigger.body }}}}"}}
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: {key}{lines}
"""


@dataclass
class Gateway:
    """What a test sees of it."""

    server: ApiServer
    now: float = 1_000.0
    """The clock of the limits, which stands still."""
    client: TestClient[Any, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.limits = Limits(lambda: self.now)
        self.sources = SourceFlows()
        self.flows = WebhookFlows(self.server.api, self.limits, beside=self.sources)
        self.switches = Switches(self.server.api)

    def has(self, text: str, kube_namespace: str = "team", **status: Any) -> Object:
        """Let there be an accepted Flow."""
        body = self.server.put(FLOWS, accepted(text, kube_namespace))
        body["status"] |= {"observedGeneration": body["metadata"]["generation"], **status}
        body = self.server.put(FLOWS, body)
        self.flows.seen(body)
        self.sources.seen(body)
        return body

    async def call(self, path: str, method: str = "POST", **more: Any) -> ClientResponse:
        return await self.client.request(method, path, **more)

    @property
    def executions(self) -> list[Object]:
        return self.server.all(EXECUTIONS)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    server = ApiServer()
    made = Gateway(server)
    files = TriggerFiles(tmp_path)
    webhooks = Webhooks(server.api, made.flows, made.switches, made.limits, files, waits=0.2)
    handover = Handover(
        server.api,
        made.sources,
        made.switches,
        made.limits,
        made.flows.language,
        files,
        long_poll=0.3,
    )
    app = gateway_app(webhooks, Pushes(server.api, lambda: made.now), handover, lambda: True)
    async with TestClient(TestServer(app)) as client:
        made.client = client
        yield made
