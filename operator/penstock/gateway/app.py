"""The routes of the gateway."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from penstock.gateway.answers import errors_as_json
from penstock.gateway.handover import Handover
from penstock.gateway.pushes import Pushes
from penstock.gateway.webhooks import Webhooks

_WEBHOOK = "/executions/webhook/{namespace}/{flow}/{key}"


def gateway_app(
    webhooks: Webhooks, pushes: Pushes, handover: Handover, is_ready: Callable[[], bool]
) -> web.Application:
    """Everything that is served."""

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok") if is_ready() else web.Response(status=503)

    app = web.Application(middlewares=[errors_as_json])
    app.on_response_prepare.append(_kept_by_nobody)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", readyz)
    for prefix in ("/api/v1", "/api/v1/{tenant}"):
        for path in (_WEBHOOK, _WEBHOOK + "/{path:.*}"):
            app.router.add_route("*", prefix + path, webhooks.call)
    app.router.add_post("/api/v1/gitsources/{namespace}/{name}/push", pushes.push)
    app.router.add_get("/api/v1/listener/triggers", handover.triggers)
    app.router.add_get("/api/v1/listener/executions/{name}", handover.execution)
    app.router.add_post("/api/v1/listener/files", handover.files)
    app.router.add_post("/api/v1/listener/firings", handover.firings)
    app.router.add_post("/api/v1/listener/reports", handover.reports)
    return app


async def _kept_by_nobody(_: web.Request, response: web.StreamResponse) -> None:
    """Let no proxy answer in the place of the gateway, and no browser guess what an output is."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok")
