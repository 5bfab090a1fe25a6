"""Headroom: no namespace alone takes up the controller's process while others use it too.

Taking turns is not enough: a namespace with thousands of keys lets the process, and with it the API
server and the node, be busy all the time, and then each step of everybody else is slow. So while
several namespaces are served, one that had more than its part of the last seconds has to wait for
its turn as long as the process is busy. A namespace that is alone is never held up.

The part of a namespace is told by counts that fade, so it is forgotten some seconds after the last
of its keys.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

BUSY = 0.35
"""CPU seconds a second, of this process, from which on it counts as busy."""
_WINDOW = 0.1
"""Seconds over which the use of the CPU is taken."""
_FADES = 2.0
"""Seconds in which a count falls to a third, or so."""
_FORGOTTEN = 0.05
"""A count below which a namespace is not served any more."""


class Headroom:
    """Says which namespaces may be served now."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._cpu = cpu
        self._counts: dict[str, float] = {}
        """How much each namespace was served lately, by counts that fade."""
        self._faded = self._began = clock()
        self._used = cpu()
        self._busy = False

    def taken(self, namespace: str) -> None:
        """Take in that a key of a namespace is served."""
        self._fade()
        self._counts[namespace] = self._counts.get(namespace, 0.0) + 1.0

    def admits(self, namespace: str) -> bool:
        """Tell whether a key of a namespace may be served now, or has to wait a moment."""
        if not self._is_busy():
            return True
        self._fade()
        own = self._counts.get(namespace, 0.0)
        others = sum(self._counts.values()) - own
        return not others or own * (len(self._counts) - 1) <= others

    def _is_busy(self) -> bool:
        now = self._clock()
        if now - self._began >= _WINDOW:
            used = self._cpu()
            self._busy = used - self._used >= BUSY * (now - self._began)
            self._began, self._used = now, used
        return self._busy

    def _fade(self) -> None:
        now = self._clock()
        if now - self._faded < _WINDOW:
            return
        factor = math.exp(-(now - self._faded) / _FADES)
        self._faded = now
        faded = {name: count * factor for name, count in self._counts.items()}
        self._counts = {name: count for name, count in faded.items() if count >= _FORGOTTEN}
