"""The listener's client of the gateway: its triggers, and what becomes of an event."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from penstock.resources.listener_report import ListenerReport
from penstock.storage.putting import TAKEN, Unreachable, put_file

_PATIENCE = ClientTimeout(total=40.0, sock_connect=5.0)
"""Longer than the gateway waits for news."""
_TOO_LARGE = frozenset({400, 413})
_AWAY = frozenset({401, 403, 408, 429})
"""Statuses below 500 that say nothing about what was sent: the same may be taken later."""
_NOT_THERE = frozenset({404, 410})

logger = logging.getLogger(__name__)


class GatewayAway(Exception):
    """The gateway does not answer, or takes nothing now. ``retry_after``: the seconds for which it
    asks to be left alone."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageAway(GatewayAway):
    """The internal storage does not answer, has no room for the namespace, or takes nothing now."""


class NotThere(Exception):
    """There is no such trigger any more, or it is disabled: nothing is started for it now."""


class Refused(Exception):
    """The gateway refuses what was sent, and would refuse it again. The text says why."""


@dataclass(frozen=True)
class Assigned:
    """A trigger that the listener is to serve."""

    flow: str
    """The name of the Flow."""
    trigger: str
    """The id of the trigger."""
    type: str = ""
    properties: Mapping[str, Any] | None = None
    """The properties as they are written; None where the trigger can't be served."""
    variables: Mapping[str, Any] | None = None
    """What its expressions see."""
    problem: str | None = None
    """Why it can't be served."""

    @property
    def place(self) -> tuple[str, str]:
        return self.flow, self.trigger


@dataclass(frozen=True)
class Listing:
    """All triggers of the namespace, at one moment."""

    revision: str
    triggers: Sequence[Assigned]
    memories: Mapping[tuple[str, str], Any]
    """What poll triggers remember, by their places."""


@dataclass(frozen=True)
class Place:
    """Where one file of an event is put."""

    uri: str
    """How flows name it then."""
    url: str
    """The address to which it is put, for some minutes."""
    authorities: str
    """The CAs (PEM) by which the storage service is known; empty where it speaks plain HTTP."""


class Gateway:
    """Asks the gateway. Everything raises :class:`GatewayAway`."""

    def __init__(self, session: ClientSession, url: str, token_file: Path) -> None:
        """The token is read anew for each call: the kubelet renews it."""
        self._session = session
        self._url = url.rstrip("/")
        self._token_file = token_file

    async def triggers(self, revision: str) -> Listing | None:
        """Give the triggers once they are others than those of a revision; None where they stay
        the same for a while."""
        answer = await self._call("GET", "triggers", params={"revision": revision})
        if answer is None:
            return None
        triggers, memories = [], {}
        for item in answer["triggers"]:
            memory = item.pop("memory", None)
            assigned = Assigned(**item)
            triggers.append(assigned)
            memories[assigned.place] = memory
        return Listing(answer["revision"], triggers, memories)

    async def hand_over(
        self, assigned: Assigned, key: str, variables: Mapping[str, Any]
    ) -> str | None:
        """Hand an event over: the name of its Execution, once that is stored, or None where the
        trigger's conditions pass it over. Raises :class:`Refused` and :class:`NotThere`."""
        body = {
            "flow": assigned.flow,
            "trigger": assigned.trigger,
            "key": key,
            "variables": variables,
        }
        try:
            text = json.dumps(body, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise Refused(f"the event can't be written as JSON: {error}") from None
        headers = {"Content-Type": "application/json"}
        answer = await self._call("POST", "firings", headers, data=text)
        return None if answer is None else str(answer["execution"])

    async def place(self, assigned: Assigned, key: str, name: str, size: int, digest: str) -> Place:
        """Ask where to put a file of an event. Raises :class:`Refused` and :class:`NotThere`."""
        body = {
            "flow": assigned.flow,
            "trigger": assigned.trigger,
            "key": key,
            "name": name,
            "size": size,
            "sha256": digest,
        }
        return Place(**(await self._call("POST", "files", json=body) or {}))

    async def put(self, place: Place, content: BinaryIO, size: int) -> None:
        """Put a file. Raises :class:`Refused`."""
        try:
            status, told = await put_file(
                self._session, place.url, place.authorities, content, size
            )
        except Unreachable as error:
            raise StorageAway(str(error)) from None
        if status == TAKEN:
            return
        message = f"the internal storage answers {status}: {told}"
        if status in _TOO_LARGE:
            raise Refused(message)
        raise StorageAway(message)

    async def report(self, place: tuple[str, str], report: ListenerReport) -> None:
        """Report how a trigger is. Raises :class:`Refused` and :class:`NotThere`."""
        flow, trigger = place
        told = report.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        body = {"flow": flow, "trigger": trigger, "report": told}
        await self._call("POST", "reports", json=body)

    async def has_ended(self, execution: str) -> bool:
        """Tell whether an Execution has ended, or is gone."""
        answer = await self._call("GET", f"executions/{execution}")
        return answer is None or bool(answer["ended"])

    async def _call(
        self, method: str, path: str, of_body: Mapping[str, str] | None = None, **more: Any
    ) -> dict[str, Any] | None:
        url = f"{self._url}/api/v1/listener/{path}"
        try:
            token = (await asyncio.to_thread(self._token_file.read_text)).strip()
            headers = {"Authorization": f"Bearer {token}", **(of_body or {})}
            asking = self._session.request(method, url, headers=headers, timeout=_PATIENCE, **more)
            async with asking as answer:
                return await _read(answer)
        except (OSError, TimeoutError, ClientError) as error:
            told = str(error) or type(error).__name__
            raise GatewayAway(f"the gateway can't be reached: {told}") from None


async def _read(answer: ClientResponse) -> dict[str, Any] | None:
    """What an answer says. Raises what it means where it is no success."""
    if answer.status == 204:
        return None
    if answer.status == 200:
        body: dict[str, Any] = await answer.json()
        return body
    told = await _message(answer)
    if answer.status >= 500 or answer.status in _AWAY:
        wait = answer.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isdigit() else 0.0
        raise GatewayAway(f"the gateway answers {answer.status}: {told}", seconds)
    if answer.status in _NOT_THERE:
        raise NotThere(told)
    raise Refused(told)


async def _message(answer: ClientResponse) -> str:
    try:
        return str((await answer.json())["message"])
    except (ValueError, KeyError, TypeError, ClientError):
        return answer.reason or ""
