"""Attempts in a pod that they share, each seen as if the pod were its own.

The code that reads an attempt's result, its log or why it does not start expects a pod with one
task in it. So the pod of a WorkingDirectory is shown once for each container of an attempt in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.kubernetes.api.labels import ATTEMPT, CONTAINER, DIRECTORY, TASK, TASK_RUN
from penstock.kubernetes.jobs.working_directory import (
    ATTEMPT_VARIABLE,
    HOLDER,
    files_name,
    timeout_of,
)
from penstock.kubernetes.observation import podstatus
from penstock.tasks.contract.framing import INLINE_VARIABLE, inline_bytes
from penstock.tasks.contract.output_lines import exit_words
from penstock.tasks.pod.main import LATE

Pod = Mapping[str, Any]

DIRECTORY_OF = "directory"
"""The metadata of an attempt's pod has the pod's own labels and annotations in this field."""


def is_shared(body: Mapping[str, Any]) -> bool:
    """Whether a Job or a pod is that of a WorkingDirectory."""
    return DIRECTORY in (body["metadata"].get("labels") or {})


def attempts_in(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods that a pod is shown as: itself, or one for each attempt in it, in their order."""
    if not is_shared(pod):
        return [pod]
    # The API server lists the latest first.
    own = [
        _as_own(pod, container, told)
        for container in _ephemeral_containers(pod)
        if (told := _told(container)) is not None
    ]
    return sorted(own, key=lambda item: str(item["metadata"]["creationTimestamp"]))


def with_message_size(pod: Pod, containers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Containers for a pod, with a variable that says how many bytes their termination messages may
    have in it. Further containers come only when these messages are read."""
    spec = pod.get("spec") or {}
    kinds = ("initContainers", "containers", "ephemeralContainers")
    there = sum(len(spec.get(kind) or ()) for kind in kinds)
    entry = {"name": INLINE_VARIABLE, "value": str(inline_bytes(there + len(containers)))}
    return [{**container, "env": [*container.get("env", ()), entry]} for container in containers]


def has_ephemeral(pod: Pod, name: str) -> bool:
    """Whether an ephemeral container of this name was added to the pod."""
    return any(container.get("name") == name for container in _ephemeral_containers(pod))


def ephemeral_end(pod: Pod, name: str) -> Mapping[str, Any] | None:
    """The terminated state of an ephemeral container; None where it has not ended."""
    status = _statuses(pod).get(name, {})
    ended: Mapping[str, Any] | None = (status.get("state") or {}).get("terminated")
    return ended


def waiting_before(pod: Pod, name: str) -> dict[str, Any] | None:
    """A pod that has not started, made of the containers that have to end before the container of
    this name is added; None where there are none, or it was added."""
    statuses = [status for other, status in _statuses(pod).items() if other.startswith(f"{name}-")]
    if not statuses or has_ephemeral(pod, name):
        return None
    status = {"phase": "Pending", "initContainerStatuses": statuses}
    return {"metadata": pod["metadata"], "spec": {}, "status": status}


def holder_state(pod: Pod) -> Mapping[str, Any]:
    """The state of the container that keeps the pod: a mapping with at most one key."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") == HOLDER:
            state: Mapping[str, Any] = status.get("state") or {}
            return state
    return {}


def _ephemeral_containers(pod: Pod) -> list[dict[str, Any]]:
    return (pod.get("spec") or {}).get("ephemeralContainers") or []


def _statuses(pod: Pod) -> dict[str, dict[str, Any]]:
    given = (pod.get("status") or {}).get("ephemeralContainerStatuses") or ()
    return {status["name"]: status for status in given}


def _told(container: Mapping[str, Any]) -> dict[str, Any] | None:
    """The labels, annotations and start of the attempt to which a container belongs; None for one
    beside it, and for one with which a person debugs."""
    for entry in container.get("env") or ():
        if entry.get("name") == ATTEMPT_VARIABLE:
            try:
                told: dict[str, Any] = json.loads(entry["value"].replace("$$", "$"))
                return {key: dict(told[key]) for key in ("labels", "annotations")} | {
                    "since": str(told["since"])
                }
            except (KeyError, ValueError, TypeError, AttributeError):
                return None
    return None


def _as_own(pod: Pod, container: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    meta, name = pod["metadata"], container["name"]
    annotations = meta.get("annotations") or {}
    labels = {key: value for key, value in meta["labels"].items() if key != DIRECTORY}
    seconds = timeout_of(container)
    return {
        "metadata": {
            **meta,
            "labels": {**labels, **told["labels"]},
            "annotations": {**annotations, **told["annotations"], CONTAINER: name},
            "creationTimestamp": told["since"],
            DIRECTORY_OF: {key: meta["labels"].get(key) for key in (TASK, TASK_RUN, ATTEMPT)}
            | {"annotations": annotations},
        },
        "spec": {
            "containers": [{**container, "resources": _resources(pod)}],
            "activeDeadlineSeconds": seconds,
        },
        "status": _status(pod, name, seconds),
    }


def _status(pod: Pod, name: str, limit: int | None) -> dict[str, Any]:
    whole = pod.get("status") or {}
    statuses = _statuses(pod)
    own = statuses.get(name)
    beside = [status for other, status in statuses.items() if other.startswith(f"{name}-")]
    made = {
        **{key: whole[key] for key in ("phase", "conditions", "reason", "message") if key in whole},
        "initContainerStatuses": [*(whole.get("initContainerStatuses") or ()), *beside],
        "containerStatuses": [own] if own is not None else [],
    }
    ended = ((own or {}).get("state") or {}).get("terminated")
    if ended is not None and limit is not None and _is_late(ended, limit):
        return {**made, "phase": "Failed", "reason": "DeadlineExceeded"}
    files = ephemeral_end(pod, files_name(name))
    if ended is None and files is not None and files.get("exitCode") != 0:
        # An ephemeral container is not restarted, so the script would wait for it for ever.
        words = files.get("reason") or ""
        words = words if words not in ("", "Error") else exit_words(files.get("exitCode", 1))
        message = f"the container that moves the task's files ended: {words}"
        return {**made, "phase": "Failed", "reason": "FilesFailed", "message": message}
    return made


def _is_late(ended: Mapping[str, Any], limit: int) -> bool:
    """Whether its timeout ended a container: a program may have that exit code of its own."""
    start, end = (podstatus.date(ended.get(key)) for key in ("startedAt", "finishedAt"))
    if ended.get("exitCode") != LATE or start is None or end is None:
        return False
    return (end - start).total_seconds() >= limit


def _resources(pod: Pod) -> Mapping[str, Any]:
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container.get("name") == HOLDER:
            found: Mapping[str, Any] = container.get("resources") or {}
            return found
    return {}
