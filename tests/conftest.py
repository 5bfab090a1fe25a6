"""Fixtures of all tests: one fluent way in, and Hypothesis with equal examples on every machine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.engine import Given
from tests.fixtures.faults import no_errors_of_the_engine

__all__ = ["no_errors_of_the_engine"]

settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("search", parent=settings.get_profile("fixed"), derandomize=False)
settings.load_profile("fixed")


@pytest.fixture
def given() -> Callable[[str], Given]:
    """`given(yaml).when_tasks(fail=["a"]).run().then.ended("FAILED")`."""
    return Given
