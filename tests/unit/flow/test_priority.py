"""The priority of an execution: of its spec, else of a label, else none."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.flow.priority import PRIORITY_LABEL, priority_of


@pytest.mark.parametrize(
    ("asked", "label", "priority"),
    [
        (None, None, 0),
        (7, None, 7),
        (None, "7", 7),
        (None, "-1000", -1000),
        (0, "7", 0),
        (-3, "7", -3),
        (None, "urgent", 0),
        (None, "1001", 0),
        (None, "", 0),
        (None, "1" * 5_000, 0),
    ],
)
def test_the_spec_comes_before_the_label(asked: Any, label: str | None, priority: int) -> None:
    spec = {} if asked is None else {"priority": asked}
    labels = {} if label is None else {PRIORITY_LABEL: label}
    assert priority_of(spec, labels) == priority
