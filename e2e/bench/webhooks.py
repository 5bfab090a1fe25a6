"""Measures webhooks on a cluster: from a call to its stored Execution, and a burst of calls.

    python -m e2e.bench.webhooks

The controller runs the executions meanwhile, as it would. A call that the gateway asks to come
again (429) comes again when it says; any other refusal is an error.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from uuid import uuid4

from aiohttp import ClientSession, TCPConnector
from kubernetes import client, config

from e2e.bench.workloads import kubectl

SYSTEM_NAMESPACE = "penstock-system"
RATE, SECONDS = 20, 30
BURST = 1_000
GOALS = {"webhook_p95_ms": 150.0, "webhook_burst_errors": 0.0}
"""The 95th percentile at 20 calls a second; calls of a burst that came to nothing."""
_FLOW = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "Flow",
    "metadata": {"name": "bench.called"},
    "spec": {
        "id": "called",
        "namespace": "bench",
        "tasks": [
            {
                "id": "note",
                "type": "io.kestra.plugin.core.execution.Labels",
                "labels": {"number": "{{ trigger.body.number }}"},
            }
        ],
        "triggers": [
            {"id": "hook", "type": "io.kestra.plugin.core.trigger.Webhook", "key": "bench-key"}
        ],
    },
}


def measure(namespace: str) -> dict[str, float]:
    """Call a webhook in a namespace: its figures."""
    kubectl(namespace, "apply", "--server-side", "-f", "-", body=_FLOW)
    ready = ("wait", "--for=condition=Ready", "flow/bench.called", "--timeout=60s")
    kubectl(namespace, *ready)
    core = client.CoreV1Api()
    spec = core.read_namespaced_service("penstock-gateway", SYSTEM_NAMESPACE).spec
    path = f"api/v1/{namespace}/executions/webhook/bench/called/bench-key"
    return asyncio.run(_measured(f"http://{spec.cluster_ip}:{spec.ports[0].port}/{path}"))


async def _measured(url: str) -> dict[str, float]:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        steady = await _steady(session, url)
        began = time.monotonic()
        results = await asyncio.gather(
            *(_call(session, url, number) for number in range(BURST)), return_exceptions=True
        )
        seconds = time.monotonic() - began
    names = {item for item in results if isinstance(item, str)}
    p95 = statistics.quantiles(steady, n=100, method="inclusive")[94]
    return {
        "webhook_p95_ms": round(p95 * 1000, 1),
        "webhook_median_ms": round(statistics.median(steady) * 1000, 1),
        "webhook_burst_errors": float(BURST - len(names)),
        "webhook_burst_seconds": round(seconds, 2),
    }


async def _steady(session: ClientSession, url: str) -> list[float]:
    """The seconds that each of many calls takes, at a steady rate."""

    async def timed(number: int) -> float:
        began = time.monotonic()
        await _call(session, url, number)
        return time.monotonic() - began

    calls = []
    for number in range(RATE * SECONDS):
        calls.append(asyncio.create_task(timed(number)))
        await asyncio.sleep(1 / RATE)
    return await asyncio.gather(*calls)


async def _call(session: ClientSession, url: str, number: int) -> str:
    """Call until the Execution is stored: its name."""
    headers = {"Idempotency-Key": uuid4().hex}
    while True:
        async with session.post(url, json={"number": number}, headers=headers) as answer:
            if answer.status == 200:
                return str((await answer.json())["id"])
            if answer.status != 429:
                raise RuntimeError(f"{answer.status}: {await answer.text()}")
            wait = float(answer.headers["Retry-After"])
        await asyncio.sleep(wait)


def main() -> int:
    config.load_kube_config()
    namespace = f"bench-{uuid4().hex[:6]}"
    core = client.CoreV1Api()
    core.create_namespace({"metadata": {"name": namespace}})
    try:
        print(json.dumps(measure(namespace), indent=1))
    finally:
        core.delete_namespace(namespace)
    return 0


if __name__ == "__main__":
    sys.exit(main())
