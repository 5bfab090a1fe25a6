"""The operations on files that a grant allows, each answered with a URL or with what was done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import copy
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from penstock.storage.errors import AccessDenied, FileMissing, FileTooLarge, StorageError
from penstock.storage.execution import ExecutionFiles, NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.grants import Grant
from penstock.storage.uploads import Upload
from penstock.storage.uris import namespace_file, readable, uri_of
from penstock.storage.usage import Usage
from penstock.storage_service.answers import described
from penstock.storage_service.multipart import S3Parts
from penstock.storage_service.urls import Urls

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


LARGEST_ANSWER = 4 * 1024 * 1024
"""The most bytes of the answer to one request, but for the last operation that is done."""
_TOO_MUCH = (
    f"it is more than {LARGEST_ANSWER // 1024**2} MiB, and one request is answered with no more; "
    "keep fewer files there, or ask for them in several requests"
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Operation(_Strict):
    """One operation on a file. The file is named by `uri`, by `namespace` and `path`, or, where it
    is a new one of the task run, by `name`.

    A large file is put in parts, where the store takes them: `parts` says how large they are,
    `begin` gives the `upload` that `part`, `complete` and `abort` name beside the file.
    """

    do: Literal[
        "get", "put", "stat", "delete", "purge", "list",
        "parts", "begin", "part", "complete", "abort",
    ]  # fmt: skip
    uri: str | None = None
    namespace: str | None = None
    path: str | None = None
    name: str | None = None
    cache: str | None = None
    """The name of a file that the executions of the flow have in common."""
    size: Annotated[int, Field(ge=0)] | None = None
    """The size of the file that is put, in bytes."""
    sha256: Sha256 | None = None
    """The SHA-256 of the file that is put; with `part`, of that part."""
    upload: str | None = None
    number: int | None = None
    """The number of the part, counted from 1."""


class Operations(_Strict):
    """The operations of one request."""

    operations: Annotated[list[Operation], Field(min_length=1, max_length=1000)]

    @property
    def is_long(self) -> bool:
        """Whether one of them goes through a folder."""
        return any(operation.do in ("list", "purge") for operation in self.operations)


class Exchange:
    """Answers operations, each by itself, so that one that fails does not spoil the others."""

    def __init__(
        self,
        storage: Storage,
        urls: Urls,
        max_file_bytes: int,
        usage: Usage,
        parts: S3Parts | None = None,
    ) -> None:
        self._storage = storage
        self._urls = urls
        self._usage = usage
        self._parts = parts
        largest = parts.largest if parts is not None else urls.largest
        self._largest = min(max_file_bytes, largest or max_file_bytes)
        self._left = LARGEST_ANSWER

    def answer(self, grant: Grant, asked: Operations, is_wanted: Callable[[], bool]) -> bytes:
        """The answers in the order of the operations, as JSON. It reads and writes: call it in a
        thread. Once nobody waits for the answer any more, it does no further operation.
        """
        asking = copy(self)
        answers: list[bytes] = []
        for operation in asked.operations:
            if not is_wanted():
                break
            text = json.dumps(asking._answered(grant, operation), ensure_ascii=False)
            answers.append(text.encode("utf-8", "surrogatepass"))
            asking._left -= len(answers[-1])
        return b'{"answers": [' + b", ".join(answers) + b"]}"

    def _answered(self, grant: Grant, operation: Operation) -> dict[str, Any]:
        doing: Mapping[str, Any] = {
            "get": self._get,
            "put": self._put,
            "stat": self._stat,
            "delete": self._delete,
            "purge": self._purge,
            "list": self._list,
            "parts": self._parts_of,
            "begin": self._begin,
            "part": self._part,
            "complete": self._complete,
            "abort": self._abort,
        }
        try:
            if self._left <= 0:
                raise FileTooLarge(f"what is asked for before this: {_TOO_MUCH}")
            answer: dict[str, Any] = doing[operation.do](grant, operation)
            return answer
        except StorageError as error:
            return described(error)

    def _get(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        path = self._read_path(grant, asked)
        size = self._storage.of(grant.tenant).size(path)
        return {"url": self._urls.get(grant, path).url, "size": size}

    def _put(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        path = _written_path(grant, asked)
        size, digest = self._measured(asked, path)
        if self._urls.largest is not None and size > self._urls.largest:
            raise FileTooLarge(f"`{uri_of(path)}` has {size} bytes, too many for one PUT")
        self._usage.allow(grant.tenant, path, size)
        signed = self._urls.put(grant, path, size, digest)
        return {
            "url": signed.url,
            "headers": dict(signed.headers),
            "checked": signed.checked,
            "uri": uri_of(path),
        }

    def _parts_of(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        if self._parts is None or asked.size is None:
            return {"partBytes": None}
        return {"partBytes": self._parts.part_bytes(asked.size)}

    def _begin(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        path = _written_path(grant, asked)
        size, digest = self._measured(asked, path)
        self._usage.allow(grant.tenant, path, size)
        return {"upload": self._in_parts.begin(grant.tenant, path, size, digest)}

    def _part(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        upload = self._upload(grant, asked)
        if asked.number is None or asked.sha256 is None:
            raise StorageError("`part` needs `number` and `sha256`")
        signed = self._in_parts.put(upload, asked.number, asked.sha256)
        return {"url": signed.url, "headers": dict(signed.headers)}

    def _complete(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        upload = self._upload(grant, asked)
        self._in_parts.complete(upload)
        return {"uri": uri_of(upload.path)}

    def _abort(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        upload = self._upload(grant, asked)
        self._in_parts.abort(upload)
        self._usage.forget(upload.tenant, upload.path)
        return {}

    @property
    def _in_parts(self) -> S3Parts:
        if self._parts is None:
            raise StorageError("this storage takes no uploads in parts")
        return self._parts

    def _upload(self, grant: Grant, asked: Operation) -> Upload:
        """The upload of a token, where it is of the file that the operation names."""
        upload = self._in_parts.verified(asked.upload or "")
        if (upload.tenant, upload.path) != (grant.tenant, _written_path(grant, asked)):
            raise AccessDenied("the upload is of another file")
        return upload

    def _measured(self, asked: Operation, path: str) -> tuple[int, str]:
        """The size and the digest of the file that is put. Raises :class:`FileTooLarge`."""
        if asked.size is None or asked.sha256 is None:
            raise StorageError(f"`{asked.do}` needs `size` and `sha256`")
        if asked.size > self._largest:
            raise FileTooLarge(
                f"`{uri_of(path)}` has {asked.size} bytes, and one file may have {self._largest} "
                "(the setting `storage.maxFileGib`, and at most 5 TiB in an S3 bucket)"
            )
        return asked.size, asked.sha256

    def _stat(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        path = self._read_path(grant, asked)
        try:
            return {"size": self._storage.of(grant.tenant).size(path)}
        except FileMissing:
            return {"size": None}

    def _delete(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        storage = self._storage.of(grant.tenant)
        if asked.uri is not None:
            grant.needs("delete")
            return {"deleted": self._files(grant).delete(asked.uri)}
        return {"deleted": storage.delete(_written_path(grant, asked))}

    def _purge(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        grant.needs("delete")
        uris, is_all = self._files(grant).purge_some(self._left)
        return {"uris": uris, "more": not is_all}

    def _list(self, grant: Grant, asked: Operation) -> dict[str, Any]:
        namespace = _namespace(grant, asked)
        paths = NamespaceFiles(self._storage.of(grant.tenant), namespace).paths_within(self._left)
        if paths is None:
            self._left = 0  # no further operation looks for what does not fit
            raise FileTooLarge(
                f"the names of the files of the namespace `{namespace}`: {_TOO_MUCH}"
            )
        return {"paths": paths}

    def _files(self, grant: Grant) -> ExecutionFiles:
        storage = self._storage.of(grant.tenant)
        return ExecutionFiles(storage, grant.place, grant.parents, refused=grant.why_not_handed)

    def _read_path(self, grant: Grant, asked: Operation) -> str:
        if asked.cache is not None:
            return grant.place.cache_file(asked.cache)
        if asked.uri is not None:
            return readable(
                asked.uri,
                grant.place,
                grant.parents,
                any_namespace="namespaces" in grant.rights,
                refused=grant.why_not_handed,
            )
        if asked.path is None:
            raise StorageError(f"`{asked.do}` needs `uri`, or `namespace` and `path`")
        return namespace_file(_namespace(grant, asked), asked.path)


def _written_path(grant: Grant, asked: Operation) -> str:
    if asked.cache is not None:
        return grant.place.cache_file(asked.cache)
    if asked.name is not None:
        return grant.place.task_file(grant.task, grant.task_run, asked.name)
    if asked.namespace is None or asked.path is None:
        raise StorageError(f"`{asked.do}` needs `name`, or `namespace` and `path`")
    grant.needs("namespaces")
    return namespace_file(asked.namespace, asked.path)


def _namespace(grant: Grant, asked: Operation) -> str:
    """A namespace whose files may be read: the flow's own, or any with the right to it."""
    name = asked.namespace or grant.place.namespace
    if name != grant.place.namespace and "namespaces" not in grant.rights:
        raise AccessDenied(
            f"the files of the namespace `{name}` are not open to this task, whose own namespace "
            f"is `{grant.place.namespace}`"
        )
    return name
