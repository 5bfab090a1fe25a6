"""Inputs of type FILE: what an Execution may give for one, and how it becomes a file."""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes
from contextlib import suppress
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from penstock.controller.executions.expression_reads import ExpressionReads
from penstock.controller.executions.resolution import NotYet, Refusal, Start
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.controller.gc.orphaned_files import OrphanedFiles
from penstock.flow.inputs import Input
from penstock.flow.values import given_value
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionSpec
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.execution import ExecutionFiles
from penstock.storage.uris import ExecutionPlace, is_uri

_SHOWN = 100
_AGAIN = 1.0


class FileInputs:
    """Stores the files that executions are given, before they begin."""

    def __init__(
        self, reads: ExpressionReads, orphaned_files: OrphanedFiles, folders: TenantFolders
    ) -> None:
        self._reads = reads
        self._orphaned_files = orphaned_files
        self._folders = folders

    async def stored(self, execution: Object, spec: ExecutionSpec, start: Start) -> ExecutionSpec:
        """Store the files that are given, and return the spec with a URI of the storage for each.
        Done again it is the same. Raises ``Refusal`` and ``NotYet``.
        """
        place = ExecutionPlace(start.flow.namespace, start.flow.id, execution["metadata"]["name"])
        tenant = execution["metadata"]["namespace"]
        if self._orphaned_files.is_busy(tenant, place):
            raise NotYet(_AGAIN)
        # What has to do with no file begins without the storage; all else asks for the claim again.
        with suppress(StorageError):
            await self._folders.prepare(tenant)
        given = [
            item
            for item in start.engine.flow.inputs
            if item.type == "FILE" and given_value(item, spec.inputs.get(item.id)) is not None
        ]
        if not given:
            return spec
        inputs = dict(spec.inputs)
        try:
            files = self._reads.files(execution, place)
            for item in given:
                inputs[item.id] = await asyncio.to_thread(_stored, files, item, inputs[item.id])
        except StorageUnavailable:
            raise NotYet(_AGAIN) from None
        except (StorageError, ValueError) as error:
            shown = str(inputs[item.id])[:_SHOWN]
            message = f"Invalid input for `{item.id}`, {error}, but received `{shown}`"
            raise Refusal("InvalidInputs", message) from None
        return spec.model_copy(update={"inputs": inputs})


def _stored(files: ExecutionFiles, declared: Input, given: Any) -> str:
    """Return the URI of a given file. Raises :class:`StorageError` and ``ValueError``."""
    text = str(given)
    if text.startswith("data:"):
        kind, content = _content(text)
        ending = declared.extension or mimetypes.guess_extension(kind) or ""
        return files.put_input(declared.id, f"{declared.id}{ending}", BytesIO(content))
    if not is_uri(text):
        raise ValueError("expected a URI of a file (kestra:///…, nsfile:///… or data:…)")
    files.size(text)  # whether it is there, and may be read
    return text


def _content(uri: str) -> tuple[str, bytes]:
    """Read the media type and the bytes of a `data:` URI."""
    head, comma, data = uri.removeprefix("data:").partition(",")
    kind, *options = head.split(";")
    if not comma:
        raise ValueError("a `data:` URI has a comma before its content")
    if options[-1:] != ["base64"]:
        return kind, unquote_to_bytes(data)
    try:
        return kind, base64.b64decode(unquote_to_bytes(data), validate=True)
    except binascii.Error as error:
        raise ValueError(f"its content is not base64 ({error})") from None
