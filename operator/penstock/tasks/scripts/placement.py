"""The placement of a script's pod by its runner: on which nodes, as whom, with which volumes.

Nothing is taken over that makes a pod less safe than the administrator made it: no volume that
reaches the node or brings a Kubernetes credential, no mount over Penstock's own files. Pod Security
still decides in the end.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from penstock.tasks.contract.task import Placement, TaskFailure
from penstock.tasks.scripts.runner_options import Runner

POD_SPEC = frozenset(
    {
        "nodeSelector", "tolerations", "affinity", "serviceAccountName", "runtimeClassName",
        "imagePullSecrets", "volumes",
    }
)  # fmt: skip
"""What is taken from a runner's `podSpec`."""
CONTAINER_SPEC = frozenset({"resources", "volumeMounts"})
"""What is taken from a runner's `containerSpec`."""

_VOLUME_KINDS = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
)
"""The kinds that Pod Security `restricted` allows."""
_PROJECTED = frozenset({"configMap", "downwardAPI", "secret"})
"""Not a token of the service account: a task's pod holds no Kubernetes credential."""
_MOUNT = frozenset({"name", "mountPath", "subPath", "readOnly"})
_KEPT_PATHS = ("/penstock", "/penstock-files", "/dev", "/proc", "/sys")
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,56}[a-z0-9])?$")
_PREFIX = "user-"
"""Keeps the names of a flow's volumes apart from those that Penstock gives."""
_KEPT_LABELS = (
    *("penstock.dev/", "batch.kubernetes.io/", "job-name", "controller-uid"),
    *("argocd.argoproj.io/", "helm.sh/", "kustomize.toolkit.fluxcd.io/"),
    *("helm.toolkit.fluxcd.io/", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"),
)
"""Labels by which Penstock, Kubernetes and GitOps tools know what is theirs."""


def placement(runner: Runner | None) -> Placement:
    """The placement of a task's pod. Raises :class:`TaskFailure` for what is not allowed."""
    if runner is None:
        return Placement()
    spec = runner.pod_spec or {}
    container = runner.container_spec or {}
    volumes = _named(_list("podSpec.volumes", spec.get("volumes")), "podSpec.volumes")
    volumes |= _named(
        [item for item in runner.volumes or () if not isinstance(item, str)], "volumes"
    )
    mounts = [*_list("containerSpec.volumeMounts", container.get("volumeMounts"))]
    mounts += runner.volume_mounts or []
    return Placement(
        node_selector={**_map("nodeSelector", spec), **(runner.node_selector or {})},
        tolerations=(
            *_list("podSpec.tolerations", spec.get("tolerations")),
            *(runner.tolerations or ()),
        ),
        affinity=runner.affinity or _map("affinity", spec),
        service_account_name=runner.service_account_name or _text("serviceAccountName", spec),
        runtime_class_name=runner.runtime_class_name or _text("runtimeClassName", spec),
        image_pull_secrets=_secrets(
            [*(spec.get("imagePullSecrets") or ()), *(runner.image_pull_secrets or ())]
        ),
        labels=_labels(runner.labels or {}),
        volumes=tuple(volumes.values()),
        volume_mounts=tuple(_mount(mount, volumes) for mount in mounts),
        start_within=runner.wait_until_running,
    )


def _named(given: list[Any], at: str) -> dict[str, Mapping[str, Any]]:
    """The volumes by the names that the flow gives them, checked and renamed."""
    made = [_volume(f"{at}[{index}]", volume) for index, volume in enumerate(given)]
    return {volume["name"].removeprefix(_PREFIX): volume for volume in made}


def _volume(at: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not _NAME.match(str(given.get("name") or "")):
        raise _refused(at, "must have a `name` of up to 58 small letters, digits and dashes")
    kinds = [kind for kind in given if kind != "name"]
    if len(kinds) != 1 or kinds[0] not in _VOLUME_KINDS:
        said = ", ".join(f"`{kind}`" for kind in kinds) or "none"
        raise _refused(at, f"must be of one kind of {', '.join(_VOLUME_KINDS)}; it has {said}")
    if kinds[0] == "projected":
        _check_projected(at, given["projected"])
    return {**given, "name": _PREFIX + given["name"]}


def _check_projected(at: str, projected: Any) -> None:
    sources = projected.get("sources") if isinstance(projected, Mapping) else None
    for source in sources or ():
        foreign = set(source) - _PROJECTED if isinstance(source, Mapping) else {str(source)}
        if foreign:
            raise _refused(at, f"`{min(foreign)}` may not be projected into a task's pod")


def _mount(given: Mapping[str, Any], volumes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    at, path = f"volumeMounts.{given.get('name')}", given.get("mountPath")
    foreign = sorted(set(given) - _MOUNT)
    if foreign:
        raise _refused(at, f"`{foreign[0]}` is not allowed in the mount of a volume")
    if given.get("name") not in volumes:
        raise _refused(at, "no volume has this name")
    if not isinstance(path, str) or not path.startswith("/"):
        raise _refused(at, "`mountPath` must be an absolute path")
    real = posixpath.normpath(f"/{path.lstrip('/')}")
    if real == "/" or any(real == kept or real.startswith(f"{kept}/") for kept in _KEPT_PATHS):
        raise _refused(at, f"nothing may be mounted at `{path}`")
    return {**given, "name": _PREFIX + given["name"], "mountPath": real}


def _labels(given: Mapping[str, str]) -> Mapping[str, str]:
    for name in given:
        if name.startswith(_KEPT_LABELS):
            raise _refused(f"labels.{name}", "a flow may not set this label")
    return given


def _secrets(given: list[Any]) -> tuple[str, ...]:
    names = [item.get("name") if isinstance(item, Mapping) else item for item in given]
    if not all(isinstance(name, str) and name for name in names):
        raise _refused("imagePullSecrets", "must be names, or maps with a `name`")
    return tuple(map(str, names))


def _map(name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    found = spec.get(name) or {}
    if not isinstance(found, Mapping):
        raise _refused(f"podSpec.{name}", "must be a map")
    return found


def _text(name: str, spec: Mapping[str, Any]) -> str | None:
    found = spec.get(name)
    if found is not None and not isinstance(found, str):
        raise _refused(f"podSpec.{name}", "must be text")
    return found


def _list(at: str, given: Any) -> list[Any]:
    if given is not None and not isinstance(given, list):
        raise _refused(at, "must be a list")
    if any(not isinstance(item, Mapping) for item in given or ()):
        raise _refused(at, "must be a list of maps")
    return given or []


def _refused(at: str, why: str) -> TaskFailure:
    return TaskFailure(f"property `taskRunner.{at}`: {why}")
