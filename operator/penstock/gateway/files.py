"""Files of triggers: the gateway signs the address to which one is put, for the Execution that it
will start.

The gateway reads none, and puts those alone that are the bodies of webhooks. Where the storage
service is, and the key that signs for such files and for nothing else, stand in a Secret that the
controller keeps.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession

from penstock.cluster.firings import execution_name
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import Object
from penstock.storage.arrivals import AUTHORITIES, KEY, URL, arrival_path, signed_address
from penstock.storage.putting import TAKEN, Unreachable, put_file
from penstock.storage.uris import ExecutionPlace, uri_of
from penstock.triggers.evaluation import FlowName

FOLDER_VARIABLE = "PENSTOCK_ARRIVALS"
"""The folder with what the Secret holds, each value in a file."""

PUT_WITHIN = 15.0
"""Seconds that a small file may take: a place among the calls is held for it."""


class FilesUnavailable(Exception):
    """No file can be put now; it may be possible later."""


@dataclass(frozen=True)
class Wanted:
    """A file that is to be put."""

    name: str
    size: int
    """The bytes of its content."""
    digest: str
    """The SHA-256 of its content."""


@dataclass(frozen=True)
class Place:
    """Where one file is put, and how flows name it then."""

    uri: str
    """The URI in the internal storage."""
    url: str
    """The address to which it is put, for some minutes."""
    authorities: str
    """The CAs (PEM) by which the storage service is known; empty where it speaks plain HTTP."""


class TriggerFiles:
    """Signs for files of triggers."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of_environment(cls) -> TriggerFiles:
        """Find the Secret where the chart mounts it."""
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(Path(folder) if folder else None)

    def place(
        self, flow: Object, name: FlowName, trigger: Trigger, key: str, wanted: Wanted
    ) -> Place:
        """Sign for a file of the Execution that a firing starts: that of this key, of a trigger of
        a Flow. Raises :class:`FilesUnavailable`, and ``StorageError`` where no such file may
        be. It reads the Secret: call it in a thread."""
        meta = flow["metadata"]
        execution = execution_name(meta["name"], name.id, trigger.id, key)
        path = arrival_path(ExecutionPlace(name.namespace, name.id, execution), wanted.name)
        signing = bytes.fromhex(self._value(KEY))
        address = signed_address(signing, meta["namespace"], path, wanted.size, wanted.digest)
        return Place(uri_of(path), self._value(URL) + address, self._value(AUTHORITIES))

    async def put(self, place: Place, content: bytes) -> None:
        """Put a file. Raises :class:`FilesUnavailable`, with the sentence of the storage."""
        # Few bodies are no text: a connection for each is nothing to keep.
        async with ClientSession() as session:
            try:
                async with asyncio.timeout(PUT_WITHIN):
                    status, told = await put_file(
                        session, place.url, place.authorities, content, len(content)
                    )
            except TimeoutError:
                raise FilesUnavailable("the internal storage is slow") from None
            except Unreachable as error:
                raise FilesUnavailable(str(error)) from None
        if status != TAKEN:
            raise FilesUnavailable(f"the internal storage answers {status}: {told}")

    def _value(self, name: str) -> str:
        try:
            if self._folder is None:
                raise FileNotFoundError(name)
            return (self._folder / name).read_text().strip()
        except OSError as error:
            raise FilesUnavailable(
                "the internal storage is not ready for files of triggers yet; try again"
            ) from error
