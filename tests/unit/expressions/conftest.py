"""One engine and one fixed host for all tests of expressions."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.expressions import Expressions, Host

Render = Callable[..., Any]
NOW = datetime(2024, 5, 17, 8, 30, 15, 123456, UTC)


@pytest.fixture(scope="session")
def expressions() -> Expressions:
    return Expressions()


@pytest.fixture
def host() -> Host:
    return Host(now=lambda: NOW, zone="UTC", random=random.Random(7), functions={})


@pytest.fixture
def render(expressions: Expressions, host: Host) -> Render:
    def call(template: str, **variables: Any) -> Any:
        return expressions.render(template, variables, host)

    return call
