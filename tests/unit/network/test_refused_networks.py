"""Which addresses are asked for users, and which are not."""

from __future__ import annotations

import socket

import pytest

from penstock.network import AddressRefused, RefusedNetworks, connect


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "::", "::1", "169.254.169.254", "fe80::1",
        "fe80::1%lo",
        "fd00:ec2::254", "fd00:ec2::23", "100.100.100.200", "168.63.129.16",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "nonsense",
    ],
)  # fmt: skip
def test_this_machine_and_what_clouds_serve_credentials_at_are_refused(address: str) -> None:
    assert RefusedNetworks().refuses(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "140.82.121.3", "2606:50c0::153", "100.100.100.1"])
def test_other_addresses_are_asked(address: str) -> None:
    assert not RefusedNetworks().refuses(address)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "127.0.0.1"])
def test_a_host_is_judged_by_what_it_resolves_to(host: str) -> None:
    with pytest.raises(AddressRefused, match=r"settings\.network\.refused"):
        RefusedNetworks().resolve(host, 80)


def test_a_host_of_which_one_address_is_refused_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # given: a name of two addresses
    found = [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    # then
    with pytest.raises(AddressRefused, match=r"git\.example\.com \(127\.0\.0\.1\)"):
        RefusedNetworks().resolve("git.example.com", 443)
    assert RefusedNetworks([]).resolve("git.example.com", 443).addresses == (
        "192.0.2.1",
        "127.0.0.1",
    )


def test_an_administrator_says_what_is_refused() -> None:
    chosen = RefusedNetworks(["10.0.0.0/8"])
    assert chosen.refuses("10.1.2.3")
    assert not chosen.refuses("127.0.0.1")


def test_own_addresses_are_refused_once_they_are_known() -> None:
    chosen = RefusedNetworks(["127.0.0.0/8"], own=["192.0.2.7"])
    assert chosen.refuses("192.0.2.7")
    assert chosen.refuses("::ffff:192.0.2.7")
    assert not chosen.refuses("192.0.2.8")
    # when
    chosen.refuse(["192.0.2.8", "2001:db8::8"])
    # then
    assert chosen.refuses("192.0.2.8")
    assert chosen.refuses("2001:db8::8")
    # and those of one call are refused in that call alone
    assert chosen.beside(["192.0.2.9"]).refuses("192.0.2.9")
    assert chosen.beside([]).refuses("127.0.0.1")
    assert not chosen.refuses("192.0.2.9")


def test_a_connection_is_made_to_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given: a name that means a server of ours when it is first asked for, then something else
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answers = [[(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]]
        real = socket.getaddrinfo

        def resolve(host: str, *args: object, **more: object) -> object:
            return answers.pop() if host == "changes.example.com" else real(host, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        # when
        with connect(RefusedNetworks([]).resolve("changes.example.com", port), 5) as connection:
            # then: it was resolved once
            assert connection.getpeername() == ("127.0.0.1", port)
    assert answers == []
