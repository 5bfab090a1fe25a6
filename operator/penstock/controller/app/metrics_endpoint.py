"""The metrics over HTTP: the controller's own for everybody, those of tasks for who may read them.

Names of tenants, flows and tasks, and what these count, are no business of every pod that reaches
the port. So whoever wants them shows a token, and has the right to get their path, as RBAC says.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.throttle import Throttle
from penstock.kubernetes.api.client import Api, ApiError
from penstock.kubernetes.api.reviews import (
    TokenMemory,
    bearer_token,
    claims_audience,
    may_get,
    user_of,
)

PATH = "/metrics"
TASKS_PATH = "/metrics/tasks"
"""Stands in the chart's ClusterRole, too."""
AUDIENCE = "penstock-metrics"
"""A token that was made for it is worth nothing anywhere else; those for the API server do, too."""
_ROLE = "penstock-metrics-reader"
_REVIEWS_PER_SECOND, _REVIEWS_AT_ONCE = 5, 20
"""Tokens that are looked at. Each costs the API server two calls of the controller's share."""
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reader:
    """Somebody who has shown a token: by name, or None where it is nobody's."""

    name: str | None = None
    may_read: bool = False


class MetricsReaders:
    """Knows who may read the metrics of tasks: who may ``get`` their path."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._memory = TokenMemory(self._reader)
        self._throttle = Throttle(_REVIEWS_PER_SECOND, _REVIEWS_AT_ONCE)

    async def check(self, request: web.Request) -> None:
        """Raise what whoever asks is told, if that one may not read them."""
        token = bearer_token(request.headers.get("Authorization", ""))
        try:
            reader = await self._memory.of(token, request.remote or "") if token else _Reader()
        except ApiError as error:
            logger.warning("a token for the metrics of tasks can't be looked at: %s", error)
            raise web.HTTPServiceUnavailable(
                text="the API server does not say whose the token is, or what that one may do; "
                "the controller's log has the reason\n"
            ) from None
        if reader.name is None:
            raise web.HTTPUnauthorized(
                text="the metrics of tasks need the token of a service account of this cluster, "
                f"as `Authorization: Bearer TOKEN`; the controller's own are at {PATH}\n",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not reader.may_read:
            raise web.HTTPForbidden(
                text=f"{reader.name} may not get {TASKS_PATH}: bind it to a ClusterRole such as "
                f"`{_ROLE}` by a ClusterRoleBinding\n"
            )

    async def _reader(self, token: str) -> _Reader:
        """Ask the API server. Raises :class:`ApiError`."""
        await self._throttle.take("readers")  # `TokenMemory` lets askers take turns
        audience = AUDIENCE if claims_audience(token, AUDIENCE) else None
        user = await user_of(self._api, token, audience)
        if user is None:
            return _Reader()
        return _Reader(user.name, await may_get(self._api, user, TASKS_PATH))


def metrics_app(metrics: Metrics, readers: MetricsReaders) -> web.Application:
    """`/metrics` and `/metrics/tasks` for Prometheus."""

    async def own(_: web.Request) -> web.Response:
        return _shown(metrics.registry)

    async def of_tasks(request: web.Request) -> web.Response:
        await readers.check(request)
        return _shown(metrics.task_registry)

    app = web.Application()
    app.router.add_get(PATH, own)
    app.router.add_get(TASKS_PATH, of_tasks)
    return app


def _shown(registry: CollectorRegistry) -> web.Response:
    return web.Response(body=generate_latest(registry), headers={"Content-Type": _TEXT})
