"""Webhooks over HTTP: from a request to an Execution, and to its answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from aiohttp import web
from multidict import MultiMapping

from penstock.cluster.errors import ClusterError
from penstock.cluster.firings import NameTaken, Started, start_execution
from penstock.expressions import spending
from penstock.gateway.answers import ended_answer, execution_answer, problem
from penstock.gateway.bodies import read_body
from penstock.gateway.files import FilesUnavailable, TriggerFiles, Wanted
from penstock.gateway.files import Place as FilePlace
from penstock.gateway.flows import NotAccepted, Place, WebhookFlows
from penstock.gateway.limits import Limits, TooMany
from penstock.gateway.listeners import Listener, allowance, context_of
from penstock.gateway.switches import Switches
from penstock.gateway.waiting import ended
from penstock.kubernetes.api.client import Api, Object
from penstock.resources.stored_values import as_stored
from penstock.storage.errors import StorageError
from penstock.triggers.evaluation import FlowName
from penstock.triggers.webhook import METHODS, Answer, Hook, answer, firing_key, opened
from penstock.triggers.webhook_request import Request

MOST_PARAMETERS = 100
WAITS = 300.0
"""Seconds for which an answer waits for the end of an Execution, at most."""
_MOST_CANDIDATES = 20
"""Kubernetes namespaces in which a flow is looked for that an address without one names."""
_KESTRAS_TENANT = "main"
"""What Kestra's addresses have in the place of the Kubernetes namespace."""
_SEVERAL = (
    "several Kubernetes namespaces have this flow: write the one that is meant into the address, "
    "as /api/v1/{kubernetes namespace}/executions/webhook/…"
)
_FILE = re.compile(r"\Akestra:///.*/(body-[0-9a-f]{32}\.bin)\Z")
_NO_WEBHOOK = "there is no webhook with this address and this key"

logger = logging.getLogger(__name__)


class _Ambiguous(Exception):
    """Too many Kubernetes namespaces have a flow of the name."""


@dataclass(frozen=True)
class _Found:
    """The webhook that a call is for."""

    listener: Listener
    hook: Hook

    @property
    def tenant(self) -> str:
        return str(self.listener.body["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return f"{self.listener.flow.namespace}.{self.listener.flow.id}"


class Webhooks:
    """Answers the calls of webhooks."""

    def __init__(
        self,
        api: Api,
        flows: WebhookFlows,
        switches: Switches,
        limits: Limits,
        files: TriggerFiles,
        waits: float = WAITS,
    ) -> None:
        self._api = api
        self._flows = flows
        self._switches = switches
        self._limits = limits
        self._files = files
        self._waits = waits

    async def call(self, request: web.Request) -> web.Response:
        """`…/executions/webhook/{namespace}/{flow}/{key}[/{path}]`"""
        if request.method not in METHODS:
            raise web.HTTPMethodNotAllowed(request.method, METHODS)
        address = request.match_info
        name = FlowName(address["namespace"], address["flow"])
        try:
            places = self._places(name, address.get("tenant"))
            found = await self._found(places, address["key"])
        except NotAccepted:
            told = "the flow has just been changed, and is not accepted yet; try again"
            return problem(503, told, {"Retry-After": "5"})
        except _Ambiguous:
            return problem(409, _SEVERAL)
        if not found:
            return problem(404, _NO_WEBHOOK)
        if len(found) > 1:
            return problem(409, _SEVERAL)
        (one,) = found
        if one.listener.is_disabled:
            return problem(409, f"the flow {one.name} is disabled")
        self._limits.count(one.tenant, one.name)
        try:
            return await self._answered(request, one)
        except FilesUnavailable as error:
            told = f"the body is no text, and can't be kept as a file: {error}"
            return problem(503, told, {"Retry-After": "5"})

    def _places(self, name: FlowName, tenant: str | None) -> Sequence[Place]:
        """The Flows that an address may mean. Raises ``_Ambiguous``."""
        places = self._flows.places(name, tenant)
        if not places and tenant == _KESTRAS_TENANT:
            places = self._flows.places(name)
        if len(places) > _MOST_CANDIDATES:
            raise _Ambiguous
        return places

    async def _found(self, places: Sequence[Place], key: str) -> list[_Found]:
        """The webhooks of that key. Raises :class:`NotAccepted` where a Flow may have it that the
        controller has not looked at: in another namespace, such a one holds up nobody."""
        pending = [place for place in places if self._flows.is_pending(place)]
        found = await self._all_opened(places, key)
        if found or not pending:
            return found
        for place in pending:
            await self._flows.settled(place)
        return await self._all_opened(pending, key)

    async def _all_opened(self, places: Sequence[Place], key: str) -> list[_Found]:
        """The webhooks of that key at these places. Raises :class:`TooMany` where none is found
        and one may not be looked at now."""
        found: list[_Found] = []
        refusal: TooMany | None = None
        for place in places:
            try:
                one = await self._opened(place, key)
            except TooMany as error:
                refusal = error
            else:
                found += [] if one is None else [one]
        if refusal is not None and not found:
            raise refusal
        return found

    async def _opened(self, place: Place, key: str) -> _Found | None:
        listener = await self._flows.listener(place)
        if listener is None:
            return None
        is_enabled = partial(self._switches.is_enabled, listener.body)
        hook = opened(listener.hooks, key, is_enabled)
        return None if hook is None else _Found(listener, hook)

    async def _answered(self, request: web.Request, found: _Found) -> web.Response:
        """What becomes of a call that has the key."""
        if len(request.query) > MOST_PARAMETERS:
            return problem(400, f"more than {MOST_PARAMETERS} parameters")
        webhook = found.hook.webhook
        if not webhook.wait:
            outcome = await self._stored(request, found)
            if isinstance(outcome, web.Response):
                return outcome
            return execution_answer(found.listener, outcome.execution)
        with self._limits.wait(found.tenant):
            outcome = await self._stored(request, found)
            if isinstance(outcome, web.Response):
                return outcome
            try:
                execution = await ended(self._api, outcome.execution, self._waits)
            except ClusterError:
                return problem(410, f"the execution {outcome.name} was deleted before it ended")
            return ended_answer(found.listener, webhook, execution)

    async def _stored(self, request: web.Request, found: _Found) -> Started | web.Response:
        """The Execution, once the API server has it; or the answer where there is none."""
        async with self._limits.turn(found.tenant):
            came = await _received(request)
            self._limits.count_bytes(found.tenant, len(came.body))
            place = None
            if came.body and not came.has_text:
                try:
                    place = await self._place(found, came)
                except StorageError as error:
                    return problem(422, f"the body is no text, and can be no file: {error}")
                came = replace(came, file=place.uri)
            decided = self._decided(found, came)
            if decided.firing is None:
                return self._refused(found, decided)
            if place is not None:
                await self._files.put(place, came.body)
            for told in decided.firing.problems:
                logger.info("%s, webhook %s: %s", found.name, found.hook.trigger.id, told)
            try:
                return await start_execution(
                    self._api,
                    found.listener.body,
                    found.listener.flow.id,
                    found.hook.trigger,
                    decided.firing,
                    _sent,
                )
            except NameTaken:
                told = "another call with the same delivery id started an execution before"
                return problem(409, told)

    async def _place(self, found: _Found, came: Request) -> FilePlace:
        """Where the body of a request is put that is no text, with the Execution that it starts."""
        listener, digest = found.listener, hashlib.sha256(came.body).hexdigest()
        wanted = Wanted(f"body-{digest[:32]}.bin", len(came.body), digest)
        key = firing_key(found.hook, came, None)
        trigger = found.hook.trigger
        return await asyncio.to_thread(
            self._files.place, listener.body, listener.flow, trigger, key, wanted
        )

    def _decided(self, found: _Found, came: Request) -> Answer:
        context = context_of(found.listener, self._flows.language, came.id)
        with self._limits.computing(found.tenant), spending(allowance()):
            return answer(found.hook, came, context)

    def _refused(self, found: _Found, decided: Answer) -> web.Response:
        """The answer to a call that starts nothing."""
        if decided.error is not None:
            hook = found.hook.trigger.id
            logger.info("%s, webhook %s: %s", found.name, hook, decided.error)
        if decided.status == 204:
            return web.Response(status=204)
        if decided.text is not None:
            return web.Response(text=decided.text)
        return problem(decided.status, decided.error or "")


async def _received(request: web.Request) -> Request:
    """A request with its whole body. Raises what aiohttp answers where it is too large or slow."""
    body = await read_body(request)
    return Request(
        method=request.method,
        id=str(uuid4()),
        date=datetime.now(UTC),
        headers=_headers(request.headers),
        parameters=_parameters(request.query),
        body=body,
        content_type=request.headers.get("Content-Type"),
        path=request.match_info.get("path", ""),
    )


def _headers(headers: MultiMapping[str]) -> Mapping[str, Sequence[str]]:
    """Headers, each name once as it came first, with all its values."""
    names: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for name, value in headers.items():
        told = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        lists.setdefault(names.setdefault(name.lower(), name), []).append(told)
    return lists


def _parameters(query: MultiMapping[str]) -> Mapping[str, Sequence[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in query.items():
        lists.setdefault(name, []).append(value)
    return lists


def _sent(execution: Object) -> Any:
    """Tell what has to be the same in two deliveries of the same: what is sent anew comes with
    headers of its own, such as a time and a signature."""
    spec = execution.get("spec") or {}
    trigger = spec.get("trigger") or {}
    body = (trigger.get("variables") or {}).get("body")
    if isinstance(body, str) and (name := _FILE.search(body)):
        body = name[1]  # each delivery has a file of its own, whose name has the digest
    return as_stored([spec.get("flow"), trigger.get("id"), trigger.get("type"), body])
