"""What a GitSource's status says of a sync, and which Events tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from penstock.controller.gitsources.file_problems import FileProblems, format_problem
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import Object
from penstock.resources.conditions import GIT_SOURCE
from penstock.resources.gitsource import (
    FLUX_RECONCILE_ANNOTATION,
    RECONCILE_ANNOTATION,
    GitSourceStatus,
    InventoryEntry,
)

TOO_MANY = "TooManyFlows"
"""The reason of a commit that has more flows than a status has room for."""


def status_of_applied(
    body: Object,
    before: GitSourceStatus,
    commit: str,
    inventory: list[InventoryEntry],
    problems: FileProblems,
) -> GitSourceStatus:
    """The status after a commit was taken in."""
    now = datetime.now(UTC)
    generation = int(body["metadata"].get("generation", 0))
    reason, message = "Applied", f"{len(inventory)} flows at {commit[:12]}"
    if problems.files:
        reason = "FilesFailed"
        message = f"{problems.files} files of {commit[:12]} could not be taken in: "
        message += problems.text()
    conditions = GIT_SOURCE.judged(before.conditions, reason, message, now, generation)
    return GitSourceStatus(
        observed_generation=generation,
        applied_commit=commit,
        attempted_commit=commit,
        last_sync=now if commit != before.applied_commit else before.last_sync,
        last_handled_reconcile_at=requested_at(body),
        flows=len(inventory),
        failed=problems.files,
        inventory=inventory,
        problems=problems.listed(),
        conditions=conditions,
    )


def told_of_applied(before: GitSourceStatus, status: GitSourceStatus) -> Iterator[Report]:
    """Tell that there is another commit, and which files are wrong that were not before."""
    if status.applied_commit != before.applied_commit:
        yield Report("Applied", f"{status.flows} flows at {status.applied_commit}")
    known = {format_problem(problem) for problem in before.problems}
    for problem in status.problems:
        if format_problem(problem) not in known:
            yield Report("FileInvalid", format_problem(problem), warning=True)


def status_of_failed(
    body: Object, before: GitSourceStatus, reason: str, message: str
) -> GitSourceStatus:
    """The status after a sync that could not be made; what was applied stays."""
    now = datetime.now(UTC)
    generation = int(body["metadata"].get("generation", 0))
    conditions = GIT_SOURCE.judged(before.conditions, reason, message, now, generation)
    return before.model_copy(
        update={
            "observed_generation": generation,
            "last_handled_reconcile_at": requested_at(body),
            "conditions": conditions,
        }
    )


def told_of_failed(
    before: GitSourceStatus, status: GitSourceStatus, reason: str, message: str
) -> Iterator[Report]:
    """Why, where that was not told already."""
    if status.conditions != before.conditions:
        yield Report(reason, message, warning=True)


def is_refused(status: GitSourceStatus) -> bool:
    """Whether the commit that was last looked at was refused as a whole, for what is in it."""
    ready = next((item for item in status.conditions if item.type == "Ready"), None)
    return ready is not None and ready.reason == TOO_MANY


def requested_at(body: Object) -> str | None:
    """The annotation's value that asks for a sync at once."""
    annotations = body["metadata"].get("annotations") or {}
    value = annotations.get(RECONCILE_ANNOTATION) or annotations.get(FLUX_RECONCILE_ANNOTATION)
    return None if value is None else str(value)
