"""The pod of a WorkingDirectory, in which its tasks run one after the other.

It is the pod of one Job. An init container puts the first files of the directory in place; the
container `directory` does nothing but keep the pod, until all tasks are over. Each attempt of a
task is an *ephemeral container* that is added when its turn has come: what it runs is known only
then, since it may read outputs of the tasks before. It is the container of what would be the
attempt's own pod, folded into this one. A container of Penstock's that moves its files is added
beside it.

Ephemeral containers have no resources of their own: they live on the pod's, which are the largest
that any of its tasks asks for. They are never restarted, and end for good with the pod.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.engine.interface.actions import StartAttempt, Workspace
from penstock.engine.interface.secrets import Secrets
from penstock.kubernetes.api.labels import (
    ATTEMPT,
    DIRECTORY,
    EXECUTION_NAME,
    SPEC_HASH,
    START_WITHIN,
    TASK,
    TASK_ID,
    TASK_RUN,
)
from penstock.kubernetes.api.names import digest, ephemeral_name, job_name
from penstock.kubernetes.jobs.job import (
    JobObjects,
    Owner,
    config_map,
    job_meta,
    job_spec,
    labels_of,
)
from penstock.kubernetes.pods.files_sidecar import (
    FILES_CONTAINER,
    PodStorage,
    of_directory,
    plan_environment,
)
from penstock.kubernetes.pods.podspec import (
    FILES,
    JobDefaults,
    deadline,
    in_pieces,
    literal,
    own_container,
    pod_spec,
)
from penstock.kubernetes.pods.shared_resources import pooled
from penstock.kubernetes.secrets.locations import SecretPlaces
from penstock.kubernetes.secrets.references import beside_of
from penstock.tasks.contract.plan import PLAN_VARIABLE, SECRETS_VARIABLE, Plan
from penstock.tasks.contract.pod_folders import BASE
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import Container, TaskFailure
from penstock.tasks.pod.main import TIMEOUT_VARIABLE
from penstock.tasks.pod.working_directory_pod import END
from penstock.tasks.registry.definitions import TASK_VARIABLE
from penstock.tasks.registry.shared_pod import Sharing, sharing

HOLDER = "directory"
ENDER = "end"
ATTEMPT_VARIABLE = "PENSTOCK_ATTEMPT"
"""The variable of an attempt's container that says whose it is: as JSON, what a Job of its own
would have as metadata."""

_BEFORE = "begin"
_MODULE = ("-m", "penstock.tasks.pod.working_directory_pod")
_WORK: Mapping[str, Any] = {"name": "work", "mountPath": BASE}
_END: Mapping[str, Any] = {"name": "end", "mountPath": str(END)}
_USER = 65532
_STEPS = ("inputFiles", "namespaceFiles", "cache")
_LONG = (TASK_VARIABLE, PLAN_VARIABLE, SECRETS_VARIABLE)
_NOT_EPHEMERAL = ("resources", "restartPolicy")


@dataclass(frozen=True)
class AddedContainers:
    """The containers that are added to the pod for one attempt."""

    name: str
    """The name of the attempt's own container."""
    before: tuple[dict[str, Any], ...]
    """Containers that have to end successfully before the others are added."""
    containers: tuple[dict[str, Any], ...]
    """The attempt's own container, and those that run beside it."""


def shared_by(workspace: Workspace | None) -> Sharing | None:
    """The demands of a directory's tasks on a pod that they share; None where they share none."""
    if workspace is None:
        return None
    return sharing((task.type, getattr(task, "properties", {})) for task in workspace.tasks)


def directory_name(execution: Mapping[str, Any], workspace: Workspace) -> str:
    """The name of the directory's Job."""
    meta = execution["metadata"]
    return job_name(meta["name"], meta["uid"], workspace.task, *workspace.key)


def name_in_directory(start: StartAttempt) -> str:
    """The name of an attempt's container in the pod of its directory."""
    return ephemeral_name(start.task_run.task_id, *start.key)


def needs_storage(workspace: Workspace) -> bool:
    """Whether the first files of a directory come from the storage."""
    return any(name in workspace.properties for name in _STEPS)


def build_directory(
    workspace: Workspace,
    asked: Sharing,
    owner: Owner,
    defaults: JobDefaults,
    storage: PodStorage | None,
    secrets: Secrets,
    places: SecretPlaces,
) -> JobObjects:
    """The Job of a WorkingDirectory. Raises :class:`~penstock.tasks.contract.task.TaskFailure`."""
    name = job_name(owner.name, owner.uid, workspace.task, *workspace.key)
    labels = {**labels_of(owner, workspace.task, *workspace.key), DIRECTORY: "true"}
    annotations = {EXECUTION_NAME: owner.name, TASK_ID: workspace.task}
    if asked.placement.start_within is not None:
        annotations[START_WITHIN] = str(deadline(asked.placement.start_within))
    identity = digest([owner.uid, *workspace.key])
    meta = job_meta(name, owner, labels, annotations, identity)
    pod = _holding_pod(asked, defaults)
    data = _begin(pod, name, workspace, defaults, storage, secrets, places)
    spec = job_spec(
        {"labels": {**asked.placement.labels, **labels}, "annotations": annotations}, pod, defaults
    )
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
    return JobObjects(job, config_map(meta, data) if data else None)


def _holding_pod(asked: Sharing, defaults: JobDefaults) -> dict[str, Any]:
    holding = Container((*_MODULE, "hold"), placement=asked.placement)
    pod = pod_spec(holding, defaults, None, "", None)
    (made,) = pod["containers"]
    made |= {
        "name": HOLDER,
        "resources": pooled(asked.resources, defaults.resources),
        "securityContext": _as_user(made["securityContext"], _USER),
        "volumeMounts": [_END],
    }
    memory = {"medium": "Memory"}
    pod["volumes"] = [
        {"name": "work", "emptyDir": {}},
        {"name": "secret-texts", "emptyDir": memory},
        {"name": "end", "emptyDir": memory},
        *pod.get("volumes", ()),
    ]
    # Each container has its own user; the files in the common folder belong to the group of all.
    pod["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": _USER}
    if asked.placement.volumes:
        pod["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch"
    return pod


def _begin(
    pod: dict[str, Any],
    name: str,
    workspace: Workspace,
    defaults: JobDefaults,
    storage: PodStorage | None,
    secrets: Secrets,
    places: SecretPlaces,
) -> dict[str, str]:
    """Put the init container that runs before all tasks into the pod; gives the data of its
    ConfigMap."""
    env: list[Mapping[str, Any]] = []
    mounts = [_WORK]
    data: dict[str, str] = {}
    if needs_storage(workspace):
        if storage is None:
            raise TaskFailure(
                "the WorkingDirectory uses files, and this installation has no internal storage"
            )
        plan = Plan(_origin(workspace, storage), shared=of_directory(workspace))
        env, data = plan_environment(plan, storage)
        env += beside_of(plan, secrets, places)
    if data:
        pod["volumes"].append({"name": "files", "configMap": {"name": name}})
        mounts.append({"name": "files", "mountPath": FILES, "readOnly": True})
    made = own_container(_BEFORE, (*_MODULE, "begin"), env, mounts, defaults)
    made["securityContext"] = _as_user(made["securityContext"], _USER)
    # The pod has a limit only where all of its containers have one.
    made["resources"] = pod["containers"][0]["resources"]
    pod["initContainers"] = [made]
    return data


def _origin(workspace: Workspace, storage: PodStorage) -> Origin:
    place = storage.place
    return Origin(place.namespace, place.flow, place.execution, workspace.task, workspace.id, None)


def fold(objects: JobObjects, start: StartAttempt) -> AddedContainers:
    """Fold the Job of an attempt into containers for the pod of its WorkingDirectory."""
    job, name = objects.job, name_in_directory(start)
    pod = job["spec"]["template"]["spec"]
    inits = pod.get("initContainers", ())
    (task,) = pod["containers"]
    meta = job["metadata"]
    told = {
        "labels": {key: meta["labels"][key] for key in (TASK, TASK_RUN, ATTEMPT)},
        "annotations": job["spec"]["template"]["metadata"]["annotations"]
        | {SPEC_HASH: meta["annotations"][SPEC_HASH]},
        "since": start.attempt.created_date.isoformat(),
    }
    own = [{"name": ATTEMPT_VARIABLE, "value": literal(json.dumps(told))}]
    if start.timeout is not None:
        own.append({"name": TIMEOUT_VARIABLE, "value": str(deadline(start.timeout))})
    made = _folded(task, name, pod)
    made["env"] = [*own, *made.get("env", ())]
    beside = [_folded(item, _beside_name(name, item), pod) for item in inits if _goes_on(item)]
    before = [_folded(item, _beside_name(name, item), pod) for item in inits if not _goes_on(item)]
    return AddedContainers(name, tuple(before), (*beside, made))


def end_container(defaults: JobDefaults) -> dict[str, Any]:
    """The ephemeral container that lets the pod end."""
    made = own_container(ENDER, (*_MODULE, "end"), [], [_END], defaults)
    made["securityContext"] = _as_user(made["securityContext"], _USER)
    return _without_resources(made)


def timeout_of(container: Mapping[str, Any]) -> int | None:
    """The timeout of an attempt in a container of a shared pod, in seconds; None where it has
    none."""
    for entry in container.get("env") or ():
        if entry.get("name") == TIMEOUT_VARIABLE and str(entry.get("value")).isdigit():
            return int(entry["value"])
    return None


def _beside_name(name: str, container: Mapping[str, Any]) -> str:
    return f"{name}-{container['name']}"


def files_name(name: str) -> str:
    """The name of the container that moves the files of an attempt, from that of the attempt's
    container."""
    return _beside_name(name, {"name": FILES_CONTAINER})


def _goes_on(container: Mapping[str, Any]) -> bool:
    """Whether an init container runs as long as the task does, as a sidecar."""
    return container.get("restartPolicy") == "Always"


def _folded(container: Mapping[str, Any], name: str, pod: Mapping[str, Any]) -> dict[str, Any]:
    """A container of an attempt's own pod, made fit for a shared pod, which has no user of its
    own."""
    made = _without_resources({**container, "name": name})
    whole = pod.get("securityContext", {})
    user = {key: whole[key] for key in ("runAsUser", "runAsGroup", "runAsNonRoot") if key in whole}
    made["securityContext"] = {**user, **container.get("securityContext", {})}
    made["env"] = [part for entry in container.get("env", ()) for part in _in_parts(entry)]
    return made


def _without_resources(container: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in container.items() if key not in _NOT_EPHEMERAL}


def _in_parts(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A variable, cut into several where it is one of Penstock's long ones:
    :func:`penstock.tasks.contract.plan.read_long` puts them together."""
    name = entry["name"]
    if name not in _LONG:
        return [entry]
    first, *rest = in_pieces(entry["value"].replace("$$", "$"))
    parts = {name: first} | {f"{name}_{number}": piece for number, piece in enumerate(rest, 1)}
    return [{"name": part, "value": literal(piece)} for part, piece in parts.items()]


def _as_user(security: Mapping[str, Any], user: int) -> dict[str, Any]:
    return {**security, "runAsUser": user, "runAsGroup": user, "runAsNonRoot": True}
