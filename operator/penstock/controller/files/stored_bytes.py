"""How many bytes of files each Kubernetes namespace keeps, for Prometheus.

The internal storage counts nothing by itself, so its folders are walked through now and then, one
after the other and with pauses: nothing waits for the numbers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from penstock.storage.errors import StorageError
from penstock.storage.files import Storage

logger = logging.getLogger(__name__)

PERIOD = 3600.0
"""Seconds from one walk through all folders to the next. A bucket is asked once for each thousand
files."""
_FIRST = 60.0
"""Seconds until the first walk: a controller that starts has other things to do."""
_BATCH, _PAUSE = 500, 0.02
"""Files after which a walk pauses, and the seconds for which it does: others need the processor."""


class StoredBytes(Collector):
    """Knows what the last walk has found."""

    def __init__(self, storage: Storage, tenants: Collection[str] = ()) -> None:
        """``storage`` has the files of all tenants; ``tenants`` are those that are served, all
        where none is named."""
        self._storage = storage
        self._tenants = tenants
        self._found: Mapping[str, tuple[int, int]] = {}
        """Bytes and files, by Kubernetes namespace."""
        self._stopped = threading.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            await asyncio.sleep(_FIRST)
            while True:
                try:
                    self.take(await asyncio.to_thread(self.count))
                except Exception as error:  # whatever a store has to say: there is another hour
                    logger.warning("the files of namespaces can't be counted yet: %s", error)
                await asyncio.sleep(PERIOD)
        finally:
            self._stopped.set()

    def count(self) -> dict[str, tuple[int, int]]:
        """Count once, now: bytes and files of each namespace. Raises what the storage raises."""
        found: dict[str, tuple[int, int]] = {}
        for tenant in self._tenants or self._storage.folders("/"):
            try:
                storage = self._storage.of(tenant)
            except StorageError:  # such as the folder of the storage's own key
                continue
            size = number = 0
            for _, of_file in storage.found("/"):
                size, number = size + of_file, number + 1
                if number % _BATCH == 0 and self._stopped.wait(_PAUSE):
                    return found
            if number:
                found[tenant] = (size, number)
        return found

    def take(self, found: Mapping[str, tuple[int, int]]) -> None:
        """Show what was counted from now on."""
        self._found = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges, as Prometheus reads them."""
        sizes = GaugeMetricFamily(
            "penstock_storage_bytes",
            "Bytes of files that a Kubernetes namespace keeps, as the last hourly walk found them.",
            labels=["kubernetes_namespace"],
        )
        numbers = GaugeMetricFamily(
            "penstock_storage_files",
            "Files that a Kubernetes namespace keeps, as the last hourly walk found them.",
            labels=["kubernetes_namespace"],
        )
        for tenant, (size, number) in sorted(self._found.items()):
            sizes.add_metric([tenant], size)
            numbers.add_metric([tenant], number)
        yield from (sizes, numbers)
