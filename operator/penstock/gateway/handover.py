"""The listener's door: it learns of its triggers here, hands events over, and reports.

A listener may do what the triggers of its own Kubernetes namespace do, and nothing else: which that
is, its token says. An event is answered with 200 once its Execution is stored, so that it can be
acknowledged to its source then.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from penstock.cluster.firings import NameTaken, start_execution
from penstock.expressions import Expressions, spending
from penstock.flow.document import Trigger
from penstock.gateway.answers import problem
from penstock.gateway.bodies import read_json_body
from penstock.gateway.files import FilesUnavailable, TriggerFiles, Wanted
from penstock.gateway.limits import Limits
from penstock.gateway.listener_door import ListenerDoor
from penstock.gateway.listeners import LENIENT_TRIGGER, Acceptance, allowance, make_context
from penstock.gateway.source_flows import TOO_MANY, SourceFlow, SourceFlows
from penstock.gateway.switches import Switches
from penstock.gateway.waiting import has_ended
from penstock.kubernetes.api.client import EXECUTIONS, TRIGGER_STATES, Api, ApiError, Object
from penstock.nesting import TOO_DEEP, is_deeper
from penstock.resources.listener_report import ANNOTATION, ListenerReport, report_of
from penstock.resources.names import is_subdomain
from penstock.resources.trigger_state import fits_memory, trigger_state_name
from penstock.storage.errors import StorageError
from penstock.triggers.evaluation import ConditionError
from penstock.triggers.firing import Firing
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.sources import event_firing, for_listener, source_type

LONG_POLL = 25.0
"""Seconds for which an answer waits for news of a namespace's triggers."""
_GATHERED = 0.3
"""Seconds for which news is gathered: a commit changes many Flows."""
_LONGEST_KEY = 2_048

logger = logging.getLogger(__name__)


class _FileAsked(BaseModel):
    """What a listener asks for where an event has a file."""

    key: Annotated[str, Field(min_length=1, max_length=_LONGEST_KEY)]
    name: str
    size: int
    sha256: str


class Handover:
    """Answers listeners."""

    def __init__(
        self,
        api: Api,
        flows: SourceFlows,
        switches: Switches,
        limits: Limits,
        language: Expressions,
        files: TriggerFiles,
        long_poll: float = LONG_POLL,
    ) -> None:
        self._api = api
        self._flows = flows
        self._switches = switches
        self._limits = limits
        self._language = language
        self._files = files
        self._door = ListenerDoor(api)
        self._long_poll = long_poll

    async def triggers(self, request: web.Request) -> web.Response:
        """`GET /api/v1/listener/triggers?revision=…`: the triggers of the namespace, as soon as
        they are others than those of the revision; 204 where they stay the same for a while."""
        namespace = await self._door.namespace(request)
        until = asyncio.get_running_loop().time() + self._long_poll
        while True:
            told = self._told(namespace)
            revision = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
            if revision != request.query.get("revision"):
                await self._remember(namespace, told)
                return web.json_response({"revision": revision, "triggers": told})
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or not await self._news(left):
                return web.Response(status=204)
            await asyncio.sleep(_GATHERED)

    async def _news(self, seconds: float) -> bool:
        """Wait until a Flow or a TriggerState is another."""
        waits = [
            asyncio.ensure_future(news.wait(seconds))
            for news in (self._flows.news, self._switches.news)
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return any(task.result() for task in done)

    def _told(self, namespace: str) -> list[dict[str, Any]]:
        """Describe the triggers that a namespace's listener is to serve."""
        told = []
        for flow, has_room in self._flows.of(namespace):
            with self._limits.computing(namespace):
                triggers = flow.triggers
            for trigger in triggers.values():
                if not self._switches.is_enabled(flow.body, trigger):
                    continue
                item: dict[str, Any] = {"flow": flow.name, "trigger": trigger.id}
                if has_room:
                    item |= {
                        "type": trigger.type,
                        "properties": for_listener(trigger.properties),
                        "variables": flow.variables,
                    }
                else:
                    item["problem"] = TOO_MANY
                told.append(item)
        return told

    async def _remember(self, namespace: str, told: list[dict[str, Any]]) -> None:
        """Add what poll triggers remember, as their TriggerStates have it. It changes with each
        answer of a source, and makes no other revision."""
        for item in told:
            if isinstance(source_type(item.get("type", "")), PollTrigger):
                name = trigger_state_name(item["flow"], item["trigger"])
                try:
                    state = await self._api.get(TRIGGER_STATES, namespace, name)
                except ApiError as error:
                    if not error.is_gone:
                        raise
                    continue
                reported = report_of(state["metadata"].get("annotations"))
                known = None if reported is None else reported.memory
                item["memory"] = known or (state.get("status") or {}).get("memory")

    async def firings(self, request: web.Request) -> web.Response:
        """`POST /api/v1/listener/firings`: an event becomes an Execution, or is found to have
        become one before."""
        namespace = await self._door.namespace(request)
        async with self._limits.turn(namespace):
            body = await read_json_body(request, partial(self._limits.count_bytes, namespace))
            flow, trigger = self._named(namespace, body)
            self._limits.count(namespace, f"{flow.flow.namespace}.{flow.flow.id}")
            key, variables = body.get("key"), body.get("variables")
            if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
                return problem(400, f"`key` is a text of 1 to {_LONGEST_KEY} characters")
            if not isinstance(variables, dict):
                return problem(400, "`variables` is a map")
            if is_deeper(variables):
                return problem(422, f"the event is {TOO_DEEP}")
            firing = self._decided(namespace, flow, trigger, key, variables)
            if isinstance(firing, web.Response):
                return firing
            try:
                started = await start_execution(
                    self._api, flow.body, flow.flow.id, trigger, firing, _of_event
                )
            except NameTaken as error:
                return problem(409, str(error))
            except ApiError as error:
                if error.status in (400, 413, 422):
                    return problem(422, f"the API server refuses its Execution: {error.told}")
                raise
        return web.json_response({"execution": started.name, "isNew": started.is_new})

    async def files(self, request: web.Request) -> web.Response:
        """`POST /api/v1/listener/files`: the address to which a file of an event is put, before the
        event itself is handed over."""
        namespace = await self._door.namespace(request)
        async with self._limits.turn(namespace):
            body = await read_json_body(request, partial(self._limits.count_bytes, namespace))
            flow, trigger = self._named(namespace, body)
            self._limits.count(namespace, f"{flow.flow.namespace}.{flow.flow.id}")
            try:
                asked = _FileAsked.model_validate(body)
            except ValidationError as error:
                return problem(400, "; ".join(line["msg"] for line in error.errors()))
            wanted = Wanted(asked.name, asked.size, asked.sha256)
            try:
                place = await asyncio.to_thread(
                    self._files.place, flow.body, flow.flow, trigger, asked.key, wanted
                )
            except FilesUnavailable as error:
                return problem(503, str(error), {"Retry-After": "2"})
            except StorageError as error:
                return problem(422, str(error))
        return web.json_response(asdict(place))

    def _named(self, namespace: str, body: Mapping[str, Any]) -> tuple[SourceFlow, Trigger]:
        """Find the trigger that a body names. Raises what answers where nothing is started for it
        now: 503 where the Flow is just being looked at, else 410."""
        flow = self._flows.find(namespace, str(body.get("flow")))
        if flow is not None and flow.acceptance is Acceptance.PENDING:
            raise web.HTTPServiceUnavailable(reason="the flow is not accepted yet; try again")
        trigger = None
        if flow is not None and flow.is_served:
            trigger = flow.triggers.get(str(body.get("trigger")))
        if flow is None or trigger is None or not self._switches.is_enabled(flow.body, trigger):
            raise web.HTTPGone(reason="there is no such trigger, or it is disabled")
        return flow, trigger

    def _decided(
        self,
        namespace: str,
        flow: SourceFlow,
        trigger: Trigger,
        key: str,
        variables: Mapping[str, Any],
    ) -> Firing | web.Response:
        """Decide about an event: its firing, or the answer where it starts nothing."""
        kind = source_type(trigger.type)
        assert kind is not None
        try:
            properties = kind.model.model_validate(trigger.properties, context=LENIENT_TRIGGER)
        except ValidationError as error:
            return problem(422, "; ".join(line["msg"] for line in error.errors()))
        self._limits.check_cpu(namespace)
        seed = f"{flow.body['metadata']['uid']}/{trigger.id}/{key}"
        with self._limits.computing(namespace), spending(allowance()):
            context = make_context(self._language, flow.flow, flow.variables, seed)
            try:
                firing = event_firing(properties, key, variables, context, datetime.now(UTC))
            except ConditionError as error:
                return problem(422, f"its conditions can't be told: {error}")
        if firing is None:
            return web.Response(status=204)
        if not firing.has_inputs:
            return problem(422, "; ".join(firing.problems))
        for told in firing.problems:
            logger.info("%s/%s, trigger %s: %s", namespace, flow.name, trigger.id, told)
        return firing

    async def execution(self, request: web.Request) -> web.Response:
        """`GET /api/v1/listener/executions/{name}`: whether an Execution has ended."""
        namespace = await self._door.namespace(request)
        name = request.match_info["name"]
        if not is_subdomain(name):
            return problem(404, "there is no such Execution")
        try:
            ended = has_ended(await self._api.get(EXECUTIONS, namespace, name))
        except ApiError as error:
            if not error.is_gone:
                raise
            ended = True
        return web.json_response({"ended": ended})

    async def reports(self, request: web.Request) -> web.Response:
        """`POST /api/v1/listener/reports`: how a trigger is; the controller says so in its
        TriggerState."""
        namespace = await self._door.namespace(request)
        async with self._limits.turn(namespace):
            body = await read_json_body(request, partial(self._limits.count_bytes, namespace))
            flow, trigger = self._named(namespace, body)
            self._limits.count_report(namespace)
            try:
                report = ListenerReport.model_validate(body.get("report"))
            except ValidationError as error:
                return problem(400, "; ".join(line["msg"] for line in error.errors()))
            if is_deeper(report.memory) or not fits_memory(report.memory):
                return problem(422, "what the trigger remembers is too large, or nested too deep")
            patch = {"metadata": {"annotations": {ANNOTATION: report.to_text()}}}
            name = trigger_state_name(flow.name, trigger.id)
            try:
                await self._api.patch(TRIGGER_STATES, namespace, name, patch)
            except ApiError as error:
                if not error.is_gone:
                    raise
                raise web.HTTPServiceUnavailable(
                    reason="the trigger has no TriggerState yet; try again"
                ) from None
        return web.Response(status=204)


def _of_event(execution: Object) -> Any:
    """Tell what has to be the same in two Executions of one event: what its source says of it, such
    as that it was delivered before, may be another."""
    spec = execution.get("spec") or {}
    trigger = spec.get("trigger") or {}
    return [spec.get("flow"), trigger.get("id"), trigger.get("type")]
