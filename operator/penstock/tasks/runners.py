"""Task runners: where Kestra runs a script. Here it is always a pod; what fits a pod is taken over.

Docker's properties that mean nothing in a pod are accepted with a warning, so that a flow file runs
as it is. Of the Kubernetes runner's, those are taken over that leave the pod as safe as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from penstock.tasks.contract import Placement, Resources, TaskFailure
from penstock.tasks.pod import camel

PullPolicy = Literal["ALWAYS", "IF_NOT_PRESENT", "NEVER"]

_DOCKER = frozenset(
    {
        "io.kestra.plugin.scripts.runner.docker.docker",
        "io.kestra.plugin.scripts.runner.docker.dockertaskrunner",
    }
)
_PROCESS = frozenset(
    {
        "io.kestra.plugin.core.runner.process",
        "io.kestra.plugin.core.runner.processtaskrunner",
        "io.kestra.core.models.tasks.runners.types.processtaskrunner",
    }
)
_KUBERNETES = frozenset(
    {
        "io.kestra.plugin.ee.kubernetes.runner.kubernetes",
        "io.kestra.plugin.kubernetes.runner.kubernetes",
    }
)
DOCKER_TYPE = "io.kestra.plugin.scripts.runner.docker.Docker"

_PULL_POLICIES = {"ALWAYS": "Always", "IF_NOT_PRESENT": "IfNotPresent", "NEVER": "Never"}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True)
class Cpu:
    """Docker's limit of CPU time.

    ```yaml
    cpus: 0.5
    ```
    """

    cpus: float | None = None
    """How many CPUs the container may use; may be a fraction."""


@dataclass(frozen=True)
class Memory:
    """Docker's limits of memory.

    ```yaml
    memory: 512MB
    ```
    """

    memory: str | None = None
    """The most that the container may use, such as `512MB`."""
    memory_swap: str | None = None
    """No effect in a pod."""
    memory_swappiness: str | None = None
    """No effect in a pod."""
    memory_reservation: str | None = None
    """What the container is sure to get: the pod's request."""
    kernel_memory: str | None = None
    """No effect in a pod."""
    oom_kill_disable: bool | None = None
    """No effect in a pod."""


@dataclass(frozen=True)
class DockerOptions:
    """The old `docker` property of a script task, and what the Docker runner shares with it.

    ```yaml
    image: busybox:1.36
    pullPolicy: ALWAYS
    ```
    """

    image: str | None = None
    """The container's image; wins over `containerImage`."""
    pull_policy: PullPolicy | None = None
    """When the image is pulled."""
    cpu: Cpu | None = None
    """The limit of CPU time."""
    memory: Memory | None = None
    """The limits of memory."""
    host: str | None = None
    """No effect in a pod."""
    config: str | dict[str, Any] | None = None
    """No effect in a pod."""
    credentials: dict[str, Any] | None = None
    """No effect in a pod."""
    user: str | None = None
    """No effect in a pod."""
    entry_point: list[str] | None = None
    """No effect in a pod."""
    extra_hosts: list[str] | None = None
    """No effect in a pod."""
    network_mode: str | None = None
    """No effect in a pod."""
    volumes: list[str] | None = None
    """No effect in a pod."""
    device_requests: list[Any] | None = None
    """No effect in a pod."""
    port_bindings: list[str] | None = None
    """No effect in a pod."""
    platform: str | None = None
    """No effect in a pod."""
    shm_size: str | None = None
    """No effect in a pod."""
    privileged: bool | None = None
    """No effect in a pod."""


@dataclass(frozen=True)
class KubernetesResources:
    """What the Kubernetes runner asks for, as quantities such as `500m` and `128Mi`.

    ```yaml
    request: {cpu: 500m, memory: 128Mi}
    limit: {memory: 256Mi}
    ```
    """

    request: dict[str, str] | None = None
    """What the container is sure to get."""
    limit: dict[str, str] | None = None
    """The most that it may use."""


@dataclass(frozen=True)
class Runner(DockerOptions):
    """A `taskRunner` of the types Docker, Process and Kubernetes.

    ```yaml
    type: io.kestra.plugin.ee.kubernetes.runner.Kubernetes
    resources:
      request: {cpu: 500m, memory: 128Mi}
    nodeSelector: {disk: fast}
    ```
    """

    type: str = DOCKER_TYPE
    """The type of the runner."""
    resources: KubernetesResources | None = None
    """Requests and limits of the container."""
    node_selector: dict[str, str] | None = None
    """Labels that the pod's node must have."""
    tolerations: list[dict[str, Any]] | None = None
    """Taints of nodes that the pod bears."""
    service_account_name: str | None = None
    """The pod's service account; its token is not mounted."""
    namespace: str | None = None
    """No effect in a pod."""
    labels: dict[str, str] | None = None
    """No effect in a pod."""
    pod_spec: dict[str, Any] | None = None
    """No effect in a pod."""
    container_spec: dict[str, Any] | None = None
    """No effect in a pod."""
    container_default_spec: dict[str, Any] | None = None
    """No effect in a pod."""
    file_sidecar: dict[str, Any] | None = None
    """No effect in a pod."""
    wait_until_running: str | None = None
    """No effect in a pod."""
    wait_until_completion: str | None = None
    """No effect in a pod."""
    sync_working_directory: bool | None = None
    """No effect in a pod."""
    file_handling_strategy: str | None = None
    """No effect in a pod."""
    delete: bool | None = None
    """No effect in a pod."""
    wait: bool | None = None
    """No effect in a pod."""
    kill_grace_period: str | None = None
    """No effect in a pod."""
    resume: bool | None = None
    """No effect in a pod."""
    version: str | None = None
    """No effect in a pod."""


_EFFECTIVE = frozenset(
    {
        "type", "image", "pull_policy", "cpu", "memory", "resources", "node_selector",
        "tolerations", "service_account_name",
    }
)  # fmt: skip
_EFFECTIVE_MEMORY = frozenset({"memory", "memory_reservation"})


def known_runner(name: object) -> str | None:
    """Whether a runner's type is `docker`, `process` or `kubernetes`; None for every other."""
    lowered = str(name).lower()
    kinds = {"docker": _DOCKER, "process": _PROCESS, "kubernetes": _KUBERNETES}
    return next((kind for kind, types in kinds.items() if lowered in types), None)


def runner_warnings(at: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is accepted and does nothing, by the place of each property."""
    names = {camel(item.name) for item in fields(Runner) if item.name not in _EFFECTIVE}
    for name in options:
        if name in names:
            yield f"{at}.{name}", f"`{name}` has no effect in a pod"
    memory = options.get("memory")
    without = {camel(item.name) for item in fields(Memory) if item.name not in _EFFECTIVE_MEMORY}
    for name in memory if isinstance(memory, Mapping) else ():
        if name in without:
            yield f"{at}.memory.{name}", f"`{name}` has no effect in a pod"


def pull_policy(*options: DockerOptions | None) -> str:
    """Kestra's default since 0.23 is to pull what is not present."""
    for option in options:
        if option is not None and option.pull_policy is not None:
            return _PULL_POLICIES[option.pull_policy]
    return "IfNotPresent"


def resources(at: str, options: DockerOptions | None) -> Resources:
    """Docker's limits as those of a container. Raises :class:`TaskFailure`."""
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    if options is not None and options.cpu is not None and options.cpu.cpus is not None:
        milli = round(options.cpu.cpus * 1000)
        if milli < 1:
            raise TaskFailure(f"property `{at}.cpu.cpus`: at least 0.001 is needed")
        limits["cpu"] = f"{milli}m" if milli % 1000 else str(milli // 1000)
    memory = options.memory if options is not None else None
    if memory is not None and memory.memory is not None:
        limits["memory"] = _quantity(f"{at}.memory.memory", memory.memory)
    if memory is not None and memory.memory_reservation is not None:
        name = f"{at}.memory.memoryReservation"
        requests["memory"] = _quantity(name, memory.memory_reservation)
    wanted = options.resources if isinstance(options, Runner) else None
    if wanted is not None:
        requests |= wanted.request or {}
        limits |= wanted.limit or {}
    return Resources(requests=requests, limits=limits)


def placement(runner: Runner | None) -> Placement:
    """Where the pod of a task runs."""
    if runner is None:
        return Placement()
    return Placement(
        node_selector=runner.node_selector or {},
        tolerations=tuple(runner.tolerations or ()),
        service_account_name=runner.service_account_name,
    )


def _quantity(name: str, text: str) -> str:
    match = _SIZE.match(text)
    if match is None:
        raise TaskFailure(f"property `{name}`: `{text}` is not a size; write for example 512MB")
    size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 2**20:
        raise TaskFailure(f"property `{name}`: `{text}` is less than 1 MB")
    return f"{size // 2**20}Mi" if size % 2**20 == 0 else str(size)
