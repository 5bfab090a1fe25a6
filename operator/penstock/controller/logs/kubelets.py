"""Kubelets that do not answer: each is asked now and then, not once for every log that it has.

A node with a hundred ended tasks whose kubelet answers 500 was asked hundreds of times, by way of
the API server. Here one log at a time asks such a kubelet, and the others wait for its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_WAIT = 2.0
"""Seconds until a kubelet that did not answer is asked again; doubles each time."""
LONGEST_WAIT = 60.0


@dataclass
class _Silence:
    until: float
    """When the kubelet may be asked again."""
    wait: float


class Kubelets:
    """The nodes whose kubelets did not answer when they were last asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent: dict[str, _Silence] = {}

    def turn(self, node: str) -> float:
        """Seconds until a log of the node may be asked for; 0 where the caller may ask now.

        Who is let through to a kubelet that was silent has taken that turn: the next one waits.
        """
        silence = self._silent.get(node)
        if silence is None:
            return 0.0
        now = self._clock()
        if now < silence.until:
            return silence.until - now
        silence.until = now + silence.wait
        return 0.0

    def answered(self, node: str) -> None:
        self._silent.pop(node, None)

    def failed(self, node: str) -> None:
        """The kubelet, or the way to it, failed: a 5xx, a broken connection, no answer in time."""
        silence = self._silent.get(node)
        if silence is None:
            self._silent[node] = _Silence(self._clock() + FIRST_WAIT, FIRST_WAIT)
            return
        silence.wait = min(2 * silence.wait, LONGEST_WAIT)
        silence.until = self._clock() + silence.wait
