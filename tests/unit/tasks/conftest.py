"""Fixtures of the tests of tasks."""

from __future__ import annotations

import pytest

from penstock.flow.types import TaskTypes
from penstock.tasks.registry.definitions import register


@pytest.fixture
def types() -> TaskTypes:
    registered = TaskTypes()
    register(registered)
    return registered
