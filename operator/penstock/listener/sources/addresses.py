"""Which addresses a driver may not ask, whatever a flow writes."""

from __future__ import annotations

import os
import socket
from asyncio import to_thread
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from penstock.listener.source import SourceError
from penstock.network import REFUSED, AddressRefused, RefusedNetworks, is_address

REFUSED_VARIABLE = "PENSTOCK_REFUSED_NETWORKS"
"""The variable with the networks that are not asked, with commas between them."""


def refused_networks() -> RefusedNetworks:
    """The networks that are not asked."""
    named = os.environ.get(REFUSED_VARIABLE)
    listed: Sequence[str] = (
        REFUSED if named is None else [item for item in named.split(",") if item]
    )
    return RefusedNetworks(listed)


def refused_within(error: BaseException | None) -> AddressRefused | None:
    """What refused an address, where that is why a connection failed."""
    while error is not None and not isinstance(error, AddressRefused):
        error = error.__cause__ or error.__context__
    return error


def checked_url(url: str, name: str) -> str:
    """An `http` or `https` address that a flow writes, whose host is no address that may not be
    asked. Names are looked up by :class:`GuardedResolver`. Raises :class:`SourceError`."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise SourceError(f"`{name}` is not an address such as https://store.example.com:9000")
    if is_address(host) and refused_networks().refuses(host):
        raise SourceError(str(AddressRefused(host, host)))
    return url


class GuardedResolver(AbstractResolver):
    """Looks up names for aiohttp, which connects to no other address than those found here."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await to_thread(refused_networks().resolve, host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found.addresses
        ]

    async def close(self) -> None:
        """Close nothing: it holds nothing open."""
