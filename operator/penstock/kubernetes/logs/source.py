"""Tells whose log a pod's log is: the attempt's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import ATTEMPT, TASK_ID, TASK_RUN, VALUE
from penstock.kubernetes.api.names import job_name
from penstock.kubernetes.logs.lines import Source
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.observation.ownership import attempt_named_by

_OF_CORE_TASKS = ("PENSTOCK_TASK", "PENSTOCK_TASK_FILE")
"""Variables that only the container of a core task has."""


def source_of(pod: Object) -> Source | None:
    """The attempt whose log a pod's is; None where Penstock made no Job of the pod. Anyone may
    write labels, but the name of the pod's Job follows from those that Penstock writes.
    """
    meta = pod["metadata"]
    named, annotations = attempt_named_by(pod), meta.get("annotations") or {}
    task = annotations.get(TASK_ID)
    if named is None or not task:
        return None
    owners = {
        owner["name"] for owner in meta.get("ownerReferences") or () if owner["kind"] == "Job"
    }
    if _job_name(meta, named.execution, named.uid) not in owners:
        return None
    return Source(task, named.task_run, named.number, annotations.get(VALUE), _is_core(pod))


def _job_name(meta: Mapping[str, Any], execution: str, uid: str) -> str | None:
    """The name of the Job that the labels of a pod imply; for a pod that attempts share, the labels
    of the pod itself."""
    own = meta.get("directory") or {**meta["labels"], "annotations": meta.get("annotations") or {}}
    number, task = str(own.get(ATTEMPT)), own["annotations"].get(TASK_ID)
    if not number.isdigit() or task is None:
        return None
    return job_name(execution, uid, task, str(own.get(TASK_RUN)), int(number))


def _is_core(pod: Object) -> bool:
    """Whether the log of a pod says the level of its lines, as that of a core task does."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container.get("name") == podstatus.container_name(pod):
            names = {item.get("name") for item in container.get("env") or ()}
            return not names.isdisjoint(_OF_CORE_TASKS)
    return False
