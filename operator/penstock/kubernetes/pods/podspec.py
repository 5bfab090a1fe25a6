"""The pod of one attempt: what its container runs and what it may do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Self

from penstock.kubernetes.pods.prelude import PRELUDE
from penstock.tasks.contract.plan import Plan
from penstock.tasks.contract.pod_folders import BASE, OWN, WORK, Paths
from penstock.tasks.contract.task import Container, Resources
from penstock.tasks.pod.main import camel
from penstock.tasks.registry.definitions import TASK_VARIABLE
from penstock.tasks.scripts.definition import MAX_ARGUMENT_BYTES

CONTAINER_NAME = "task"
FILES = "/penstock-files"
"""Where files that are too long for a command line are mounted."""
TASK_FILE = "task.json"
PLAN_FILE = "plan.json"
TERMINATION_FILE = "/dev/termination-log"
FIXED_ARGUMENTS = 3
"""Of the prelude: the base directory, the termination message, the folder of the run."""
MAX_SECONDS = 2**31 - 1


@dataclass(frozen=True)
class JobDefaults:
    """An administrator's settings for all Jobs."""

    image: str = "penstock"
    """Penstock's own image, for core tasks."""
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    task_command: tuple[str, ...] = ("python", "-I")
    """The command with which Penstock's own image starts Python; the module of the task follows."""
    script_user: int | None = 65532
    """The user of scripts; None for the image's own, which Pod Security `restricted` may refuse."""
    resources: Resources = field(default_factory=Resources)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    service_account_name: str | None = None
    priority_class_name: str | None = None
    ttl_seconds_after_finished: int = 3600
    termination_grace_period_seconds: int = 10
    pending_seconds: int = 600
    """The seconds that a pod may wait for its start, beyond the task's timeout."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read settings in camel case. Raises ``ValueError`` for a setting that does not exist."""
        names = {camel(item.name): item.name for item in fields(cls)}
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise ValueError(f"no such setting for jobs: {', '.join(unknown)}")
        given = {names[key]: value for key, value in values.items()}
        if isinstance(given.get("resources"), Mapping):
            given["resources"] = Resources(
                **{key: dict(given["resources"].get(key) or {}) for key in ("requests", "limits")}
            )
        for name in ("image_pull_secrets", "task_command", "tolerations"):
            if name in given:
                given[name] = tuple(given[name] or ())
        return cls(**given)


@dataclass(frozen=True)
class Mounted:
    """The files of a pod that come from a ConfigMap."""

    keys: Mapping[str, str]
    """The ConfigMap's key of each file, by its name in the working directory."""
    data: Mapping[str, str]


def mounted_files(container: Container, plan: Plan | None = None) -> Mounted | None:
    """The texts that fit neither a command line nor the environment, so that they have to be
    mounted."""
    keys: dict[str, str] = {}
    data: dict[str, str] = {}
    task = container.env.get(TASK_VARIABLE, "") if container.image is None else ""
    if _is_long(task):
        keys[TASK_FILE], data[TASK_FILE] = TASK_FILE, task
    if container.image is not None and _is_long(*container.files.values()):
        keys |= {name: f"file-{index}" for index, name in enumerate(container.files)}
        data |= {keys[name]: text for name, text in container.files.items()}
    if plan is not None and _is_long(text := plan.to_json()):
        data[PLAN_FILE] = text
    return Mounted(keys, data) if data else None


def _is_long(*texts: str) -> bool:
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) > MAX_ARGUMENT_BYTES


def pod_spec(
    container: Container,
    defaults: JobDefaults,
    mounted: Mounted | None,
    config_map: str,
    timeout: timedelta | None,
    paths: Paths = OWN,
) -> dict[str, Any]:
    """The spec of the attempt's pod."""
    own = container.image is None
    chosen = container.placement
    volumes: list[dict[str, Any]] = [] if own else [{"name": "work", "emptyDir": {}}]
    if mounted is not None:
        volumes.append({"name": "files", "configMap": {"name": config_map}})
    pull_secrets = dict.fromkeys((*defaults.image_pull_secrets, *chosen.image_pull_secrets))
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": defaults.termination_grace_period_seconds,
        "activeDeadlineSeconds": deadline(timeout) if timeout is not None else None,
        "securityContext": _pod_security(own, defaults),
        "serviceAccountName": chosen.service_account_name or defaults.service_account_name,
        "priorityClassName": defaults.priority_class_name,
        "runtimeClassName": chosen.runtime_class_name,
        "imagePullSecrets": [{"name": name} for name in pull_secrets],
        "affinity": dict(chosen.affinity),
        "nodeSelector": {**defaults.node_selector, **chosen.node_selector},
        "tolerations": [dict(item) for item in (*defaults.tolerations, *chosen.tolerations)],
        "containers": [_container(container, defaults, mounted, volumes, paths)],
        "volumes": [*volumes, *map(dict, chosen.volumes)],
    }
    if chosen.volumes and defaults.script_user is not None:
        # A claim's volume belongs to root: with the group it belongs to the task's user too.
        spec["securityContext"] |= {
            "fsGroup": defaults.script_user,
            "fsGroupChangePolicy": "OnRootMismatch",
        }
    return {key: value for key, value in spec.items() if value not in (None, [], {})}


def own_container(
    name: str,
    command: tuple[str, ...],
    env: list[Mapping[str, Any]],
    mounts: list[Mapping[str, Any]],
    defaults: JobDefaults,
) -> dict[str, Any]:
    """A container of Penstock's own image beside the user's. Its texts are escaped for the kubelet
    already."""
    made: dict[str, Any] = {
        "name": name,
        "image": defaults.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "command": [literal(word) for word in (*defaults.task_command, *command)],
        "env": [dict(entry) for entry in env],
        "resources": merged_resources(Resources(), defaults.resources),
        "securityContext": _security(own=True, defaults=defaults),
        "terminationMessagePath": TERMINATION_FILE,
        "terminationMessagePolicy": "File",
        "volumeMounts": [dict(mount) for mount in mounts],
    }
    return {key: value for key, value in made.items() if value not in (None, [], {})}


def deadline(timeout: timedelta) -> int:
    """A time limit in whole seconds, at least one."""
    return min(max(1, math.ceil(timeout.total_seconds())), MAX_SECONDS)


def literal(text: str) -> str:
    """A text escaped so that the kubelet expands nothing in it."""
    return text.replace("$", "$$")


def _container(
    container: Container,
    defaults: JobDefaults,
    mounted: Mounted | None,
    volumes: list[dict[str, Any]],
    paths: Paths,
) -> dict[str, Any]:
    own = container.image is None
    mounts = {"work": BASE, "files": FILES}
    made: dict[str, Any] = {
        "name": CONTAINER_NAME,
        "image": defaults.image if own else container.image,
        "imagePullPolicy": defaults.image_pull_policy if own else container.pull_policy,
        "workingDir": None if own else BASE,
        "env": [
            {"name": name, "value": literal(value)}
            for name, value in _environment(container, defaults, mounted).items()
        ],
        "resources": merged_resources(container.resources, defaults.resources),
        "securityContext": _security(own, defaults),
        "terminationMessagePath": TERMINATION_FILE,
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            *(
                {
                    "name": volume["name"],
                    "mountPath": mounts[volume["name"]],
                    **({"readOnly": True} if volume["name"] == "files" else {}),
                }
                for volume in volumes
            ),
            *map(dict, container.placement.volume_mounts),
        ],
    }
    if own:
        made["command"] = [literal(word) for word in (*defaults.task_command, *container.command)]
    else:
        made["command"] = ["/bin/sh", "-c", literal(PRELUDE), "penstock"]
        made["args"] = [literal(word) for word in _arguments(container, mounted, paths)]
    return {key: value for key, value in made.items() if value not in (None, [], {})}


def _arguments(container: Container, mounted: Mounted | None, paths: Paths) -> list[str]:
    words = [BASE, TERMINATION_FILE, paths.run]
    for name, text in container.files.items():
        if mounted is not None and name in mounted.keys:
            words += ["-c", name, f"{FILES}/{mounted.keys[name]}"]
            continue
        first, *rest = in_pieces(text)
        words += ["-f", name, first]
        for piece in rest:
            words += ["-a", name, piece]
    return [*words, "--", *container.command]


def in_pieces(text: str) -> list[str]:
    """A text cut into pieces, at least one, that each fit an argument or a variable."""
    length = MAX_ARGUMENT_BYTES // 4  # no character has more than 4 bytes
    if len(text) <= length or not _is_long(text):
        return [text]
    return [text[start : start + length] for start in range(0, len(text), length)]


def _environment(
    container: Container, defaults: JobDefaults, mounted: Mounted | None
) -> Mapping[str, str]:
    if container.image is None:
        if mounted is None or TASK_FILE not in mounted.data:
            return container.env
        rest = {key: value for key, value in container.env.items() if key != TASK_VARIABLE}
        return {**rest, f"{TASK_VARIABLE}_FILE": f"{FILES}/{TASK_FILE}"}
    home = {"HOME": f"{BASE}/home"} if defaults.script_user is not None else {}
    return {**home, "TMPDIR": f"{BASE}/tmp", "WORKING_DIR": WORK, **container.env}


def merged_resources(wanted: Resources, default: Resources) -> dict[str, dict[str, str]]:
    """The resources of a container. Where a task names a resource, no default of it counts, which
    could contradict it."""
    said = {*wanted.requests, *wanted.limits}
    made = {}
    for name, own, defaults in (
        ("requests", wanted.requests, default.requests),
        ("limits", wanted.limits, default.limits),
    ):
        merged = {key: value for key, value in defaults.items() if key not in said} | dict(own)
        if merged:
            made[name] = merged
    return made


def _pod_security(own: bool, defaults: JobDefaults) -> dict[str, Any]:
    security: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    user = 65532 if own else defaults.script_user
    if user is not None:
        security |= {"runAsUser": user, "runAsGroup": user, "runAsNonRoot": user != 0}
    return security


def _security(own: bool, defaults: JobDefaults) -> dict[str, Any]:
    if own:
        return {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    if defaults.script_user is None or defaults.script_user == 0:
        return {}
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
