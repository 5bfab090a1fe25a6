"""The body of an HTTP request: text, a form, or files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import unquote, urlencode
from uuid import uuid4

from penstock.tasks.contract.records import copy, encoded
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.contract.texts import json_text
from penstock.tasks.files.input_files import is_uri

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_IN_MEMORY = 1024 * 1024


@contextmanager
def body(
    context: Context | None,
    text: str | None,
    form: Mapping[str, Any] | None,
    content_type: str | None,
    charset: str,
) -> Iterator[tuple[BinaryIO | None, int, str | None]]:
    """Yield the body, its length in bytes, and its content type. Without a context, a form has no
    files."""
    if text is None and form is None:
        yield None, 0, content_type
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        made = content_type or ("application/json" if form is None else _FORM)
        if form is None:
            file.write(encoded(text or "", charset))
        elif made.lower().startswith(_MULTIPART):
            boundary = uuid4().hex
            made = f"{_MULTIPART}; boundary={boundary}"
            for name, value in form.items():
                _write_part(context, file, boundary, name, value)
            file.write(f"--{boundary}--\r\n".encode())
        else:
            file.write(urlencode({name: plain_text(form[name]) for name in form}).encode())
        file.seek(0, os.SEEK_END)
        yield file, file.tell(), made  # type: ignore[misc]


def _write_part(context: Context | None, file: Any, boundary: str, name: str, value: Any) -> None:
    """Write a part of a form: a text, the JSON of a list or map, or a file where the value is a URI
    or has `content`."""
    file_name = None
    if isinstance(value, Mapping) and "content" in value:
        file_name, value = str(value.get("name", "file")), value.get("content")
    content = plain_text(value)
    stored = is_uri(content)
    if stored and file_name is None:
        file_name = unquote(content.rpartition("/")[2])
    disposition = f'form-data; name="{_quoted(name)}"'
    if file_name is not None:
        disposition += f'; filename="{_quoted(file_name)}"'
    file.write(f"--{boundary}\r\nContent-Disposition: {disposition}\r\n".encode())
    if file_name is not None:
        file.write(b"Content-Type: application/octet-stream\r\n")
    file.write(b"\r\n")
    if stored:
        if context is None:
            raise TaskFailure(f"property `formData.{name}`: there are no files to send here")
        with context.services.files.open(content) as source:
            copy(context, source, file)
    else:
        file.write(encoded(content))
    file.write(b"\r\n")


def plain_text(value: Any) -> str:
    """A value as the text that a server reads: a boolean and a map as JSON has them, null as
    nothing."""
    if isinstance(value, dict | list):
        return json_text(value)
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _quoted(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
