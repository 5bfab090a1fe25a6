"""The kopf handlers. Each marks an object as changed; what follows is decided by the queue.

Only `on.event` is used: kopf's stateful handlers would add annotations, finalizers and writes to
every object (and can't hold a spec over 256 KiB).
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import kopf

from penstock.controller.app.assembly import Operator
from penstock.controller.app.unkept import NoDiffs, NoProgress
from penstock.controller.app.watching import session_of
from penstock.controller.runtime.informer import Informer


def register(registry: kopf.OperatorRegistry, operator: Operator) -> None:
    """Make kopf tell the operator what it sees."""

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.persistence.diffbase_storage = NoDiffs()
        settings.persistence.progress_storage = NoProgress()
        settings.watching.server_timeout = 300
        settings.watching.client_timeout = 330
        settings.watching.chunk_size = 1  # `watching` says why
        for informer in operator.informers:
            kind, selector = informer.resource, informer.selector
            if selector is not None:
                settings.watching.label_selectors[kind.group, kind.version, kind.plural] = selector

    @kopf.on.login(registry=registry)
    async def login(**context: Any) -> kopf.AiohttpSession | None:
        found = kopf.login_with_service_account(**context)
        if found is not None:
            found = dataclasses.replace(found, server=_server_in_cluster())
        else:
            found = kopf.login_with_kubeconfig(**context)
        return None if found is None else session_of(found)

    for informer in operator.informers:
        _register_informer(registry, informer)


def _register_informer(registry: kopf.OperatorRegistry, informer: Informer) -> None:
    kind = informer.resource

    @kopf.on.event(kind.group, kind.version, kind.plural, id=kind.plural, registry=registry)
    async def watched(event: Any, **_: Any) -> None:
        informer.watched(event["type"], event["object"])


def _server_in_cluster() -> str:
    """Give the API server's URL by address, as every other client does: kopf's own way needs the
    cluster to have a DNS."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
