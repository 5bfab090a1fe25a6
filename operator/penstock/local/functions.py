"""The functions of expressions that read something, as a local run provides them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from functools import partial
from typing import Any

from penstock.expressions import ExpressionError
from penstock.local.secrets import SecretMissing, Secrets
from penstock.storage.errors import StorageError
from penstock.storage.execution import ExecutionFiles
from penstock.storage.functions import FileFunctions, file_uri
from penstock.storage.kv import KeyValues, kv_function
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import LogEntry
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_function import http

_MAX_ERRORS = 25


def functions(
    place: ExecutionPlace,
    files: ExecutionFiles,
    pairs: KeyValues,
    secrets: Secrets,
    logs: Callable[[str], list[LogEntry]],
) -> Mapping[str, Callable[..., Any]]:
    """The functions by name, for one execution. All raise :class:`ExpressionError`."""
    made = _Functions(place, secrets, logs)
    by_name: dict[str, Callable[..., Any]] = {
        "kv": kv_function(pairs, place.namespace),
        "secret": made.secret,
        "fileURI": partial(file_uri, place.namespace),
        "errorLogs": made.error_logs,
        "http": http,
        **FileFunctions(files).by_name(),
    }
    return {name: _telling(function) for name, function in by_name.items()}


class _Functions:
    def __init__(
        self, place: ExecutionPlace, secrets: Secrets, logs: Callable[[str], list[LogEntry]]
    ) -> None:
        self._place = place
        self._secrets = secrets
        self._logs = logs

    def secret(self, key: str, namespace: str | None = None, subkey: str | None = None) -> str:
        return self._secrets.get(str(key), subkey)

    def error_logs(self) -> list[dict[str, Any]]:
        entries = self._logs(self._place.execution)
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
