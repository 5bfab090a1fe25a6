"""What functions of expressions read on a cluster: files of the storage, and servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import Any

from penstock.controller.executions.expression_functions import Readers
from penstock.controller.files.access import FileAccess
from penstock.kubernetes.api.client import Object
from penstock.storage.execution import ExecutionFiles
from penstock.storage.files import Storage
from penstock.storage.functions import FileFunctions
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_function import http


class ExpressionReads:
    """Reads for one execution at a time, no further than that may see."""

    def __init__(self, storage: Callable[[str], Storage], access: FileAccess) -> None:
        """``storage`` gives the storage of a tenant."""
        self._storage = storage
        self._access = access

    def readers(self, execution: Object, place: ExecutionPlace) -> Readers:
        """Give what the functions of this execution's expressions read with. The expressions are
        its flow's author's, and open the files of every namespace, as a task does whose property
        names one."""
        files = replace(self.files(execution, place), any_namespace=True)
        return {**FileFunctions(files).by_name(), "http": ask}

    def files(self, execution: Object, place: ExecutionPlace) -> ExecutionFiles:
        """Give the files that it may use. Raises ``StorageUnavailable``."""
        storage = self._storage(execution["metadata"]["namespace"])
        refused = partial(self._access.why_not_handed, execution)
        return ExecutionFiles(storage, place, self._access.parents(execution), refused=refused)


def ask(
    uri: str,
    method: str = "GET",
    query: Mapping[str, Any] | None = None,
    body: str | None = None,
    contentType: str = "application/json",
    headers: Mapping[str, Any] | None = None,
) -> Any:
    """`http()`, of servers that are not the controller's own surroundings."""
    return http(uri, method, query, body, contentType, headers, check=_refuse_own)


def _refuse_own(address: str) -> None:
    """What listens on the controller's own machine answers it more than it would answer a task:
    its other ports, and the credentials that clouds serve at a link-local address."""
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback or found.is_link_local or found.is_unspecified:
        raise TaskFailure(f"http(): {address} is not a server that an expression may ask")
