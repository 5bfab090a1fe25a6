"""The files of an attempt's pod: the plan for them, and the container that follows it.

A script's files are moved by a container of Penstock's own beside it, which alone holds the grant.
That container is a native sidecar, since it works before and after the script. A script without
files has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from penstock.engine.interface.actions import StartAttempt, Workspace
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.kubernetes.pods.podspec import (
    FILES,
    PLAN_FILE,
    JobDefaults,
    Mounted,
    literal,
    merged_resources,
)
from penstock.kubernetes.pods.prelude import FILES_PRELUDES
from penstock.storage.grants import Right
from penstock.storage.uris import ExecutionPlace, uri_of
from penstock.tasks.contract.localizing import Localizing
from penstock.tasks.contract.packages import PACKAGES_VARIABLE
from penstock.tasks.contract.plan import PLAN_VARIABLE, Plan, SharedDirectory
from penstock.tasks.contract.pod_folders import BASE, OWN, WORK, Paths
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import Container, NamespaceFilesOption, Resources, TaskFailure
from penstock.tasks.files.input_files import file_map
from penstock.tasks.registry.properties import read
from penstock.tasks.scripts.definition import MAX_ARGUMENT_BYTES

FILES_CONTAINER = "files"
STAGING_COMMAND = ("-m", "penstock.tasks.pod.staging")
CLOSING = Container(command=("-m", "penstock.tasks.pod.working_directory_close"), storage=True)
"""The container of a WorkingDirectory's own attempt."""
FILES_RESOURCES = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "256Mi"})
"""The resources of the sidecar. It holds a few MiB of a file at a time, so it needs some 30 MiB
however large files are. The limit guards the node; the rest of it is for what the kernel keeps of
files that are being written.
"""

_USER = 65532
_PRELUDES = {literal(plain): literal(files) for plain, files in FILES_PRELUDES.items()}
_WORK_MOUNT: dict[str, Any] = {"name": "work", "mountPath": BASE}


@dataclass(frozen=True)
class PodStorage:
    """The access of an attempt's pod to the internal storage."""

    place: ExecutionPlace
    environment: Mapping[str, str]
    """The variables by which the pod reaches the storage service: where that is, the CAs by which
    it is known, and the grant."""


def needs_storage(start: StartAttempt, container: Container, paths: Paths = OWN) -> bool:
    """Whether the pod of an attempt needs a grant."""
    if not container.is_script:
        return container.storage
    option = container.namespace_files
    return (
        (start.workspace is not None and not paths.within)
        or bool(container.fetched or container.output_files or container.output_directory)
        or (option is not None and option.enabled)
        or _needs_paths(container)
    )


def wants_storage(start: StartAttempt, container: Container, paths: Paths = OWN) -> bool:
    """Whether the pod of an attempt gets a grant where there is a storage. It may work without
    one."""
    return needs_storage(start, container, paths) or bool(_packages(start, container))


def rights(start: StartAttempt, container: Container) -> frozenset[Right]:
    """The rights beyond the usual ones that the grant of an attempt needs."""
    options = [container.namespace_files]
    uris = list(container.fetched.values())
    if start.workspace is not None:
        option, given = (
            start.workspace.properties.get(name) for name in ("namespaceFiles", "inputFiles")
        )
        options.append(read(NamespaceFilesOption, option) if option is not None else None)
        uris += file_map("inputFiles", given).values()
    elsewhere = any(option is not None and option.namespaces for option in options)
    elsewhere = elsewhere or any(
        uri.startswith("nsfile://") and not uri.startswith("nsfile:///") for uri in uris
    )
    asked: set[Right] = {right for right in get_args(Right) if right in container.rights}
    return frozenset(asked | ({"namespaces"} if elsewhere else set()))


def staged(
    start: StartAttempt, container: Container, storage: PodStorage | None, paths: Paths = OWN
) -> tuple[Container, Plan | None]:
    """The container with paths in place of URIs, and the plan for its files; None where it has
    none.

    Raises :class:`TaskFailure` where files are needed and there is no storage.
    """
    packages = _packages(start, container) if storage is not None else ""
    if not needs_storage(start, container, paths) and not packages:
        return _localized(container, _localizing(paths, with_uris=False)), None
    if storage is None:
        raise TaskFailure("the task uses files, and this installation has no internal storage")
    localizing = _localizing(paths, with_uris=container.is_script)
    made = _localized(container, localizing)
    option = container.namespace_files
    plan = Plan(
        origin=_origin(start, storage.place),
        fetched=dict(container.fetched),
        beside={path.removeprefix(f"{paths.base}/"): uri for uri, path in localizing.paths.items()},
        namespace_files=option if option is not None and option.enabled else None,
        output_files=list(container.output_files),
        output_directory=container.output_directory or localizing.with_output,
        shared=_shared(start, storage.place, paths),
        within=paths.within,
        packages=packages,
    )
    return made, plan


def with_files(
    pod: Mapping[str, Any],
    container: Container,
    plan: Plan,
    storage: PodStorage,
    defaults: JobDefaults,
    mounted: Mounted | None,
) -> dict[str, Any]:
    """The pod with the sidecar, variables and folders that its plan needs."""
    grant = _environment(plan, storage, mounted)
    task = dict(pod["containers"][0])
    if not container.is_script:
        return _with_room(pod, task, grant)
    task["command"] = [_PRELUDES.get(word, word) for word in task["command"]]
    if plan.output_directory or plan.output_files:
        task["env"] = [{"name": "OUTPUT_DIR", "value": Paths(plan.within).output}, *task["env"]]
    if plan.packages:
        place = {"name": PACKAGES_VARIABLE, "value": Paths(plan.within).packages}
        task["env"] = [place, *task["env"]]
    security = dict(pod["securityContext"])
    if defaults.script_user != _USER:
        security["fsGroup"] = _USER  # both users may write to the files in the common folder
    return {
        **pod,
        "securityContext": security,
        "initContainers": [
            *pod.get("initContainers", ()),
            _files_container(grant, defaults, mounted),
        ],
        "containers": [task],
    }


def _with_room(
    pod: Mapping[str, Any], task: dict[str, Any], grant: list[dict[str, str]]
) -> dict[str, Any]:
    """A pod of a core task with the grant in its own container, and with a folder on the disk."""
    task["env"] = [*task.get("env", ()), *grant]
    task["volumeMounts"] = [*task.get("volumeMounts", ()), _WORK_MOUNT]
    volumes = [*pod.get("volumes", ()), {"name": "work", "emptyDir": {}}]
    return {**pod, "containers": [task], "volumes": volumes}


def plan_environment(
    plan: Plan, storage: PodStorage
) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    """The variables of a container that follows a plan, and the data of the ConfigMap that it
    needs."""
    text = plan.to_json()
    data = {PLAN_FILE: text} if len(text.encode()) > MAX_ARGUMENT_BYTES else {}
    return [*_environment(plan, storage, Mounted({}, data))], data


def _environment(plan: Plan, storage: PodStorage, mounted: Mounted | None) -> list[dict[str, str]]:
    values = {**storage.environment, "TMPDIR": BASE}
    if mounted is not None and PLAN_FILE in mounted.data:
        values[f"{PLAN_VARIABLE}_FILE"] = f"{FILES}/{PLAN_FILE}"
    else:
        values[PLAN_VARIABLE] = plan.to_json()
    return [{"name": name, "value": literal(value)} for name, value in values.items()]


def _files_container(
    grant: list[dict[str, str]], defaults: JobDefaults, mounted: Mounted | None
) -> dict[str, Any]:
    mounts = [_WORK_MOUNT]
    if mounted is not None and PLAN_FILE in mounted.data:
        mounts.append({"name": "files", "mountPath": FILES, "readOnly": True})
    made = {
        "name": FILES_CONTAINER,
        "image": defaults.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "restartPolicy": "Always",
        "command": [literal(word) for word in (*defaults.task_command, *STAGING_COMMAND)],
        "env": grant,
        "resources": merged_resources(FILES_RESOURCES, defaults.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
        },
        "volumeMounts": mounts,
    }
    return {key: value for key, value in made.items() if value is not None}


def _packages(start: StartAttempt, container: Container) -> str:
    """The key of the packages of an attempt; empty where they are not kept."""
    wanted = container.packages
    return "" if wanted is None else wanted.key(start.secrets.told) or ""


def _needs_paths(container: Container) -> bool:
    localizing = _localizing(OWN, with_uris=True)
    _localized(container, localizing)
    return bool(localizing.paths) or localizing.with_output


def _localizing(paths: Paths, *, with_uris: bool) -> Localizing:
    return Localizing(WORK, paths.output, paths.fetched, with_uris=with_uris)


def _localized(container: Container, localizing: Localizing) -> Container:
    return replace(
        container,
        files={name: localizing.text(text) for name, text in container.files.items()},
        command=tuple(map(localizing.text, container.command)),
        env={name: localizing.text(value) for name, value in container.env.items()},
    )


def _origin(start: StartAttempt, place: ExecutionPlace) -> Origin:
    run = start.task_run
    return Origin(place.namespace, place.flow, place.execution, run.task_id, run.id, run.value)


def _shared(start: StartAttempt, place: ExecutionPlace, paths: Paths) -> SharedDirectory | None:
    workspace = start.workspace
    closing = isinstance(start.task, WorkingDirectory)
    if workspace is None or (paths.within and not closing):
        return None
    if paths.within:
        return of_directory(workspace)
    left = [
        uri_of(place.task_file(task, run, _archive(number)))
        for task, run, number in workspace.left_by
    ]
    name = "" if closing else _archive(start.attempt.number)
    return replace(of_directory(workspace), left_by=left, name=name)


def of_directory(workspace: Workspace) -> SharedDirectory:
    """The WorkingDirectory as the containers of a pod that its tasks share know it."""
    return SharedDirectory(
        id=workspace.id, failed=workspace.failed, properties=_checked(workspace.properties)
    )


def _checked(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a WorkingDirectory as its pods read them."""
    made = dict(properties)
    if (option := made.get("namespaceFiles")) is not None:
        made["namespaceFiles"] = asdict(read(NamespaceFilesOption, option))
    return made


def _archive(attempt: int) -> str:
    """The name of the file, among those of its task run, in which an attempt leaves the
    directory."""
    return f".penstock/directory-{attempt}.tar"
