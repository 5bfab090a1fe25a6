"""Until when a KeyValue counts, whatever the API server let somebody write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.cluster.key_value_objects import expiration, is_live

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def key_value(date: Any) -> dict[str, Any]:
    return {"spec": {"namespace": "company.team", "key": "a", "value": 1, "expirationDate": date}}


def test_a_key_counts_until_its_date() -> None:
    assert expiration(key_value("2026-01-01t01:00:00+01:00")) == NOW
    assert not is_live(key_value("2025-12-31T23:59:59Z"), NOW)


@pytest.mark.parametrize(
    "date",
    [["2020-01-01"], [], "2020-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)  # fmt: skip
def test_a_date_that_is_none_lets_the_key_stay(date: Any) -> None:
    assert expiration(key_value(date)) is None
    assert is_live(key_value(date), NOW)
