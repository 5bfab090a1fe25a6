"""The request that `penstock trigger test` puts to a webhook."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from penstock.cli.arguments import pairs
from penstock.cli.errors import INVALID, UserError
from penstock.triggers.webhook_request import Request


def request_of(
    body: str | None, headers: Iterable[str], parameters: Iterable[str]
) -> Request | None:
    """Give the request that the options say; None where they say none. Raises
    :class:`UserError`."""
    named = pairs("--header", headers)
    query = pairs("--parameter", parameters)
    if body is None and not named and not query:
        return None
    content = next((text for name, text in named.items() if name.lower() == "content-type"), None)
    return Request(
        method="POST",
        id="test",
        date=datetime.now(UTC),
        headers={name: [value] for name, value in named.items()},
        parameters={name: [value] for name, value in query.items()},
        body=b"" if body is None else _bytes(body),
        content_type=content,
    )


def _bytes(body: str) -> bytes:
    if body == "-":
        return sys.stdin.buffer.read()
    if not body.startswith("@"):
        return body.encode()
    try:
        return Path(body[1:]).read_bytes()
    except OSError as error:
        raise UserError(f"--body: {error}", INVALID) from None
