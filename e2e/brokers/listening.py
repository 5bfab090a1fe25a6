"""A listener that dies at any instant: a process of its own, which writes down what it hears."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import logging
import multiprocessing
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.listener.source import Event, EventFile, Polled, SourceError, Surroundings
from penstock.triggers.kinds import SourceTrigger
from penstock.triggers.registry import find

_PAUSE = 0.2
NAME = "penstock/company.team.numbers/arrived"


def trigger_type(name: str) -> SourceTrigger:
    """The served type of a name."""
    known = find(name)
    assert isinstance(known, SourceTrigger) and known.served
    return known


def driver(known: SourceTrigger) -> Any:
    """The driver of a type, found as the listener finds it."""
    module, _, function = known.driver.partition(":")
    return getattr(importlib.import_module(module), function)


def opened(type: str, properties: Mapping[str, Any]) -> Any:
    """The stream of a trigger."""
    known = trigger_type(type)
    model = known.model.model_validate(dict(properties), context={})
    return driver(known)(model, surroundings())


async def polled(type: str, properties: Mapping[str, Any], cursor: Any = None) -> Polled:
    """What a poll of a trigger gives."""
    known = trigger_type(type)
    model = known.model.model_validate(dict(properties), context={})
    found = await driver(known)(model, cursor, surroundings())
    assert isinstance(found, Polled)
    return found


def rows_of(event: Event) -> list[Any]:
    """The messages in the file of a batch."""
    content = event.files["uri",].content
    assert isinstance(content, bytes)
    return [json.loads(line) for line in content.splitlines()]


async def content_of(file: EventFile) -> bytes:
    """The bytes of a file, as they are put into the internal storage."""
    if isinstance(file.content, bytes):
        return file.content
    target = io.BytesIO()
    await file.content(target)
    return target.getvalue()


def surroundings() -> Surroundings:
    """What is around the trigger under test."""
    return Surroundings(NAME, logging.getLogger("penstock.listener"))


@dataclass
class Listening:
    """A listener in a process, and the file in which each of its Executions is a line."""

    type: str
    properties: Mapping[str, Any]
    heard: Path
    seed: int = 0
    _process: Any = field(default=None)

    def start(self) -> None:
        """Start a process that listens."""
        self.seed += 1
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=self._run, daemon=True)
        self._process.start()

    def kill(self) -> None:
        """Kill it, wherever it stands."""
        self._process.kill()
        self._process.join()

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Key and variables of every Execution that it started, in their order. A line that was cut
        off is none that was stored."""
        if not self.heard.exists():
            return []
        lines = self.heard.read_text().split("\n")[:-1]
        return [tuple(json.loads(line)) for line in lines if line]

    def wait_for(self, count: int, numbers: Any, seconds: float = 30) -> None:
        """Wait until it has heard so many different ones."""
        until = time.monotonic() + seconds
        while len({numbers(variables) for _, variables in self.events()}) < count:
            if time.monotonic() > until:
                heard = sorted({int(numbers(variables)) for _, variables in self.events()})
                raise AssertionError(f"{len(heard)} of {count} were heard: {heard}")
            time.sleep(0.05)

    def _run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        asyncio.run(self._listen(random.Random(self.seed)))

    async def _listen(self, choice: random.Random) -> None:
        while True:
            try:
                async with opened(self.type, self.properties) as source:
                    async for delivery in source.deliveries():
                        await asyncio.sleep(choice.uniform(0, 0.01))
                        with self.heard.open("a") as file:
                            for event in delivery.events:
                                line = json.dumps([event.key, event.variables])
                                file.write(f"{line}\n")
                        await asyncio.sleep(choice.uniform(0, 0.01))
                        await delivery.acknowledge()
            except SourceError as error:
                logging.getLogger("penstock.listener").info("%s", error)
                await asyncio.sleep(_PAUSE)
