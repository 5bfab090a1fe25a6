"""The runs that Kestra's own tests make, with what they assert, read from beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from penstock.flow.parse import FlowParser
from penstock.flow.types import TYPE_NOT_CARRIED
from penstock.local.files import FlowFile, FoundFlow, read_flow_file
from penstock.types import expressions
from tests.conformance.stubs import types_with_stubs

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "conformance"


@dataclass(frozen=True)
class Case:
    """One run of a flow with what is expected of it."""

    file: str
    variant: int | None
    state: str | None
    task_runs: int | None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return Path(self.file).name

    def __str__(self) -> str:
        return self.name if self.variant is None else f"{self.name}#{self.variant}"


@cache
def parser() -> FlowParser:
    """All types of the product, and stubs of those that only Kestra's tests have."""
    return FlowParser(types_with_stubs().types, expressions().check)


def expectations() -> dict[str, Any]:
    """Everything that is expected; empty where the folder is not there."""
    file = FOLDER / "expectations.json"
    if not file.exists():
        return {"valids": [], "invalids": []}
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def valid_cases() -> Iterator[Case]:
    """Every run of every valid flow."""
    for flow in expectations()["valids"]:
        expected = flow["expected"]
        if expected is None:
            yield Case(flow["file"], None, None, None)
            continue
        for index, run in enumerate([expected, *expected.get("variants", [])], -1):
            yield Case(
                flow["file"],
                index if index >= 0 else None,
                run["state"],
                run["taskRuns"],
                dict(run["inputs"]),
                tuple(run["notes"]),
            )


PREPARED: dict[str, dict[str, Any]] = {
    "for-each-item.yaml#0": {"batch": "4"},
    "inputs-large.yaml": {"string": "x" * 11 * 1024},
    "inputs-large.yaml#0": {"string": "x" * 200_000},
    "inputs-large.yaml#1": {"string": "x" * 1_100_000},
    "trigger-flow-listener.yaml": {"from-parent": "<by the trigger>"},
}
"""Inputs that the expectations only describe, or take from the run before."""


def given_inputs(case: Case) -> dict[str, Any]:
    """The inputs with which the execution is started."""
    asked = {key: value for key, value in case.inputs.items() if not key.startswith("(resume)")}
    return asked | PREPARED.get(str(case), {})


def read(file: str) -> FlowFile:
    return read_flow_file(FOLDER / file, parser())


def missing_types(found: FlowFile) -> list[str]:
    """Types that stop the flow from being read, and are no mistake of its author."""
    return sorted(
        {
            str(flow.value_at(problem.location))
            for flow in found.flows
            for problem in flow.problems
            if problem.code == TYPE_NOT_CARRIED or _is_test_type(flow, problem.location)
        }
    )


def _is_test_type(flow: FoundFlow, location: tuple[str | int, ...]) -> bool:
    value = flow.value_at(location)
    return isinstance(value, str) and ".test." in value
