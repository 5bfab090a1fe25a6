"""The kopf handlers. Each marks an object as changed; what follows is decided by the queue.

Only `on.event` is used: kopf's stateful handlers would add annotations, finalizers and writes to
every object (and can't hold a spec over 256 KiB).
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import kopf

from penstock.controller.operator import Operator
from penstock.kubernetes.labels import EXECUTION_UID
from penstock.resources import GROUP, VERSION


def register(registry: kopf.OperatorRegistry, operator: Operator) -> None:
    """Make kopf tell the operator what it sees."""

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.server_timeout = 300
        settings.watching.client_timeout = 330
        settings.watching.label_selectors["batch", "v1", "jobs"] = EXECUTION_UID
        settings.watching.label_selectors["", "v1", "pods"] = EXECUTION_UID

    @kopf.on.login(registry=registry)
    def login(**context: Any) -> kopf.ConnectionInfo | None:
        in_cluster = kopf.login_with_service_account(**context)
        if in_cluster is not None:
            return dataclasses.replace(in_cluster, server=_server_in_cluster())
        return kopf.login_with_kubeconfig(**context)

    @kopf.on.event(GROUP, VERSION, "flows", registry=registry)
    async def flow(event: Any, **_: Any) -> None:
        if event["type"] == "DELETED":
            operator.flow_removed(event["object"])
        else:
            operator.flow_seen(event["object"])

    @kopf.on.event(GROUP, VERSION, "executions", registry=registry)
    async def execution(event: Any, **_: Any) -> None:
        if event["type"] == "DELETED":
            operator.execution_removed(event["object"])
        else:
            operator.execution_seen(event["object"])

    @kopf.on.event(GROUP, VERSION, "gitsources", registry=registry)
    async def source(event: Any, **_: Any) -> None:
        if event["type"] == "DELETED":
            await operator.source_removed(event["object"])
        else:
            operator.source_seen(event["object"])

    @kopf.on.event(GROUP, VERSION, "keyvalues", registry=registry)
    async def pair(event: Any, **_: Any) -> None:
        if event["type"] == "DELETED":
            operator.pair_removed(event["object"])
        else:
            operator.pair_seen(event["object"])

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job(event: Any, **_: Any) -> None:
        if event["type"] == "DELETED":
            operator.job_removed(event["object"])
        else:
            operator.job_seen(event["object"])

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def pod(event: Any, **_: Any) -> None:
        operator.pod_seen(event["object"])


def _server_in_cluster() -> str:
    """By address, as every other client does: kopf's own way needs the cluster to have a DNS."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
