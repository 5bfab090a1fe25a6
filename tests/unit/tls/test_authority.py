"""What a CA issues, how long it counts, and what its renewal leaves as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from penstock.tls.authority import (
    AUTHORITY_LIFE,
    AUTHORITY_RENEWED,
    LIFE,
    RENEWED,
    SKEW,
    Authority,
    Pair,
    UnusableAuthority,
)
from penstock.tls.trust import GIT, STORAGE

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def authority() -> Authority:
    return Authority.create(NOW)


def read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_what_is_kept_of_a_ca_is_that_ca(authority: Authority) -> None:
    kept = Authority.read(authority.pair)
    assert kept.pem == authority.pem
    assert authority.stands_behind(kept.issue(STORAGE, NOW), STORAGE, NOW)


def test_a_certificate_is_for_one_service(authority: Authority) -> None:
    pair = authority.issue(STORAGE, NOW)
    assert authority.stands_behind(pair, STORAGE, NOW)
    assert not authority.stands_behind(pair, GIT, NOW)


def test_a_certificate_is_renewed_long_before_its_end(authority: Authority) -> None:
    # given
    pair = authority.issue(STORAGE, NOW)
    due = NOW + LIFE - RENEWED
    # then
    assert authority.stands_behind(pair, STORAGE, due - A_SECOND)
    assert not authority.stands_behind(pair, STORAGE, due)
    # and the clock of a node may be behind that of the controller
    assert read(pair.certificate).not_valid_before_utc == NOW - SKEW


def test_a_ca_stands_behind_nothing_else(authority: Authority) -> None:
    pair, other = authority.issue(STORAGE, NOW), Authority.create(NOW)
    for wrong in (
        other.issue(STORAGE, NOW),
        replace(pair, key=authority.issue(STORAGE, NOW).key),
        replace(pair, certificate=pair.certificate[:200]),
        replace(pair, key="nonsense"),
        Pair("", ""),
    ):
        assert not authority.stands_behind(wrong, STORAGE, NOW)


def test_a_ca_is_renewed_with_its_key(authority: Authority) -> None:
    # given: a year before its end
    later = NOW + AUTHORITY_LIFE - AUTHORITY_RENEWED
    assert not authority.is_due(later - A_SECOND)
    assert authority.is_due(later)
    before = authority.issue(STORAGE, later)
    # when
    renewed = Authority.read(authority.renewed(later).pair)
    # then: whoever knows one of the two takes what the other has issued
    assert not renewed.is_due(later)
    assert renewed.pem != authority.pem
    assert renewed.stands_behind(before, STORAGE, later)
    assert authority.stands_behind(renewed.issue(STORAGE, later), STORAGE, later)


def test_after_a_new_ca_the_one_before_is_known_for_a_while(authority: Authority) -> None:
    # given
    second, third = Authority.create(NOW), Authority.create(NOW)
    known = second.after(authority.pem, NOW)
    # then
    assert known == second.pem + authority.pem
    # until another certificate is issued; there are never more than two, nor one that has ended
    assert second.after(known, NOW) == second.pem
    assert third.after(known, NOW) == third.pem + second.pem
    assert second.after(authority.pem, NOW + AUTHORITY_LIFE) == second.pem
    assert second.after("nonsense", NOW) == second.after("", NOW) == second.pem
    # and where the CA was renewed meanwhile, its new certificate is known
    renewed = second.renewed(NOW + A_SECOND)
    assert renewed.among(known, NOW + A_SECOND) == renewed.pem + authority.pem


def test_what_is_no_ca_is_refused(authority: Authority) -> None:
    for pair, why in (
        (authority.issue(STORAGE, NOW), "is no CA's"),
        (replace(authority.pair, key=Authority.create(NOW).pair.key), "is another one's"),
        (replace(authority.pair, certificate=""), "can't be read"),
        (replace(authority.pair, key="x"), "can't be read"),
    ):
        with pytest.raises(UnusableAuthority, match=why):
            Authority.read(pair)
