"""Whether a part of Penstock ended and was begun anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from e2e.fixtures.kubernetes import Object

PARTS = ("penstock-storage", "penstock-git", "penstock-gateway", "penstock")
"""The Deployments, as the names of their pods begin; longer names first."""


def restarts_by_pod(pods: Iterable[Object]) -> dict[tuple[str, str], int]:
    """How often the containers of each pod were begun anew, by the part and the pod's uid."""
    found = {}
    for pod in pods:
        meta = pod["metadata"]
        part = next((name for name in PARTS if meta["name"].startswith(f"{name}-")), None)
        if part is not None:
            statuses = (pod.get("status") or {}).get("containerStatuses") or ()
            found[part, meta["uid"]] = sum(item.get("restartCount", 0) for item in statuses)
    return found


def restarts_between(
    before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
) -> dict[str, int]:
    """How often each part was begun anew; a pod that was not there before counts as once."""
    counts = Counter[str]()
    for (part, uid), restarts in after.items():
        known = before.get((part, uid))
        counts[part] += restarts + 1 if known is None else restarts - known
    return {part: count for part, count in counts.items() if count > 0}
