"""Which attempt's log a pod's is."""

from __future__ import annotations

from penstock.kubernetes import podstatus
from penstock.kubernetes.api import Object
from penstock.kubernetes.labels import (
    ATTEMPT,
    EXECUTION_NAME,
    EXECUTION_UID,
    TASK_ID,
    TASK_RUN,
    VALUE,
)
from penstock.kubernetes.loglines import Source
from penstock.kubernetes.names import job_name

_OF_CORE_TASKS = ("PENSTOCK_TASK", "PENSTOCK_TASK_FILE")
"""Variables that only the container of a core task has."""


def source_of(pod: Object) -> Source | None:
    """None where the pod is of no Job that Penstock made. Labels are anyone's to write, but a Job's
    name follows from what they say.
    """
    meta = pod["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    uid, run, number = (labels.get(name) for name in (EXECUTION_UID, TASK_RUN, ATTEMPT))
    name, task = annotations.get(EXECUTION_NAME), annotations.get(TASK_ID)
    if not (uid and run and name and task and number and number.isdigit() and len(number) <= 6):
        return None
    attempt = int(number)
    owners = {
        owner["name"] for owner in meta.get("ownerReferences") or () if owner["kind"] == "Job"
    }
    if job_name(name, uid, task, run, attempt) not in owners:
        return None
    return Source(task, run, attempt, annotations.get(VALUE), _is_core(pod))


def _is_core(pod: Object) -> bool:
    """Whether its lines say their level."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container.get("name") == podstatus.CONTAINER_NAME:
            names = {item.get("name") for item in container.get("env") or ()}
            return not names.isdisjoint(_OF_CORE_TASKS)
    return False
