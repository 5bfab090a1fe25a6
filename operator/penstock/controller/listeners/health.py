"""Why the listener of a namespace is not at work, as its Deployment and its pods tell it: a pure
function of the objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.kubernetes.api.client import Object
from penstock.kubernetes.observation.podstatus import date, pending_problem, was_deleted
from penstock.kubernetes.secrets.listener import NAME
from penstock.tasks.contract.output_lines import exit_words

START_SECONDS = 60.0
"""Seconds that a listener may take to start without anybody being told."""
LOOK_AGAIN = 15.0
"""Seconds after which a listener that is not at work is looked at again."""

_MANY = 2
"""Restarts from which a listener that runs just now is expected to end again."""


def is_at_work(deployment: Object) -> bool:
    """Tell whether a listener runs, and has run for a moment. Of a Deployment that nobody has
    looked at yet nothing is known."""
    return not _is_seen(deployment) or bool(_status(deployment).get("availableReplicas"))


def why_not_at_work(deployment: Object, pods: Sequence[Object], now: datetime) -> str | None:
    """Say why a listener does not work, and what to do; None while it may just be starting."""
    refused = _condition(deployment, "ReplicaFailure")
    if refused is not None and refused.get("status") == "True":
        return f"its listener gets no pod: {refused.get('message') or refused.get('reason')}"
    present = [pod for pod in pods if not was_deleted(pod)]
    for pod in present:
        if (told := _why_it_ends(pod)) is not None:
            return told
    for pod in present:
        problem = pending_problem(pod)
        if problem is not None:
            told = f"the pod of its listener does not start: {problem.reason}: {problem.message}"
            return f"{told} (`kubectl describe pod -l penstock.dev/listener` says more)"
    available = _condition(deployment, "Available") or {}
    since = date(available.get("lastTransitionTime"))
    if since is not None and (now - since).total_seconds() > START_SECONDS:
        return (
            f"its listener has not started within {START_SECONDS:.0f} s: `kubectl describe pod -l "
            "penstock.dev/listener` and `kubectl describe deployment penstock-listener` say more"
        )
    return None


def _why_it_ends(pod: Object) -> str | None:
    """Say why the listener's container ended; None where it has not."""
    for container in _containers(pod):
        restarts = int(container.get("restartCount") or 0)
        ended = _ended(container)
        if ended is None or (restarts < _MANY and "running" in (container.get("state") or {})):
            continue
        if ended.get("reason") == "OOMKilled":
            return (
                f"its listener was killed after {restarts} restarts: it needs more memory than "
                "`settings.listener.resources` allows; raise that, or spread its triggers over "
                "several namespaces"
            )
        how = exit_words(int(ended.get("exitCode") or 0))
        return (
            f"its listener ends again and again ({how}, {restarts} restarts): `kubectl logs "
            f"--previous deployment/{NAME}` says why"
        )
    return None


def _ended(container: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """How a container ended, now or the last time."""
    for state in (container.get("state"), container.get("lastState")):
        ended: Mapping[str, Any] | None = (state or {}).get("terminated")
        if ended is not None:
            return ended
    return None


def _containers(pod: Object) -> Iterator[Mapping[str, Any]]:
    for container in _status(pod).get("containerStatuses") or ():
        if container.get("name") == NAME:
            yield container


def _is_seen(deployment: Object) -> bool:
    seen = _status(deployment).get("observedGeneration")
    return isinstance(seen, int) and seen >= int(deployment["metadata"].get("generation") or 1)


def _condition(deployment: Object, kind: str) -> Mapping[str, Any] | None:
    for condition in _status(deployment).get("conditions") or ():
        if condition.get("type") == kind:
            found: Mapping[str, Any] = condition
            return found
    return None


def _status(body: Object) -> Mapping[str, Any]:
    return body.get("status") or {}
