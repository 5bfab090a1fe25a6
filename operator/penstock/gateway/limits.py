"""How much of the gateway one flow and one Kubernetes namespace may take up.

All of it is of one replica: each of several lets as much through. Only calls with the right key
count, so that nobody without one can use up what others have.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic, thread_time

from cachetools import LRUCache

from penstock.turns import Turns

FLOW_RATE, FLOW_BURST = 50.0, 1_000.0
"""Calls of one flow: so many a second, and so many at once after a quiet time."""
TENANT_RATE, TENANT_BURST = 100.0, 2_000.0
"""Calls of all flows of one Kubernetes namespace."""
CPU_RATE, CPU_BURST = 0.1, 2.0
"""Seconds of CPU for the expressions of one Kubernetes namespace: in a second, and at once."""
BYTES_RATE, BYTES_BURST = 256.0 * 1024, 64.0 * 1024 * 1024
"""Bytes of bodies of one Kubernetes namespace, a second and at once: they come into etcd, which all
of the cluster shares."""
REPORT_RATE, REPORT_BURST = 2.0, 200.0
"""Reports of the listener of one Kubernetes namespace: so many a second, and so many at once."""
AT_ONCE, AT_ONCE_PER_TENANT = 64, 16
"""Calls that are read and stored at once."""
MOST_WAITING, MOST_WAITING_PER_TENANT = 2_000, 1_000
"""Calls that wait for that. What has come of their bodies is held meanwhile: 64 KiB of each."""
MOST_WAITS, MOST_WAITS_PER_TENANT = 500, 100
"""Calls whose answer waits for the end of an execution."""
_NOTHING = 1e-6
_REMEMBERED = 10_000
"""Flows, and namespaces, of which it is known how much they took lately."""

Clock = Callable[[], float]


class TooMany(Exception):
    """A call is one too many now; the text is for who sent it."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = max(1, math.ceil(retry_after))
        """Whole seconds after which to try again."""


class Rates:
    """Counts what each of many takes, as a bucket from which one takes and that fills up again."""

    def __init__(self, rate: float, burst: float, clock: Clock = monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left: LRUCache[str, tuple[float, float]] = LRUCache(_REMEMBERED)
        """How much was left, and when."""

    def missing_seconds(self, name: str, amount: float = 1.0) -> float:
        """How long it takes until so much is there; 0 where it is there now."""
        missing = amount - self._now(name)
        return missing / self._rate if missing > _NOTHING else 0.0

    def take(self, name: str, amount: float = 1.0) -> None:
        """Take an amount; less than nothing may be left then."""
        self._left[name] = self._now(name) - amount, self._clock()

    def _now(self, name: str) -> float:
        left, at = self._left.get(name, (self._burst, 0.0))
        return min(left + (self._clock() - at) * self._rate, self._burst)


class Limits:
    """What calls may take up, together and for each namespace."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._flows = Rates(FLOW_RATE, FLOW_BURST, clock)
        self._tenants = Rates(TENANT_RATE, TENANT_BURST, clock)
        self._cpu = Rates(CPU_RATE, CPU_BURST, clock)
        self._bytes = Rates(BYTES_RATE, BYTES_BURST, clock)
        self._reports = Rates(REPORT_RATE, REPORT_BURST, clock)
        self._turns = Turns(AT_ONCE, AT_ONCE_PER_TENANT)
        self._waiting = Counter[str]()
        self._waits = Counter[str]()

    def count(self, tenant: str, flow: str) -> None:
        """Count a call of a flow. Raises :class:`TooMany`."""
        place = f"{tenant}/{flow}"
        told = f"`{flow}` is called more than {FLOW_RATE:g} times a second"
        _refuse(told, self._flows.missing_seconds(place))
        told = f"the flows of `{tenant}` are called more than {TENANT_RATE:g} times a second"
        _refuse(told, self._tenants.missing_seconds(tenant))
        told = f"the webhooks of `{tenant}` are sent too much"
        _refuse(told, self._bytes.missing_seconds(tenant, 0.0))
        self.check_cpu(tenant)
        self._flows.take(place)
        self._tenants.take(tenant)

    def count_bytes(self, tenant: str, size: int) -> None:
        """Count a body that came: where it was too much, the calls that follow are refused."""
        self._bytes.take(tenant, size)

    def count_report(self, tenant: str) -> None:
        """Count a report of a namespace's listener. Raises :class:`TooMany`."""
        told = f"the listener of `{tenant}` reports more than {REPORT_RATE:g} times a second"
        _refuse(told, self._reports.missing_seconds(tenant))
        self._reports.take(tenant)

    def check_cpu(self, tenant: str) -> None:
        """Raise :class:`TooMany` where the expressions of a namespace took too much lately."""
        told = f"the expressions of the webhooks of `{tenant}` take too much CPU"
        _refuse(told, self._cpu.missing_seconds(tenant, 0.0))

    @contextmanager
    def computing(self, tenant: str) -> Iterator[None]:
        """Count the CPU that a block takes. Nothing may be awaited in it."""
        began = thread_time()
        try:
            yield
        finally:
            self._cpu.take(tenant, thread_time() - began)

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Wait for a turn, one namespace after the other. Raises :class:`TooMany` where too many
        wait already."""
        with _counted(self._waiting, tenant, MOST_WAITING, MOST_WAITING_PER_TENANT, "wait"):
            async with self._turns.turn(tenant):
                yield

    @contextmanager
    def wait(self, tenant: str) -> Iterator[None]:
        """Let an answer wait for an execution. Raises :class:`TooMany`."""
        told = "wait for the end of an execution"
        with _counted(self._waits, tenant, MOST_WAITS, MOST_WAITS_PER_TENANT, told):
            yield


def _refuse(told: str, seconds: float) -> None:
    if seconds > 0:
        raise TooMany(f"{told}; try again in {math.ceil(seconds)} s", seconds)


@contextmanager
def _counted(
    counts: Counter[str], tenant: str, most: int, per_tenant: int, told: str
) -> Iterator[None]:
    if counts.total() >= most or counts[tenant] >= per_tenant:
        raise TooMany(f"too many calls {told}: {per_tenant} of one namespace may; try again", 1.0)
    counts[tenant] += 1
    try:
        yield
    finally:
        counts[tenant] -= 1
        if not counts[tenant]:
            del counts[tenant]
