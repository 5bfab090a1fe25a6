"""Sends a file of a trigger to the address that was signed for it."""

from __future__ import annotations

from typing import Any, BinaryIO

from aiohttp import ClientError, ClientSession, ClientTimeout

from penstock.tls.trust import STORAGE, trusting

TAKEN = 201
_PATIENCE = ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)
"""A large file takes its time; the storage service cuts off a client that is too slow."""


class Unreachable(Exception):
    """The storage service can't be reached."""


async def put_file(
    session: ClientSession, url: str, authorities: str, content: bytes | BinaryIO, size: int
) -> tuple[int, str]:
    """Send a file: the status of the answer, and what the storage service says where that is not
    ``TAKEN``. ``authorities`` are the CAs (PEM) by which it is known, empty where it speaks plain
    HTTP. Raises :class:`Unreachable`."""
    encrypted: dict[str, Any] = {}
    if authorities:
        encrypted = {"ssl": trusting(authorities), "server_hostname": STORAGE}
    headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
    try:
        putting = session.put(url, data=content, headers=headers, timeout=_PATIENCE, **encrypted)
        async with putting as answer:
            if answer.status == TAKEN:
                return TAKEN, ""
            try:
                told = str((await answer.json())["error"]["message"])
            except (ValueError, KeyError, TypeError):
                told = answer.reason or ""
            answer.close()  # else the rest of a large file is sent all the same
            return answer.status, told
    except (OSError, TimeoutError, ClientError) as error:
        told = str(error) or type(error).__name__
        raise Unreachable(f"the internal storage can't be reached: {told}") from None
