"""The function `http()` on a cluster: which servers expressions may ask."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.controller.executions.expression_calls import Interruption
from penstock.network import AddressRefused, AllowedHosts, RefusedNetworks, connect
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_function import http

_INSTEAD = (
    "A task of the type `io.kestra.plugin.core.http.Request` asks it from a pod in the namespace "
    "of the flow; its output `body` holds the answer"
)


@dataclass(frozen=True)
class HttpRules:
    """Which servers expressions may ask, as the administrator says."""

    refused: RefusedNetworks = field(default_factory=RefusedNetworks)
    allowed: AllowedHosts = field(default_factory=AllowedHosts)
    enabled: bool = True


class HttpFunction:
    """`http()`, for one call. It raises :class:`TaskFailure`."""

    def __init__(self, rules: HttpRules, interruption: Interruption) -> None:
        self._rules = rules
        self._interruption = interruption

    def __call__(
        self,
        uri: str,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        contentType: str = "application/json",
        headers: Mapping[str, Any] | None = None,
    ) -> Any:
        if not self._rules.enabled:
            raise TaskFailure(
                "http(): this installation does not let expressions ask servers "
                f"(`settings.http.enabled`). {_INSTEAD}"
            )
        return http(uri, method, query, body, contentType, headers, connect=self._connect)

    def _connect(
        self,
        address: tuple[str, int],
        timeout: float | None = None,
        source_address: tuple[str, int] | None = None,
    ) -> socket.socket:
        """Connect to a server, the first one or one that a redirect names.

        What listens on the controller's own machine answers it more than it would answer a task:
        its other ports, and the credentials that clouds serve to machines.
        """
        host, allowed = address[0], self._rules.allowed
        if not allowed.may_admit(host):  # its name is not even looked up
            raise _not_allowed(host)
        try:
            resolved = self._rules.refused.resolve(*address)
        except AddressRefused as error:
            raise TaskFailure(
                f"http(): {error.where} is not a server that an expression may ask"
            ) from None
        if not allowed.admits(resolved):
            raise _not_allowed(host)
        return self._interruption.watch(connect(resolved, timeout, source_address))


def _not_allowed(host: str) -> TaskFailure:
    return TaskFailure(
        f"http(): {host} is not among the servers that this installation lets expressions ask "
        f"(`settings.http.allow`). {_INSTEAD}"
    )
