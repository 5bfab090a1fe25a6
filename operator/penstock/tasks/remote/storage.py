"""The internal storage as a pod sees it: through the storage service. Standard library only.

The pod holds a grant and nothing else. It exchanges it for URLs of single files, of one direction.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urljoin

from penstock.storage.errors import FileDamaged, FileMissing, StorageUnavailable
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import Files, LogEntry, NamespaceFiles, Origin
from penstock.tasks.remote import uploading
from penstock.tasks.remote.logs import remote_logs
from penstock.tasks.remote.transfer import (
    TIMEOUT,
    WINDOW,
    Connector,
    Download,
    Patience,
    error_of,
    refusal,
    room_for,
)
from penstock.tasks.remote.uploading import Place

URL_VARIABLE = "PENSTOCK_STORAGE_URL"
GRANT_VARIABLE = "PENSTOCK_STORAGE_GRANT"
TRUST_VARIABLE = "PENSTOCK_STORAGE_CA"
"""The CAs (PEM) by which the service is known. Without it, a service is known as any server is."""

_BLOCK = 1024 * 1024
_WRITE_BLOCK = 16 * 1024
"""The bytes of a file that are written at once. Blocks of 1 MiB took three times as long: the
kernel finds small pieces of memory for them sooner than large ones."""


class Service:
    """The storage service, asked with a grant."""

    def __init__(self, url: str, grant: str, authorities: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._grant = grant
        self.connect = Connector(self._url, authorities)

    def ask(
        self,
        path: str,
        document: Mapping[str, Any],
        *,
        timeout: float = TIMEOUT,
        patient: bool = True,
    ) -> Any:
        """POST a JSON document, and give the JSON answer. With ``patient`` it asks again where none
        comes."""
        patience = Patience("the storage service can't be reached", WINDOW)
        body = json.dumps(document).encode()
        while True:
            try:
                return self._post(path, body, timeout)
            except (OSError, HTTPException, StorageUnavailable) as error:
                if not patient:
                    raise
                patience.after(error)

    def operate(
        self,
        do: str,
        place: Place,
        *,
        timeout: float = TIMEOUT,
        patient: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """Do one operation on one file, and give the answer. With ``patient`` it asks again where
        that may help. Raises :class:`StorageError`.
        """
        document = {"operations": [{"do": do, **place, **more}]}
        patience = Patience("the storage service can't do it", WINDOW)
        while True:
            answers = self.ask("/v1/files", document, timeout=timeout, patient=patient)
            answer: dict[str, Any] = answers["answers"][0]
            if "error" not in answer:
                break
            error = error_of(answer["error"])
            if not patient or not isinstance(error, StorageUnavailable):
                raise error
            patience.after(error)
        if "url" in answer:
            answer["url"] = urljoin(
                f"{self._url}/", answer["url"]
            )  # the service's own URLs are relative
        return answer

    def open(self, place: Place, name: str) -> Download:
        """Open a file as a stream. Raises :class:`FileMissing` at once where it does not exist."""
        first = [self.operate("get", place)["url"]]

        def ask() -> str:
            return first.pop() if first else cast("str", self.operate("get", place)["url"])

        return Download(ask, name, self.connect)

    def put(self, place: Place, source: BinaryIO, name: str) -> str:
        """Keep the rest of a stream as a file, and give its URI."""
        return uploading.put(self, place, source, name)

    def logs(self, place: ExecutionPlace, tasks: Collection[str], level: str) -> Iterable[LogEntry]:
        """The log entries of an execution, in the order of time."""
        return remote_logs(self._url, self._grant, place, tasks, level, self.connect)

    def _post(self, path: str, body: bytes, timeout: float) -> Any:
        connection, target = self.connect(self._url + path, timeout)
        headers = {"Authorization": f"Bearer {self._grant}", "Content-Type": "application/json"}
        try:
            connection.request("POST", target, body, headers)
            response = connection.getresponse()
            if response.status != 200:
                raise refusal(response, "the storage service")
            return json.loads(response.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class RemoteFiles:
    """The execution's files; a file that is put belongs to the task run."""

    _service: Service

    def open(self, uri: str) -> BinaryIO:
        return _buffered(self._service.open({"uri": uri}, uri))

    def put(self, name: str, source: BinaryIO) -> str:
        return self._service.put({"name": name}, source, name)

    def exists(self, uri: str) -> bool:
        return self._service.operate("stat", {"uri": uri})["size"] is not None

    def size(self, uri: str) -> int:
        size = self._service.operate("stat", {"uri": uri})["size"]
        if size is None:
            raise FileMissing(f"The file '{uri}' does not exist")
        return int(size)

    def delete(self, uri: str) -> bool:
        return bool(self._service.operate("delete", {"uri": uri})["deleted"])

    def purge(self) -> list[str]:
        uris: list[str] = []
        while True:
            answer = self._service.operate("purge", {})
            uris += answer["uris"]
            if not answer.get("more"):
                return uris


@dataclass(frozen=True)
class RemoteNamespaceFiles:
    """The files of a namespace, by their path."""

    _service: Service
    _namespace: str

    def paths(self) -> list[str]:
        return list(self._service.operate("list", {"namespace": self._namespace})["paths"])

    def open(self, path: str) -> BinaryIO:
        return _buffered(self._service.open(self._place(path), path))

    def put(self, path: str, source: BinaryIO) -> str:
        return self._service.put(self._place(path), source, path)

    def exists(self, path: str) -> bool:
        return self._service.operate("stat", self._place(path))["size"] is not None

    def delete(self, path: str) -> bool:
        return bool(self._service.operate("delete", self._place(path))["deleted"])

    def _place(self, path: str) -> Place:
        return {"namespace": self._namespace, "path": path}


@dataclass(frozen=True)
class RemoteCaches:
    """The files that the executions of the flow have in common, by name."""

    _service: Service

    def open(self, name: str) -> BinaryIO:
        return _buffered(self._service.open({"cache": name}, f"the cache {name}"))

    def put(self, name: str, source: BinaryIO) -> str:
        return self._service.put({"cache": name}, source, f"the cache {name}")


class Remote:
    """The files and logs that the grant of a pod opens."""

    def __init__(self, service: Service, origin: Origin) -> None:
        self.service = service
        self.files: Files = RemoteFiles(service)
        self.caches = RemoteCaches(service)
        self.origin = origin

    @classmethod
    def from_environment(cls, origin: Origin) -> Remote | None:
        """The storage that the pod's variables name; None where the pod has no grant."""
        url, grant = os.environ.get(URL_VARIABLE), os.environ.get(GRANT_VARIABLE)
        if not url or not grant:
            return None
        return cls(Service(url, grant, os.environ.get(TRUST_VARIABLE)), origin)

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles:
        """The files of a namespace; of the flow's own where none is named."""
        return RemoteNamespaceFiles(self.service, namespace or self.origin.namespace)

    def logs(
        self,
        execution: str | None,
        tasks: Collection[str],
        level: str,
        flow: tuple[str, str] | None = None,
    ) -> Iterable[LogEntry]:
        """The log of an execution: see :class:`~penstock.tasks.contract.services.Services`."""
        named = flow or (self.origin.namespace, self.origin.flow)
        place = ExecutionPlace(*named, execution or self.origin.execution)
        return self.service.logs(place, tasks, level)

    def download(self, uri: str, to: Path) -> None:
        """Write a file of the storage to a local one, which exists only when it is whole."""
        try:
            with (
                room_for(to.name),
                self.service.open({"uri": uri}, uri) as source,
                to.open("wb") as file,
            ):
                buffer = memoryview(bytearray(_BLOCK))
                while count := source.readinto(buffer):
                    for start in range(0, count, _WRITE_BLOCK):
                        file.write(buffer[start : min(start + _WRITE_BLOCK, count)])
        except BaseException:
            to.unlink(missing_ok=True)
            raise

    def upload(self, name: str, path: Path) -> str:
        """Keep a local file as one of this task run, and give its URI."""
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            try:
                uri = self.files.put(name, file)
            except FileDamaged as error:
                raise FileDamaged(f"`{name}` changed while it was uploaded ({error})") from error
            after = os.fstat(file.fileno())
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            raise FileDamaged(f"`{name}` changed while it was uploaded")
        return uri


def _buffered(download: Download) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(download, _BLOCK))
