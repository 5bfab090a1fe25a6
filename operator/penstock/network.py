"""Whom Penstock asks for users: which addresses expressions and Git may not reach.

A user's text names a host; what it resolves to is looked at before a connection is made, and the
connection is made to that very address, so that no name can mean one address when it is looked at
and another when it is used.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

REFUSED: tuple[str, ...] = (
    # This machine, under each of its names.
    "0.0.0.0/8",
    "127.0.0.0/8",
    "::/128",
    "::1/128",
    # Link-local: there clouds serve credentials to machines.
    "169.254.0.0/16",
    "fe80::/10",
    # What clouds serve them at besides: AWS over IPv6, Alibaba, Azure.
    "fd00:ec2::254/128",
    "fd00:ec2::23/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
)
"""The networks that are refused where an administrator says nothing."""

_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """A host is at an address that may not be asked. ``where`` names both."""

    def __init__(self, host: str, address: str) -> None:
        self.where = host if address == host else f"{host} ({address})"
        super().__init__(
            f"{self.where} is at an address that Penstock does not ask for users. Where it has to, "
            "an administrator takes its network out of `settings.network.refused`"
        )


@dataclass(frozen=True)
class Resolved:
    """A host, and the addresses that it has and that may be asked."""

    host: str
    port: int
    addresses: tuple[str, ...]


class RefusedNetworks:
    """Networks that may not be asked, and the addresses of Penstock's own pods and Services."""

    def __init__(self, networks: Iterable[str] = REFUSED, own: Iterable[str] = ()) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self.own = frozenset(own)
        """Addresses. More may become known, see :meth:`refuse`."""

    def refuse(self, addresses: Iterable[str]) -> None:
        """Refuse addresses of ours, too, from now on."""
        self.own |= frozenset(addresses)

    def beside(self, addresses: Iterable[str]) -> RefusedNetworks:
        """What is refused here, and these addresses."""
        more = RefusedNetworks((), self.own | frozenset(addresses))
        more._networks = self._networks
        return more

    def refuses(self, address: str) -> bool:
        """Whether an address may not be asked. One that cannot be read may not."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return True
        return any(
            str(one) in self.own or any(one in network for network in self._networks)
            for one in _meanings(found)
        )

    def resolve(self, host: str, port: int) -> Resolved:
        """The addresses of a host. Raises ``OSError`` where it has none, and
        :class:`AddressRefused` where one of them may not be asked."""
        addresses = addresses_of(host, port)
        for address in addresses:
            if self.refuses(address):
                raise AddressRefused(host, address)
        return Resolved(host, port, addresses)

    def connection(
        self,
        address: tuple[str, int],
        timeout: float | None = None,
        source_address: tuple[str, int] | None = None,
    ) -> socket.socket:
        """As ``socket.create_connection``, to an address that may be asked."""
        resolved = self.resolve(*address)
        last: OSError = OSError(f"{address[0]} has no address")
        for one in resolved.addresses:
            try:
                return socket.create_connection((one, resolved.port), timeout, source_address)
            except OSError as error:
                last = error
        raise last


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """The addresses of a host, in the order in which they are to be tried. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _meanings(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """The address, and an IPv4 address that stands inside it and that is reached by it."""
    yield address
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is None and address in _NAT64:
            inside = IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            yield inside


def is_address(host: str) -> bool:
    """Whether a host is no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
