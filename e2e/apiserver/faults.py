"""What goes wrong with the controller's calls and with its clock."""

from __future__ import annotations

import asyncio
import ctypes
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit


class Faults(ctypes.Structure):
    """How much goes wrong: numbers that the test sets and the controller's process reads.

    The memory is shared, so what is set counts from the next call on.
    """

    lost_calls: float
    """The share of calls that are lost before they are sent."""
    lost_answers: float
    """The share of calls that are made, and whose answer is lost."""
    delayed: float
    """The share of calls that are late."""
    longest_delay: float
    """Seconds by which they are late at most."""
    slow_lists: float
    """Seconds by which the answer to every list is late."""
    lost_keyvalue_lists: float
    """The share of the lists of KeyValues that get no answer."""
    clock: float
    """Seconds by which the controller's clock is fast."""

    _fields_ = [
        (name, ctypes.c_double)
        for name in (
            *("lost_calls", "lost_answers", "delayed", "longest_delay"),
            *("slow_lists", "lost_keyvalue_lists", "clock"),
        )
    ]


@dataclass(frozen=True)
class Call:
    """One call that the controller made."""

    time: float
    """Monotonic, which is the same for all processes of a machine."""
    verb: str
    path: str
    """With the name of the object, also of one that is to be made."""
    status: int
    """0 where no answer came, though the call may have been made."""
    made: Mapping[str, Any] | None = None
    """The object that a POST made, also where the answer was lost."""


def calls_in(file: Path) -> list[Call]:
    """The calls that a controller wrote down. The line that it was writing when it was killed is
    left out."""
    if not file.exists():
        return []
    *lines, _ = file.read_text().split("\n")
    return [Call(**json.loads(line)) for line in lines]


def writer_of(file: Path) -> Callable[[Call], None]:
    """What writes calls down. Each stands in the file at once: nothing is lost with the process."""
    opened = file.open("ab", buffering=0)

    def write(call: Call) -> None:
        opened.write(json.dumps(asdict(call)).encode() + b"\n")

    return write


class FaultyClient:
    """As the client of Kubernetes, of which it has what the controller's ``Api`` asks for."""

    def __init__(
        self, client: Any, faults: Faults, random: Random, write: Callable[[Call], None]
    ) -> None:
        self._client = client
        self._faults = faults
        self._random = random
        self._write = write
        self.configuration = client.configuration
        self.update_params_for_auth = client.update_params_for_auth

    async def call_api(
        self, verb: str, url: str, headers: Any, body: Any, _request_timeout: Any
    ) -> Any:
        faults, path = self._faults, urlsplit(url).path
        if verb == "POST":
            path = f"{path}/{body['metadata']['name']}"
        if self._random.random() < faults.delayed:
            await asyncio.sleep(self._random.uniform(0, faults.longest_delay))
        if self._random.random() < faults.lost_calls:
            self._note(verb, path, 0)
            raise OSError("the call was lost")
        if _lists_keyvalues(verb, path) and self._random.random() < faults.lost_keyvalue_lists:
            self._note(verb, path, 0)
            raise OSError("the list was lost")
        is_lost = self._random.random() < faults.lost_answers
        try:
            answer = await self._client.call_api(
                verb, url, headers, body, _request_timeout=_request_timeout
            )
        except Exception:
            self._note(verb, path, 0)
            raise
        if verb == "GET" and "limit=" in url:
            # What it shows is settled: the API server answers once it has all of a page.
            await asyncio.sleep(faults.slow_lists)
        made = None
        if verb == "POST" and answer.status < 300:
            made = json.loads(await answer.read())
        self._note(verb, path, 0 if is_lost else answer.status, made)
        if is_lost:
            raise OSError("the answer was lost")
        return answer

    def _note(self, verb: str, path: str, status: int, made: Any = None) -> None:
        self._write(Call(time.monotonic(), verb, path, status, made))


def _lists_keyvalues(verb: str, path: str) -> bool:
    return verb == "GET" and path.endswith("/keyvalues")
