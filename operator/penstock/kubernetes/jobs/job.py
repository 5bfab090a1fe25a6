"""The Job of one attempt: a pure function of what the engine asked for.

One attempt is one Job of one pod: the Job never tries again by itself. Whether there is another
attempt is the engine's decision, so a pod that was lost with its node fails its Job too, with a
reason that tells it from other failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.engine.interface.actions import StartAttempt
from penstock.flow.task import Task
from penstock.kubernetes.api.labels import (
    ATTEMPT,
    EXECUTION,
    EXECUTION_NAME,
    EXECUTION_UID,
    IGNORE_UPDATES,
    MANAGED_BY,
    PAIRS,
    SPEC_HASH,
    START_WITHIN,
    TASK,
    TASK_ID,
    TASK_RUN,
    VALUE,
)
from penstock.kubernetes.api.names import digest, job_name, label_value
from penstock.kubernetes.pods.files_sidecar import PodStorage, staged, with_files
from penstock.kubernetes.pods.podspec import (
    MAX_SECONDS,
    JobDefaults,
    deadline,
    mounted_files,
    pod_spec,
)
from penstock.kubernetes.secrets.locations import SecretPlaces
from penstock.kubernetes.secrets.references import add_beside, add_to_pod, prepare
from penstock.tasks.contract.pod_folders import OWN, Paths
from penstock.tasks.contract.task import Container
from penstock.tasks.pod.main import LOG_LEVEL_VARIABLE

__all__ = ["JobDefaults", "JobObjects", "Owner", "build_job", "job_name", "matches"]

_SHOWN_VALUE = 1024


@dataclass(frozen=True)
class Owner:
    """The Execution that a Job belongs to."""

    name: str
    namespace: str
    uid: str
    api_version: str = "penstock.dev/v1alpha1"
    kind: str = "Execution"


@dataclass(frozen=True)
class JobObjects:
    """A Job, and the ConfigMap that has to be created before it."""

    job: dict[str, Any]
    config_map: dict[str, Any] | None = None


def build_job(
    start: StartAttempt,
    owner: Owner,
    container: Container,
    defaults: JobDefaults,
    storage: PodStorage | None = None,
    places: SecretPlaces | None = None,
    paths: Paths = OWN,
) -> JobObjects:
    """The Job of an attempt, and the ConfigMap that it needs where its texts are long.

    With other paths than those of a pod of its own the Job is to be folded into the pod of a
    WorkingDirectory (:mod:`penstock.kubernetes.jobs.working_directory`), and has no ConfigMap.

    Raises :class:`~penstock.tasks.contract.task.TaskFailure` where the attempt needs files and
    there is no storage, or where a secret stands in a text that no pod can fill.
    """
    run, attempt = start.task_run, start.attempt.number
    container = _with_log_level(container, start.task)
    name = job_name(owner.name, owner.uid, run.task_id, run.id, attempt)
    labels = labels_of(owner, run.task_id, run.id, attempt)
    annotations = {EXECUTION_NAME: owner.name, TASK_ID: run.task_id}
    if run.value is not None:
        annotations[VALUE] = run.value[:_SHOWN_VALUE]
    chosen = container.placement
    if chosen.start_within is not None:
        annotations[START_WITHIN] = str(deadline(chosen.start_within))
    if container.pairs is not None and container.pairs.changes:
        annotations[PAIRS] = container.pairs.to_json()
    meta = job_meta(name, owner, labels, annotations, spec_hash(start, owner))
    container, plan = staged(start, container, storage, paths)
    container, secrets = prepare(container, start.secrets, places or SecretPlaces(), plan, paths)
    mounted = mounted_files(container, plan) if paths == OWN else None
    pod = pod_spec(container, defaults, mounted, name, start.timeout, paths)
    data = dict(mounted.data) if mounted is not None else {}
    if secrets is not None:
        add_to_pod(pod, secrets, defaults, name)
        data |= secrets.mounted
    if plan is not None and storage is not None:
        pod = with_files(pod, container, plan, storage, defaults, mounted)
        if secrets is not None:
            add_beside(pod, secrets)
    spec = job_spec(
        {"labels": {**chosen.labels, **labels}, "annotations": annotations}, pod, defaults
    )
    if start.timeout is not None:
        waits = chosen.start_within
        pending = deadline(waits) if waits is not None else defaults.pending_seconds
        seconds = deadline(start.timeout) + pending
        spec["activeDeadlineSeconds"] = min(seconds, MAX_SECONDS)
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
    return JobObjects(job, config_map(meta, data) if data else None)


def job_spec(
    meta: Mapping[str, Any], pod: Mapping[str, Any], defaults: JobDefaults
) -> dict[str, Any]:
    """The spec of a Job that runs one pod once, as all Jobs do."""
    return {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                }
            ]
        },
        "ttlSecondsAfterFinished": defaults.ttl_seconds_after_finished,
        "template": {"metadata": dict(meta), "spec": dict(pod)},
    }


def _with_log_level(container: Container, task: Task) -> Container:
    """Tell a core task which of its log lines to drop."""
    if task.log_level is None or container.image is not None:
        return container
    return replace(container, env={**container.env, LOG_LEVEL_VARIABLE: task.log_level})


def spec_hash(start: StartAttempt, owner: Owner) -> str:
    """The hash that tells whether a Job is the one that an attempt means.

    It is made of the task as it is written, not as it was rendered: an expression that reads the
    environment must not make a restarted controller take its own Job for a foreign one.
    """
    return digest(
        [
            owner.uid,
            start.task_run.id,
            start.attempt.number,
            start.task.type,
            start.written,
        ]
    )


def matches(existing_job: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a Job that has the wanted name already is ours to adopt."""
    mine, theirs = _identity(wanted), _identity(existing_job)
    return mine == theirs and None not in mine


def _identity(job: Mapping[str, Any]) -> tuple[str | None, str | None]:
    meta = job.get("metadata") or {}
    uids = [
        owner.get("uid")
        for owner in meta.get("ownerReferences") or ()
        if owner.get("controller") is True
    ]
    return uids[0] if uids else None, (meta.get("annotations") or {}).get(SPEC_HASH)


def labels_of(owner: Owner, task_id: str, task_run_id: str, attempt: int) -> dict[str, str]:
    """The labels by which an attempt's Job and pod are found."""
    return {
        EXECUTION: label_value(owner.name),
        EXECUTION_UID: label_value(owner.uid),
        TASK: label_value(task_id),
        TASK_RUN: label_value(task_run_id),
        ATTEMPT: str(attempt),
        MANAGED_BY: "penstock",
    }


def job_meta(
    name: str,
    owner: Owner,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    identity: str,
) -> dict[str, Any]:
    """A Job's metadata. By its ``identity`` (a hash) and its owner the Job is known as ours."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": dict(labels),
        "annotations": {**annotations, IGNORE_UPDATES: "true", SPEC_HASH: identity},
        "ownerReferences": [_owner_reference(owner)],
    }


def _owner_reference(owner: Owner) -> dict[str, Any]:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def config_map(meta: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    """The ConfigMap of a Job, which has the Job's metadata and so its name."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": dict(meta),
        "immutable": True,
        "data": dict(data),
    }
