"""The functions of expressions that read something: what a local run gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.expressions import ExpressionError
from penstock.local.secrets import SecretMissing
from penstock.storage.errors import StorageError
from penstock.storage.functions import FileFunctions, file_uri
from penstock.storage.kv import kv_function
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_function import http

if TYPE_CHECKING:
    from penstock.local.services import ExecutionServices

_MAX_ERRORS = 25


def functions(services: ExecutionServices) -> Mapping[str, Callable[..., Any]]:
    """By name, for one execution. All raise :class:`ExpressionError`."""
    made = _Functions(services)
    by_name: dict[str, Callable[..., Any]] = {
        "kv": kv_function(services.local.pairs, services.place.namespace),
        "secret": made.secret,
        "fileURI": partial(file_uri, services.place.namespace),
        "errorLogs": made.error_logs,
        "http": http,
        **FileFunctions(services.files).by_name(),
    }
    return {name: _telling(function) for name, function in by_name.items()}


class _Functions:
    def __init__(self, services: ExecutionServices) -> None:
        self._services = services
        self._place = services.place

    def secret(self, key: str, namespace: str | None = None, subkey: str | None = None) -> str:
        return self._services.local.secrets.get(str(key), subkey)

    def error_logs(self) -> list[dict[str, Any]]:
        entries = self._services.local.logs(self._place.execution)
        errors = [entry for entry in entries if entry.level == "ERROR"][:_MAX_ERRORS]
        return [
            {
                "taskId": entry.task,
                "taskRunId": entry.task_run,
                "timestamp": entry.timestamp.astimezone(UTC).isoformat(),
                "level": entry.level,
                "message": entry.message,
            }
            for entry in errors
        ]


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except (StorageError, SecretMissing, TaskFailure) as error:
            raise ExpressionError(str(error)) from None

    return call
