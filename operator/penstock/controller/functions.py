"""The functions of expressions that read something, as the controller gives them to its engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock.controller.pairs import Pairs
from penstock.engine.evaluation import HostFunctions
from penstock.engine.identity import Identity
from penstock.expressions import ExpressionError
from penstock.flow.document import Flow
from penstock.storage.errors import StorageError
from penstock.storage.pairs import kv_function

Functions = Callable[[str], HostFunctions]
"""From a Kubernetes namespace to the functions of the executions in it."""


def host_functions(pairs: Pairs) -> Functions:
    """The functions, by the Kubernetes namespace in which they read."""

    def of_tenant(tenant: str) -> HostFunctions:
        def of_execution(identity: Identity, flow: Flow) -> Mapping[str, Callable[..., Any]]:
            return {
                "kv": _telling(kv_function(pairs.of(tenant), flow.namespace)),
            }

        return of_execution

    return of_tenant


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except StorageError as error:
            raise ExpressionError(str(error)) from None

    return call
