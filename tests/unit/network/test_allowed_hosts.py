"""Which hosts are asked, where an administrator names them."""

from __future__ import annotations

import socket
import time

import pytest

from penstock.network import AllowedHosts, Resolved, connect


def admits(allowed: AllowedHosts, host: str, *addresses: str) -> bool:
    return allowed.may_admit(host) and allowed.admits(Resolved(host, 443, addresses))


def test_all_are_asked_where_none_is_named() -> None:
    assert admits(AllowedHosts(), "anything.example.com", "192.0.2.1")


@pytest.mark.parametrize(
    ("entry", "host", "is_admitted"),
    [
        ("api.example.com", "api.example.com", True),
        ("api.example.com", "API.example.com.", True),
        ("api.example.com.", "api.example.com", True),
        ("api.example.com", "x.api.example.com", False),
        ("api.example.com", "example.com", False),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
        ("*.example.com", "example.com.evil.test", False),
        ("service", "service", True),
        ("service", "service.evil.test", False),
    ],
)
def test_a_host_is_known_by_its_name(entry: str, host: str, is_admitted: bool) -> None:
    assert admits(AllowedHosts([entry]), host, "192.0.2.1") is is_admitted


@pytest.mark.parametrize(
    ("addresses", "is_admitted"),
    [
        (["10.1.2.3"], True),
        (["10.1.2.3", "2001:db8::7"], True),
        (["10.1.2.3", "192.0.2.1"], False),
        (["::ffff:10.1.2.3"], False),
    ],
)
def test_a_host_is_known_by_its_addresses(addresses: list[str], is_admitted: bool) -> None:
    allowed = AllowedHosts(["10.0.0.0/8", "2001:db8::/32"])
    assert admits(allowed, "any.example.com", *addresses) is is_admitted


def test_a_name_and_a_network_are_alternatives() -> None:
    allowed = AllowedHosts(["api.example.com", "10.0.0.0/8"])
    assert admits(allowed, "api.example.com", "192.0.2.1")
    assert admits(allowed, "other.example.com", "10.0.0.1")
    assert not admits(allowed, "other.example.com", "192.0.2.1")


@pytest.mark.parametrize(
    "entry", ["", "https://x", "a b", "10.0.0.1/8", "10.0.0.300", "*", "*.", "x/24", "a..b", "x:80"]
)
def test_what_is_neither_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match="is neither the name of a host"):
        AllowedHosts([entry])


def test_all_addresses_of_a_host_have_one_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    # given: a host of many addresses that never answer
    waited: list[float | None] = []

    def never(address: object, timeout: float | None, source: object) -> socket.socket:
        waited.append(timeout)
        time.sleep(0.02)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", never)
    # then
    with pytest.raises(TimeoutError):
        connect(Resolved("x.test", 80, tuple(f"192.0.2.{n}" for n in range(200))), 0.1)
    assert len(waited) < 10
    assert all(seconds is not None and seconds <= 0.1 for seconds in waited)
