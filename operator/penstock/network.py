"""Whom Penstock asks for users: which addresses expressions and Git may not reach.

A user's text names a host; what it resolves to is looked at before a connection is made, and the
connection is made to that very address, so that no name can mean one address when it is looked at
and another when it is used.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from time import monotonic

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

_NAME = re.compile(r"(?=.*[A-Za-z])(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", re.ASCII)
"""A host's name, or all names below one. It has a letter: else it is an address."""
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


class AllowedHosts:
    """Hosts that may be asked, where not all may: names such as `api.example.com`, all names below
    one (`*.example.com`), and networks. Whether an address is refused is another question."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Take entries; without any, every host may be asked. Raises ``ValueError`` that names one
        which is neither a name nor a network."""
        names: list[str] = []
        networks: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            if _NAME.fullmatch(entry):
                names.append(_plain(entry))
            else:
                networks.append(_network(entry))
        self._names = frozenset(names)
        self._networks = tuple(networks)

    def may_admit(self, host: str) -> bool:
        """Whether a host can be admitted, before its name is looked up."""
        return not self._names or bool(self._networks) or self._names_it(host)

    def admits(self, resolved: Resolved) -> bool:
        """Whether a host may be asked: by its name, or as each of its addresses is in a network."""
        if not self._names and not self._networks:
            return True
        return self._names_it(resolved.host) or all(map(self._is_within, resolved.addresses))

    def _names_it(self, host: str) -> bool:
        name = _plain(host)
        parents = (f"*.{name[at + 1 :]}" for at, letter in enumerate(name) if letter == ".")
        return name in self._names or any(parent in self._names for parent in parents)

    def _is_within(self, address: str) -> bool:
        found = ip_address(address.partition("%")[0])
        return any(found in network for network in self._networks)


def connect(
    resolved: Resolved,
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
) -> socket.socket:
    """Connect to one of a host's addresses, within so many seconds for all of them together. Raises
    ``OSError``."""
    until = None if timeout is None else monotonic() + timeout
    last: OSError = OSError(f"{resolved.host} has no address")
    for one in resolved.addresses:
        left = None if until is None else until - monotonic()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        try:
            return socket.create_connection((one, resolved.port), left, source_address)
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


def _plain(name: str) -> str:
    """A host's name as it is compared."""
    return name.lower().removesuffix(".")


def _network(entry: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise ValueError(
            f"`{entry}` is neither the name of a host (`api.example.com`, `*.example.com`) nor a "
            f"network (`10.0.0.0/8`): {error}"
        ) from None
