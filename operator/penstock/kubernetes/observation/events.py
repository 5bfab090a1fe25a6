"""The reasons that only Events tell: why a Job has no pod, and a pod no container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.kubernetes.api.labels import START_WITHIN
from penstock.kubernetes.observation.podstatus import PendingProblem

FIELDS = "regarding.kind=Job,reason=FailedCreate"
"""Selects the Events that tell of a refused pod."""

_PREFIX = "Error creating: "
_QUOTA = "exceeded quota"
_PASSING = (_QUOTA, "not yet ready", "failed calling webhook", "try again", "timeout", "timed out")
"""What may be otherwise soon: a quota has room again when other pods have ended."""
_LASTING = ("is forbidden", "is invalid", "denied the request", "violates PodSecurity")


def refusals(events: Iterable[Mapping[str, Any]]) -> dict[str, PendingProblem]:
    """The newest reason why a Job has no pod, by the uid of the Job."""
    found: dict[str, tuple[str, PendingProblem]] = {}
    for event in events:
        uid = (event.get("regarding") or {}).get("uid")
        if not isinstance(uid, str):
            continue
        seen = _seen(event)
        if uid not in found or found[uid][0] <= seen:
            found[uid] = seen, _problem(str(event.get("note") or ""))
    return {uid: problem for uid, (_, problem) in found.items()}


def last_warning(events: Iterable[Mapping[str, Any]]) -> PendingProblem | None:
    """The newest problem that Events tell of a pod; None where they tell none."""
    newest = max(events, key=_seen, default=None)
    if newest is None:
        return None
    reason = str(newest.get("reason") or "Warning")
    return PendingProblem(reason, str(newest.get("note") or reason).strip())


def start_within(job: Mapping[str, Any], default: float) -> float:
    """The seconds that a Job's pod may wait for its start."""
    said = (job["metadata"].get("annotations") or {}).get(START_WITHIN, "")
    return float(said) if said.isdigit() and len(said) < 12 else default


def _problem(note: str) -> PendingProblem:
    message = note.removeprefix(_PREFIX).strip() or "its pod was refused"
    passing = any(words in message for words in _PASSING)
    lasting = not passing and any(words in message for words in _LASTING)
    return PendingProblem("QuotaExceeded" if _QUOTA in message else "PodRefused", message, lasting)


def _seen(event: Mapping[str, Any]) -> str:
    """The date at which an Event was last seen; dates of the API server compare as text."""
    series = event.get("series") or {}
    last = series.get("lastObservedTime") or event.get("deprecatedLastTimestamp")
    return str(last or event.get("eventTime") or "")
