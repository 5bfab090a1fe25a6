"""The functions of expressions that read something: what a local run gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from functools import wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from penstock.expressions import ExpressionError
from penstock.local.secrets import SecretMissing
from penstock.storage.errors import StorageError
from penstock.storage.pairs import kv_function
from penstock.storage.uris import is_uri, namespace_file, uri_of
from penstock.tasks.contract import TaskFailure
from penstock.tasks.http_client import HttpRequest, send
from penstock.tasks.http_options import HttpOptions
from penstock.tasks.http_tasks import text_of

if TYPE_CHECKING:
    from penstock.local.services import ExecutionServices

_MAX_READ_BYTES = 4 * 1024 * 1024
_MAX_ERRORS = 25
_HTTP = HttpOptions(read_timeout=timedelta(seconds=10))
"""Short: the whole run waits for an expression."""


def functions(services: ExecutionServices) -> Mapping[str, Callable[..., Any]]:
    """By name, for one execution. All raise :class:`ExpressionError`."""
    made = _Functions(services)
    by_name: dict[str, Callable[..., Any]] = {
        "kv": kv_function(services.local.pairs, services.place.namespace),
        "secret": made.secret,
        "read": made.read,
        "fileURI": made.file_uri,
        "fileSize": made.file_size,
        "fileExists": made.file_exists,
        "isFileEmpty": made.is_file_empty,
        "fileEmpty": made.is_file_empty,
        "errorLogs": made.error_logs,
        "http": made.http,
    }
    return {name: _telling(function) for name, function in by_name.items()}


class _Functions:
    def __init__(self, services: ExecutionServices) -> None:
        self._services = services
        self._place = services.place

    # The names of the arguments are those that a template may write.
    def secret(self, key: str, namespace: str | None = None, subkey: str | None = None) -> str:
        return self._services.local.secrets.get(str(key), subkey)

    def read(self, path: str, version: int | None = None) -> str:
        if version is not None:
            raise ExpressionError("read(): files have no versions in a local run")
        uri = self._uri(path)
        with self._services.files.open(uri) as file:
            content = file.read(_MAX_READ_BYTES + 1)
        if len(content) > _MAX_READ_BYTES:
            raise ExpressionError(f"read(): `{path}` is larger than 4 MiB")
        return content.decode("utf-8", "replace")

    def file_uri(self, path: str) -> str:
        return uri_of(namespace_file(self._place.namespace, str(path)))

    def file_size(self, path: str) -> int:
        return self._services.files.size(self._uri(path))

    def file_exists(self, uri: str) -> bool:
        return self._services.files.exists(self._uri(uri))

    def is_file_empty(self, uri: str) -> bool:
        return self._services.files.size(self._uri(uri)) == 0

    def http(
        self,
        uri: str,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,
        body: str | None = None,
        contentType: str = "application/json",
        headers: Mapping[str, Any] | None = None,
    ) -> Any:
        """What a server answers: JSON as what it stands for, everything else as text."""
        if query:
            uri = f"{uri}{'&' if '?' in uri else '?'}{urlencode(query, doseq=True)}"
        sent = {name: str(value) for name, value in (headers or {}).items()}
        content = None if body is None else body.encode()
        if content is not None:
            sent.setdefault("Content-Type", contentType)
        stream = None if content is None else BytesIO(content)
        request = HttpRequest(str(method).upper(), uri, sent, stream, len(content or b""))
        with send(request, _HTTP) as answer:
            received = answer.stream.read(_MAX_READ_BYTES + 1)
        if answer.code >= 400:
            raise ExpressionError(f"{request.method} {uri} failed with the code {answer.code}")
        if len(received) > _MAX_READ_BYTES:
            raise ExpressionError(f"http(): the response of {uri} is larger than 4 MiB")
        text = text_of(answer, received, "UTF-8")
        if "json" not in (answer.header("Content-Type") or "").lower():
            return text
        try:
            return json.loads(text)
        except ValueError:
            raise ExpressionError(f"http(): the response of {uri} is not JSON") from None

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

    def _uri(self, path: object) -> str:
        """What is no URI is the path of a namespace file."""
        text = str(path)
        if is_uri(text) or "://" in text:
            return text
        return uri_of(namespace_file(self._place.namespace, text))


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except (StorageError, SecretMissing, TaskFailure) as error:
            raise ExpressionError(str(error)) from None

    return call
