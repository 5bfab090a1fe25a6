"""The story of every broker: numbers, listeners that die, and a server that restarts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from e2e.brokers.listening import Listening
from e2e.fixtures.brokers.server import Server

COUNT = 90
Number = Callable[[Mapping[str, Any]], str]


def heard_through_crashes(
    server: Server, type: str, number: Number, folder: Path, seed: int = 1
) -> dict[str, set[str]]:
    """Send numbers to a broker while listeners are killed, and while it restarts itself. Returns
    under which keys each number was heard."""
    choice = random.Random(seed)
    listening = Listening(type, server.properties(), folder / "heard.jsonl")
    third = COUNT // 3
    listening.start()
    for part in range(3):
        server.send([str(part * third + each) for each in range(third)])
        time.sleep(choice.uniform(0.05, 0.4))
        listening.kill()
        if part == 1:
            server.stop()
            listening.start()
            server.start()
        else:
            listening.start()
    listening.wait_for(COUNT, number)
    listening.kill()
    keys: dict[str, set[str]] = {}
    for key, variables in listening.events():
        keys.setdefault(number(variables), set()).add(key)
    return keys


def every_number() -> set[str]:
    """What was sent."""
    return {str(each) for each in range(COUNT)}


def distinct(keys: Mapping[str, set[str]]) -> bool:
    """Whether no two numbers have a key in common."""
    every = [key for of_one in keys.values() for key in of_one]
    return len(every) == len(set(every))
