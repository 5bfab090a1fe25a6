"""What functions of expressions read on a cluster: files of the storage, and servers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from penstock.controller.executions.expression_functions import Readers
from penstock.controller.files.access import FileAccess
from penstock.kubernetes.api.client import Object
from penstock.network import AddressRefused, RefusedNetworks
from penstock.storage.execution import ExecutionFiles
from penstock.storage.files import Storage
from penstock.storage.functions import FileFunctions
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_function import http


class ExpressionReads:
    """Reads for one execution at a time, no further than that may see."""

    def __init__(
        self,
        storage: Callable[[str], Storage],
        access: FileAccess,
        refused: RefusedNetworks | None = None,
    ) -> None:
        """``storage`` gives the storage of a tenant."""
        self._storage = storage
        self._access = access
        self._http = HttpFunction(refused or RefusedNetworks())

    def readers(self, execution: Object, place: ExecutionPlace) -> Readers:
        """Give what the functions of this execution's expressions read with. The expressions are
        its flow's author's, and open the files of every namespace, as a task does whose property
        names one."""
        files = replace(self.files(execution, place), any_namespace=True)
        return {**FileFunctions(files).by_name(), "http": self._http}

    def files(self, execution: Object, place: ExecutionPlace) -> ExecutionFiles:
        """Give the files that it may use. Raises ``StorageUnavailable``."""
        storage = self._storage(execution["metadata"]["namespace"])
        refused = partial(self._access.why_not_handed, execution)
        return ExecutionFiles(storage, place, self._access.parents(execution), refused=refused)


class HttpFunction:
    """`http()`, of servers that an expression may ask."""

    def __init__(self, refused: RefusedNetworks) -> None:
        self._refused = refused

    def __call__(
        self,
        uri: str,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,
        body: str | None = None,
        contentType: str = "application/json",
        headers: Mapping[str, Any] | None = None,
    ) -> Any:
        return http(uri, method, query, body, contentType, headers, connect=self._connect)

    def _connect(self, *address: Any) -> socket.socket:
        """What listens on the controller's own machine answers it more than it would answer a task:
        its other ports, and the credentials that clouds serve to machines."""
        try:
            return self._refused.connection(*address)
        except AddressRefused as error:
            raise TaskFailure(
                f"http(): {error.where} is not a server that an expression may ask"
            ) from None
