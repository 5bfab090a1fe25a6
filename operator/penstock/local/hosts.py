"""The services of each execution of a world, and the files that it may read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.engine.interface.identity import Identity
from penstock.flow.document import Flow
from penstock.local.services import ExecutionServices, LocalServices
from penstock.storage.uris import ExecutionPlace


class LocalHosts:
    """Gives executions their services, by name."""

    def __init__(self, services: LocalServices) -> None:
        self.services = services
        self._hosts: dict[str, ExecutionServices] = {}

    def of(self, identity: Identity, flow: Flow) -> ExecutionServices:
        """The services of an execution."""
        host = self._hosts.get(identity.name)
        if host is None:
            place = ExecutionPlace(flow.namespace, flow.id, identity.name)
            host = self.services.execution(place, self.services.ancestors(identity.name))
            self._hosts[identity.name] = host
        return host

    def functions(self, identity: Identity, flow: Flow) -> Mapping[str, Callable[..., Any]]:
        """The functions of the execution's expressions."""
        return self.of(identity, flow).functions()

    def stored_input(self, execution: str, flow: Flow, input_id: str, file: Path) -> str:
        """Keep a file of this machine as an input of an execution, and give its URI.

        Raises :class:`~penstock.storage.errors.StorageError` and ``OSError``.
        """
        place = ExecutionPlace(flow.namespace, flow.id, execution)
        return self.services.execution(place).store_input(input_id, file)
