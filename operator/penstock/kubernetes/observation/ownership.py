"""Tells which attempt a Job is of, and which Job a pod is of.

Labels and annotations are anyone's to write who may create a Job or a pod, in any namespace. So
none of them counts by itself: a Job is an attempt's if its controller is the Execution that it
names, by kind, name and uid, and if it has the name that this attempt's Job has by calculation; a
pod is a Job's if that Job is its controller, by uid, and is in the pod's namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.kubernetes.api.labels import (
    ATTEMPT,
    DIRECTORY,
    EXECUTION_NAME,
    EXECUTION_UID,
    SPEC_HASH,
    TASK_ID,
    TASK_RUN,
)
from penstock.kubernetes.api.names import job_name
from penstock.resources import GROUP

_DIGITS = 6
"""Digits that the number of an attempt may have."""


@dataclass(frozen=True)
class AttemptName:
    """The attempt that a Job or pod says it is of."""

    namespace: str
    execution: str
    uid: str
    """The uid of the execution."""
    task_run: str
    number: int
    shared: bool
    """Whether it is that of a WorkingDirectory, whose tasks share a pod."""


def attempt_named_by(owned: Mapping[str, Any]) -> AttemptName | None:
    """Read which attempt a Job or pod says it is of; None where it says none. It may be a lie."""
    meta = owned.get("metadata") or {}
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    uid, run, number = (labels.get(name) for name in (EXECUTION_UID, TASK_RUN, ATTEMPT))
    execution, namespace = annotations.get(EXECUTION_NAME), meta.get("namespace")
    if not (uid and run and number and execution and namespace):
        return None
    if not (isinstance(number, str) and number.isdigit() and len(number) <= _DIGITS):
        return None
    return AttemptName(namespace, execution, uid, run, int(number), DIRECTORY in labels)


def attempt_of_job(job: Mapping[str, Any]) -> AttemptName | None:
    """Tell which attempt a Job is of; None where its owner and its name do not bear out what it
    says. Whether there is an Execution of that name and uid is the caller's to check."""
    named = attempt_named_by(job)
    if named is None:
        return None
    annotations = job["metadata"]["annotations"]
    owner = _controller(job)
    if owner.get("kind") != "Execution" or not _is_of_group(owner, GROUP):
        return None
    if (owner.get("name"), owner.get("uid")) != (named.execution, named.uid):
        return None
    task = annotations.get(TASK_ID)
    if task is None or SPEC_HASH not in annotations:
        return None
    name = job_name(named.execution, named.uid, task, named.task_run, named.number)
    return named if job["metadata"].get("name") == name else None


def is_pod_of(pod: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Tell whether a Job made a pod."""
    owner, meta = _controller(pod), job["metadata"]
    return (
        owner.get("kind") == "Job"
        and _is_of_group(owner, "batch")
        and (owner.get("name"), owner.get("uid")) == (meta["name"], meta["uid"])
        and pod["metadata"].get("namespace") == meta["namespace"]
    )


def job_name_of_pod(pod: Mapping[str, Any]) -> str | None:
    """Name the Job that a pod says is its controller; None where it says none. It may be a lie."""
    owner = _controller(pod)
    return str(owner.get("name")) if owner.get("kind") == "Job" else None


def _controller(owned: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one owner that is the controller of an object; empty where it has none."""
    owners = owned["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller") is True), {})


def _is_of_group(owner: Mapping[str, Any], group: str) -> bool:
    return str(owner.get("apiVersion", "")).startswith(f"{group}/")
