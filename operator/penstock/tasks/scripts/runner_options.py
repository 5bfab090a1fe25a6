"""The properties of a task runner, as Kestra has them, with effect or without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

PullPolicy = Literal["ALWAYS", "IF_NOT_PRESENT", "NEVER"]
DOCKER_TYPE = "io.kestra.plugin.scripts.runner.docker.Docker"


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
    volumes: list[Any] | None = None
    """Volumes of the pod, as Kubernetes writes them; Docker's, which are text, have no effect."""
    device_requests: list[Any] | None = None
    """Docker's request of GPUs, which become `nvidia.com/gpu`; of other devices: no effect."""
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
    limit: {memory: 256Mi, nvidia.com/gpu: 1}
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
    volumes:
      - {name: models, persistentVolumeClaim: {claimName: models}}
    volumeMounts:
      - {name: models, mountPath: /models, readOnly: true}
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
    affinity: dict[str, Any] | None = None
    """Which nodes and neighbours the pod wants or shuns, as Kubernetes writes it."""
    volume_mounts: list[dict[str, Any]] | None = None
    """Where the volumes stand: `name`, `mountPath`, and if need be `subPath` and `readOnly`."""
    service_account_name: str | None = None
    """The pod's service account; its token is not mounted."""
    runtime_class_name: str | None = None
    """The pod's runtime class."""
    image_pull_secrets: list[Any] | None = None
    """Secrets to pull the image with, by their names or as `{name: …}`."""
    labels: dict[str, str] | None = None
    """Further labels of the pod."""
    wait_until_running: timedelta | None = None
    """How long the pod may wait for a node and its image; an administrator sets the default."""
    pod_spec: dict[str, Any] | None = None
    """A pod's spec. What has a property here is taken from it, the rest has no effect."""
    container_spec: dict[str, Any] | None = None
    """A container's spec: `resources` and `volumeMounts` are taken from it."""
    namespace: str | None = None
    """No effect in a pod."""
    container_default_spec: dict[str, Any] | None = None
    """No effect in a pod."""
    file_sidecar: dict[str, Any] | None = None
    """No effect in a pod."""
    wait_until_completion: str | None = None
    """No effect in a pod: use the task's `timeout`."""
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
