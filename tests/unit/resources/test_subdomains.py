"""Names that an object of nearly every kind may have."""

from __future__ import annotations

import pytest

from penstock.resources.names import is_subdomain


@pytest.mark.parametrize("name", ["a", "company.team.hello-world", "0", "a.b", "x" * 253])
def test_subdomains(name: str) -> None:
    assert is_subdomain(name)


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "a/b", "..", "a..b", ".a", "a.", "-a", "a-", "a\n", "ü", "x" * 254]
)
def test_what_is_no_subdomain(name: str) -> None:
    assert not is_subdomain(name)
