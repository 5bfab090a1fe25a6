"""Reads a pod's status: small questions, and the messages that tell a cause.

Objects come from a watch, so every part of one may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.kubernetes.api.labels import CONTAINER
from penstock.tasks.contract.output_lines import exit_words

CONTAINER_NAME = "task"

_GONE = "gone"
"""A field in the metadata of a pod that is gone."""

_INFRASTRUCTURE = frozenset(
    {
        "Evicted", "NodeShutdown", "Shutdown", "NodeLost", "NodeAffinity", "Preempting",
        "Preempted", "Terminated", "UnexpectedAdmissionError", "TopologyAffinityError",
        "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "NodeNotReady",
        "UnreachableNode",
    }
)  # fmt: skip
"""Reasons of a failed pod that never are the task's own (unless it used more than its limits)."""

_OWN_LIMITS = ("exceeds the total limit", "local ephemeral storage limit", "exceeds the limit")
_PENDING = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
        "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed",
        "CreateContainerConfigError", "CreateContainerError", "CreatePodSandboxError",
    }
)  # fmt: skip
_MISSING_SECRET = re.compile(r'^secret "(?P<name>[^"]+)" not found')
_MISSING_KEY = re.compile(r"^couldn't find key (?P<key>\S+) in Secret [^/\s]+/(?P<name>\S+)")
"""Matches a kubelet's message about a container whose variables it can't make."""
_NO_SHELL = re.compile(r"/bin/sh\b.*(no such file|not found)", re.IGNORECASE)
"""Matches a runtime's message about an image that lacks the shell of a script."""
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})


@dataclass(frozen=True)
class Cause:
    """The cause of a failure, as a reason and a message."""

    reason: str
    message: str


@dataclass(frozen=True)
class Disruption(Cause):
    """The reason why a pod was taken from its node."""

    own_fault: bool = False


@dataclass(frozen=True)
class PendingProblem(Cause):
    """The problem that keeps a pod from starting."""

    hopeless: bool = False
    """Whether waiting can't help."""


def main_pod(pods: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The pod that counts: one that succeeded, else the newest."""

    def rank(pod: Mapping[str, Any]) -> tuple[bool, str]:
        ended = terminated(pod)
        success = ended is not None and ended.get("exitCode") == 0
        return success, str((pod.get("metadata") or {}).get("creationTimestamp") or "")

    return max(pods, key=rank, default=None)


def container_name(pod: Mapping[str, Any]) -> str:
    """The name of the task's container."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(CONTAINER, CONTAINER_NAME))


def terminated(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The terminated state of the task's container."""
    return _state(pod, "terminated")


def started(pod: Mapping[str, Any]) -> datetime | None:
    """The date since which the task's container runs; None where it does not run."""
    running = _state(pod, "running")
    return date(running.get("startedAt")) if running is not None else None


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has ended, whether or not it has a status of its container."""
    return _status(pod).get("phase") in ("Failed", "Succeeded")


def was_deleted(pod: Mapping[str, Any]) -> bool:
    """Whether the pod is being deleted, or is gone."""
    return is_gone(pod) or (pod.get("metadata") or {}).get("deletionTimestamp") is not None


def is_gone(pod: Mapping[str, Any]) -> bool:
    """Whether the pod is gone, so that no further event of it comes."""
    return _GONE in (pod.get("metadata") or {})


def gone(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A pod as the controller remembers it once it is gone."""
    return {**pod, "metadata": {**pod["metadata"], _GONE: True}}


def out_of_time(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's own deadline ended it."""
    return _status(pod).get("reason") == "DeadlineExceeded"


def job_condition(job: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any] | None:
    """A Job's condition of a type; None where it is not True."""
    conditions = ((job or {}).get("status") or {}).get("conditions")
    return _condition(conditions, kind)


def job_has_ended(job: Mapping[str, Any] | None) -> bool:
    """Whether a Job has ended, or is about to."""
    kinds = ("Complete", "SuccessCriteriaMet", "Failed", "FailureTarget")
    return any(job_condition(job, kind) is not None for kind in kinds)


def dates(
    pod: Mapping[str, Any], ended: Mapping[str, Any] | None
) -> tuple[datetime | None, datetime | None]:
    """The dates between which the container ran."""
    if ended is None:
        return date(_status(pod).get("startTime")), None
    return date(ended.get("startedAt")), date(ended.get("finishedAt"))


def disruption(pod: Mapping[str, Any], ended: Mapping[str, Any] | None) -> Disruption | None:
    """The disruption that took a pod from its node before its container ended; None where there was
    none."""
    status = _status(pod)
    reason, message = status.get("reason") or "", status.get("message") or ""
    target = _condition(status.get("conditions"), "DisruptionTarget")
    if target is not None:
        since = date(target.get("lastTransitionTime"))
        finished = date(ended.get("finishedAt")) if ended is not None else None
        if since is not None and finished is not None and finished < since:
            return None
        message = message or target.get("message") or ""
        reason = reason or target.get("reason") or "DisruptionTarget"
    elif reason not in _INFRASTRUCTURE:
        return None
    own_fault = reason == "Evicted" and any(words in message for words in _OWN_LIMITS)
    return Disruption(reason, message or reason, own_fault)


def cause(pod: Mapping[str, Any], ended: Mapping[str, Any] | None) -> Cause:
    """The cause of a failure that no disruption explains."""
    if ended is None:
        status = _status(pod)
        reason = status.get("reason") or "PodFailed"
        return Cause(
            reason, status.get("message") or "the pod failed, and Kubernetes tells no reason"
        )
    reason, code = ended.get("reason") or "", ended.get("exitCode", 1)
    if reason == "OOMKilled":
        limit = _memory_limit(pod)
        return Cause("OOMKilled", f"OOMKilled at {limit}" if limit else "OOMKilled")
    if reason not in ("", "Error", "Completed") and ended.get("message"):
        message = str(ended["message"]).strip()
        if _NO_SHELL.search(message):
            message = "the image has no `/bin/sh`, which a script needs: use one that has it"
        return Cause(reason, message)
    if reason == "ContainerStatusUnknown":
        return Cause(reason, "the container's end was not seen")
    return Cause("ExitCode", exit_words(code))


def pending_problem(pod: Mapping[str, Any]) -> PendingProblem | None:
    """The problem that may keep a pod from ever starting; None where there is none."""
    if is_over(pod) or terminated(pod) is not None or started(pod) is not None:
        return None
    for waiting in _waiting(pod):
        reason = waiting.get("reason")
        if reason in _PENDING:
            message = str(waiting.get("message") or reason)
            missing = _missing_secret(pod, message)
            return missing or PendingProblem(reason, message, reason in _HOPELESS)
    for condition in _status(pod).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = condition.get("reason") or "Unschedulable"
            return PendingProblem(reason, condition.get("message") or reason)
    return None


def has_left_start(pod: Mapping[str, Any]) -> bool:
    """Whether nobody is at work to start the pod: it runs, has ended, or can't start for now."""
    phase = _status(pod).get("phase", "Pending")
    return phase != "Pending" or was_deleted(pod) or pending_problem(pod) is not None


def _missing_secret(pod: Mapping[str, Any], message: str) -> PendingProblem | None:
    """The problem of a Secret that does not exist. Nobody can know whether it ever will, so the
    task ends at once."""
    found = _MISSING_KEY.match(message) or _MISSING_SECRET.match(message)
    if found is None:
        return None
    given = found.groupdict()
    namespace, name = (pod.get("metadata") or {}).get("namespace"), given["name"]
    lacks = f"has no key `{given['key']}`" if "key" in given else "is not there"
    words = (
        f"the Secret `{name}` {lacks} in the namespace `{namespace}`: add it, or name another key "
        "for it in the Flow's annotation penstock.dev/secrets"
    )
    return PendingProblem("SecretMissing", words, hopeless=True)


def failed_init(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The terminated state of an init container that failed; None where none did."""
    for status in _status(pod).get("initContainerStatuses") or ():
        ended: Mapping[str, Any] | None = (status.get("state") or {}).get("terminated")
        if ended is not None and ended.get("exitCode") != 0:
            return ended
    return None


def date(text: object) -> datetime | None:
    """Read a date of the API server; None for anything else."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _status(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return pod.get("status") or {}


def _waiting(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The waiting state of each container, those of init containers among them."""
    status = _status(pod)
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            yield (container.get("state") or {}).get("waiting") or {}


def _state(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    for status in _status(pod).get("containerStatuses") or ():
        if status.get("name") == container_name(pod):
            state: Mapping[str, Any] | None = (status.get("state") or {}).get(kind)
            return state
    return None


def _condition(
    conditions: Iterable[Mapping[str, Any]] | None, kind: str
) -> Mapping[str, Any] | None:
    for condition in conditions or ():
        if condition.get("type") == kind and condition.get("status") == "True":
            return condition
    return None


def _memory_limit(pod: Mapping[str, Any]) -> str | None:
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container.get("name") == container_name(pod):
            limits = (container.get("resources") or {}).get("limits") or {}
            return str(limits["memory"]) if "memory" in limits else None
    return None
