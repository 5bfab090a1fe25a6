"""Retry policies, and what is told of the attempt that they let follow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from penstock.flow.retries import ConstantRetry


@pytest.mark.parametrize(
    ("policy", "seconds", "told"),
    [
        ({"maxAttempts": 3}, 5, "attempt 2 of 3 in 5s"),
        ({"maxAttempt": 4}, 0.25, "attempt 2 of 4 in 0.2s"),
        ({}, 0, "attempt 2 at once"),
        ({}, 150, "attempt 2 in 2m30s"),
        ({}, 59.99, "attempt 2 in 1m00s"),
        ({}, 7300, "attempt 2 in 2h01m"),
    ],
)
def test_an_attempt_is_announced(policy: dict[str, int], seconds: float, told: str) -> None:
    retry = ConstantRetry.model_validate(
        {"type": "constant", "interval": "PT1S", **policy}, context={}
    )
    assert retry.announcement(2, timedelta(seconds=seconds)) == told
