"""What the listener knows of its triggers, on its way to their TriggerStates."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from penstock.listener.backoff import Backoff
from penstock.listener.gateway import Gateway, GatewayAway, NotThere, Refused
from penstock.resources.listener_report import MOST_MESSAGE, ListenerReport

PERIOD = 2.0
"""Seconds for which news is gathered: a source that comes and goes makes few writes of it."""

Place = tuple[str, str]

logger = logging.getLogger(__name__)


class Reports:
    """Keeps how each trigger is, and tells the gateway where that is news."""

    def __init__(self, gateway: Gateway, period: float = PERIOD) -> None:
        self._gateway = gateway
        self._period = period
        self._known: dict[Place, ListenerReport] = {}
        self._told: dict[Place, ListenerReport] = {}
        self._aside: dict[Place, str] = {}
        self._turn = asyncio.Lock()

    def works(self, place: Place) -> None:
        """Take in that the source of a trigger answers."""
        self._change(place, failing=False, message=self._aside.get(place, ""))

    def fails(self, place: Place, why: str) -> None:
        """Take in that the source of a trigger can't be asked, or does not deliver."""
        self._change(place, failing=True, message=why[:MOST_MESSAGE])

    def put_aside(self, place: Place, key: str, why: str) -> None:
        """Take in that no Execution could be made of an event."""
        count = self.of(place).put_aside + 1
        many = "1 event, which was" if count == 1 else f"{count} events, which were"
        told = f"no Execution could be made of {many} put aside; the last is {key}: {why}"
        self._aside[place] = told[:MOST_MESSAGE]
        self._change(place, failing=False, put_aside=count, message=self._aside[place])

    def remembers(self, place: Place, memory: Any) -> None:
        """Take in where a poll trigger goes on."""
        self._change(place, memory=memory)

    def forget(self, place: Place) -> None:
        """Take in that a trigger is not served any more."""
        self._known.pop(place, None)
        self._told.pop(place, None)
        self._aside.pop(place, None)

    def of(self, place: Place) -> ListenerReport:
        """Give what is known of a trigger."""
        return self._known.get(place) or ListenerReport()

    def _change(self, place: Place, **fields: Any) -> None:
        self._known[place] = self.of(place).model_copy(update=fields)

    async def run(self) -> None:
        """Tell what is news, until cancelled."""
        while True:
            await asyncio.sleep(self._period)
            await self.tell()

    async def tell(self) -> None:
        """Tell what is news. What can't be told now stays news."""
        async with self._turn:
            for place, report in list(self._known.items()):
                if self._told.get(place) == report:
                    continue
                try:
                    await self._tell(place, report)
                except GatewayAway as error:
                    logger.info("a report waits: %s", error)
                    return

    async def tell_of(self, place: Place) -> None:
        """Tell what is known of a trigger now, however long that takes."""
        backoff = Backoff()
        while True:
            async with self._turn:
                try:
                    return await self._tell(place, self.of(place))
                except GatewayAway as error:
                    logger.info("a report waits: %s", error)
                    wait = error.retry_after
            await backoff.wait(wait)

    async def _tell(self, place: Place, report: ListenerReport) -> None:
        try:
            await self._gateway.report(place, report)
        except (NotThere, Refused) as error:
            logger.info("%s, trigger %s: the report is not taken: %s", *place, error)
        if self._known.get(place) is report:
            self._told[place] = report
