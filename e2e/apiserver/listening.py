"""A listener at work, as its Deployment would start it: with a token for the gateway, and nothing
else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kubernetes import aio

from e2e.apiserver.process import connected
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import Object, Resource
from penstock.kubernetes.secrets.listener import AUDIENCE
from penstock.listener.main import listener

SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")


async def token_of(stage: Stage, namespace: str, audience: str = AUDIENCE) -> str:
    """A token of the namespace's default service account, as the kubelet projects one."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    known = await stage.api.list(SERVICE_ACCOUNTS, namespace)
    if not any(item["metadata"]["name"] == "default" for item in known):
        await stage.api.create(SERVICE_ACCOUNTS, namespace, account)
    async with await connected(stage.plane.kubeconfig(f"{namespace}-tokens")) as client:
        body = {"spec": {"audiences": [audience], "expirationSeconds": 3600}}
        made = await aio.client.CoreV1Api(client).create_namespaced_service_account_token(
            "default", namespace, body
        )
    return str(made.status.token)


@asynccontextmanager
async def listening(
    stage: Stage,
    folder: Path,
    port: int,
    environment: Mapping[str, str] | None = None,
    token: str | None = None,
) -> AsyncIterator[None]:
    """A listener of the stage's namespace, while the block runs."""
    file = folder / "gateway-token"
    file.write_text(token or await token_of(stage, stage.namespace))
    url = f"http://127.0.0.1:{port}"
    async with listener(url, file, stage.namespace, environment or {}, reports_every=0.2):
        yield


def environment_of(deployment: Object, values: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The variables that a kubelet would give the listener, for Secrets with these values."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    given: dict[str, str] = {}
    for entry in container["env"]:
        if "value" in entry:
            given[entry["name"]] = entry["value"].replace("$$", "$")
            continue
        source: Any = entry["valueFrom"]["secretKeyRef"]
        value = values.get((source["name"], source["key"]))
        if value is not None:
            given[entry["name"]] = value
    json.loads(given["PENSTOCK_LISTENER_SECRETS"])
    return given
