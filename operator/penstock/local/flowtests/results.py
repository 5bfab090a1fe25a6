"""The result of a test case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from penstock.local.flowtests.assertions import Outcome, as_text
from penstock.local.flowtests.files import FoundTest
from penstock.local.flowtests.model import Assertion, TestCase
from penstock.resources.execution import ExecutionStatus


class Verdict(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    """An assertion of the case is not true."""
    ERROR = "ERROR"
    """The case could not be run."""
    SKIPPED = "SKIPPED"
    """The case is disabled."""


@dataclass(frozen=True)
class Looked:
    """An assertion and the outcomes of its conditions."""

    assertion: Assertion
    line: int
    outcomes: list[Outcome]

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)


@dataclass(frozen=True)
class CaseResult:
    """The result of one case."""

    found: FoundTest
    case: TestCase
    verdict: Verdict
    line: int
    seconds: float = 0
    error: str | None = None
    """Why the case could not be run."""
    looked: list[Looked] = field(default_factory=list)
    execution: str | None = None
    """The name of the case's execution."""
    status: ExecutionStatus | None = None

    def failures(self) -> Iterator[str]:
        """A line for each condition that is not true: `file:line: why`."""
        for looked in self.looked:
            for outcome in looked.outcomes:
                if not outcome.passed:
                    yield f"{self.found.file}:{looked.line}: {_why(looked.assertion, outcome)}"


def _why(assertion: Assertion, outcome: Outcome) -> str:
    """Why an assertion is not true, in one line."""
    words = " ".join(as_text(assertion.value).split())
    if outcome.error is not None:
        text = f"{words}: {outcome.error}"
    elif outcome.operator in ("isNull", "isNotNull"):
        text = f"{words}: expected {outcome.operator}, but it is `{as_text(outcome.actual)}`"
    else:
        wanted = f"{outcome.operator} `{as_text(outcome.expected)}`"
        text = f"{words}: expected {wanted}, but it is `{as_text(outcome.actual)}`"
    said = assertion.error_message or assertion.description
    return f"{said}: {text}" if said else text
