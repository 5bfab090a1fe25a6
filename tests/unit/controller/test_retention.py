"""Which executions others need."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.controller.flows import done_again


def execution(name: str, state: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec, "status": {"state": state}}


@pytest.mark.parametrize(
    ("last", "needed"), [("RUNNING", {"a", "b", "c"}), ("SUCCESS", set()), ("FAILED", set())]
)
def test_what_a_running_execution_does_again_is_needed(last: str, needed: set[str]) -> None:
    own = [
        execution("a", "SUCCESS"),
        execution("b", "RETRIED", replay={"execution": "a"}),
        execution("c", "RETRIED", retry={"original": "b"}),
        execution("d", last, replay={"execution": "c"}),
        execution("e", "SUCCESS", replay={"execution": "unknown"}),
    ]
    assert done_again(own) == needed
