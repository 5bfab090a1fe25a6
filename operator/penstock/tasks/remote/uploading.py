"""Uploads a file to the storage: as one, or in parts where it is large and the store takes them.

A part that breaks off is sent again, and a file that is sent as one begins anew.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, BinaryIO, Protocol, cast

from penstock.storage.digests import digest_of, digests_of
from penstock.storage.errors import StorageUnavailable
from penstock.tasks.remote.transfer import TIMEOUT, Connect, Patience, room_for, send
from penstock.tasks.remote.verified_reader import verified

LARGE = 1024**3
"""Bytes above which a file is sent in parts. That costs time: its parts are measured too, and some
stores copy them together at the end."""
_BLOCK = 1024 * 1024
COMPLETE_SECONDS = 300.0
"""Seconds that a store may take to put the parts together. Some copy them."""
_COMPLETED = COMPLETE_SECONDS + TIMEOUT
_ABORTED = 5.0
"""Seconds to wait for the answer to an abort: the task has failed, and should tell so soon."""

Place = dict[str, Any]
"""The name of a file in an operation: `uri`; `namespace` and `path`; or `name`, for a new one."""


class Asked(Protocol):
    """The storage service."""

    @property
    def connect(self) -> Connect:
        """Opens the connections to the URLs that it gives."""
        ...

    def operate(
        self,
        do: str,
        place: Place,
        *,
        timeout: float = TIMEOUT,
        patient: bool = True,
        **more: Any,
    ) -> dict[str, Any]: ...


def put(service: Asked, place: Place, source: BinaryIO, name: str) -> str:
    """Keep the rest of a stream as a file, and give its URI."""
    with _measurable(source) as file:
        start = file.tell()
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        if size > LARGE:
            part_bytes = service.operate("parts", place, size=size)["partBytes"]
            if part_bytes is not None:
                return _InParts(service, place, file, name, start, part_bytes).put()
        return _put_as_one(service, place, file, name)


def _put_as_one(service: Asked, place: Place, file: BinaryIO, name: str) -> str:
    start = file.tell()
    digest, size = digest_of(file)
    patience = Patience(f"`{name}` can't be written")
    while True:
        answer = service.operate("put", place, size=size, sha256=digest)
        file.seek(start)
        try:
            checked = answer.get("checked", True)
            body = file if checked else verified(file, digest, size, name)
            send(answer["url"], answer["headers"], body, size, name, service.connect)
            return cast("str", answer["uri"])
        except (OSError, HTTPException, StorageUnavailable) as error:
            patience.after(error)


@dataclass(frozen=True)
class _InParts:
    """One file that is sent in parts."""

    service: Asked
    place: Place
    file: BinaryIO
    name: str
    start: int
    part_bytes: int

    def put(self) -> str:
        digest, size, parts = digests_of(self.file, self.part_bytes)
        begun = self.service.operate("begin", self.place, size=size, sha256=digest)
        place = {**self.place, "upload": begun["upload"]}
        try:
            for number, of_part in enumerate(parts, start=1):
                before = (number - 1) * self.part_bytes
                self._send(place, number, of_part, before, min(self.part_bytes, size - before))
            return cast("str", self.service.operate("complete", place, timeout=_COMPLETED)["uri"])
        except BaseException:
            with suppress(Exception):  # the error that led here is told
                self.service.operate("abort", place, timeout=_ABORTED, patient=False)
            raise

    def _send(self, place: Place, number: int, digest: str, before: int, size: int) -> None:
        patience = Patience(f"`{self.name}` can't be written")
        while True:
            answer = self.service.operate("part", place, number=number, sha256=digest)
            self.file.seek(self.start + before)
            try:
                url, headers = answer["url"], answer["headers"]
                send(url, headers, self.file, size, self.name, self.service.connect)
                return
            except (OSError, HTTPException, StorageUnavailable) as error:
                patience.after(error)


@contextmanager
def _measurable(source: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream that can be read twice: once to measure it, once to send it."""
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile(prefix="penstock-") as copy:
        with room_for("a file to upload"):
            shutil.copyfileobj(source, copy, _BLOCK)
            copy.seek(0)
        yield copy
