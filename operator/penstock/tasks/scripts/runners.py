"""Task runners, which say where Kestra runs a script. Here a script always runs in a pod.

Docker's properties that mean nothing in a pod are accepted with a warning, so that a flow file runs
as it is. Of the Kubernetes runner, the properties are taken over that leave the pod as safe as it
was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any

from penstock.tasks.contract.task import Resources, TaskFailure
from penstock.tasks.pod.main import camel
from penstock.tasks.scripts.placement import CONTAINER_SPEC, POD_SPEC
from penstock.tasks.scripts.runner_options import DockerOptions, Memory, Runner

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
        "io.kestra.plugin.ee.kubernetes.runner.kubernetestaskrunner",
        "io.kestra.plugin.kubernetes.runner.kubernetes",
        "io.kestra.plugin.kubernetes.runner.kubernetestaskrunner",
    }
)
_PULL_POLICIES = {"ALWAYS": "Always", "IF_NOT_PRESENT": "IfNotPresent", "NEVER": "Never"}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


EFFECTIVE = frozenset(
    {
        "type", "image", "pull_policy", "cpu", "memory", "resources", "node_selector",
        "tolerations", "affinity", "volumes", "volume_mounts", "service_account_name",
        "runtime_class_name", "image_pull_secrets", "labels", "wait_until_running", "pod_spec",
        "container_spec", "device_requests",
    }
)  # fmt: skip
"""The properties of a runner that say something to a pod."""
_EFFECTIVE_MEMORY = frozenset({"memory", "memory_reservation"})


def known_runner(name: object) -> str | None:
    """The kind of a runner's type, `docker`, `process` or `kubernetes`; None for any other type."""
    lowered = str(name).lower()
    kinds = {"docker": _DOCKER, "process": _PROCESS, "kubernetes": _KUBERNETES}
    return next((kind for kind, types in kinds.items() if lowered in types), None)


def runner_warnings(at: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the properties that are accepted and have no effect, by their places, with the
    reason."""
    names = {camel(item.name) for item in fields(Runner) if item.name not in EFFECTIVE}
    for name in options:
        if name in names:
            yield f"{at}.{name}", f"`{name}` has no effect in a pod"
    yield from _parts(f"{at}.podSpec", options.get("podSpec"), POD_SPEC)
    yield from _parts(f"{at}.containerSpec", options.get("containerSpec"), CONTAINER_SPEC)
    volumes = options.get("volumes")
    if isinstance(volumes, list) and any(isinstance(volume, str) for volume in volumes):
        yield f"{at}.volumes", "Docker's volumes have no effect in a pod"
    memory = options.get("memory")
    without = {camel(item.name) for item in fields(Memory) if item.name not in _EFFECTIVE_MEMORY}
    for name in memory if isinstance(memory, Mapping) else ():
        if name in without:
            yield f"{at}.memory.{name}", f"`{name}` has no effect in a pod"


def _parts(at: str, given: Any, taken: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the properties of a spec that have no effect."""
    for name in given if isinstance(given, Mapping) else ():
        if name not in taken:
            yield f"{at}.{name}", f"`{name}` of a spec has no effect: Penstock makes the pod"


def pull_policy(*options: DockerOptions | None) -> str:
    """The pull policy of an image. Kestra's default since 0.23 is to pull an image that is not
    present."""
    for option in options:
        if option is not None and option.pull_policy is not None:
            return _PULL_POLICIES[option.pull_policy]
    return "IfNotPresent"


def resources(at: str, options: DockerOptions | None) -> Resources:
    """Docker's limits as the resources of a container. Raises :class:`TaskFailure`."""
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    if options is not None and options.cpu is not None and options.cpu.cpus is not None:
        milli = round(options.cpu.cpus * 1000)
        if milli < 1:
            raise TaskFailure(f"property `{at}.cpu.cpus`: must be at least 0.001")
        limits["cpu"] = f"{milli}m" if milli % 1000 else str(milli // 1000)
    memory = options.memory if options is not None else None
    if memory is not None and memory.memory is not None:
        limits["memory"] = _quantity(f"{at}.memory.memory", memory.memory)
    if memory is not None and memory.memory_reservation is not None:
        name = f"{at}.memory.memoryReservation"
        requests["memory"] = _quantity(name, memory.memory_reservation)
    gpus = _gpus(options.device_requests or []) if options is not None else 0
    if gpus:
        limits["nvidia.com/gpu"] = str(gpus)
    if isinstance(options, Runner):
        spec = (options.container_spec or {}).get("resources")
        if isinstance(spec, Mapping):
            requests |= _quantities(f"{at}.containerSpec.resources.requests", spec.get("requests"))
            limits |= _quantities(f"{at}.containerSpec.resources.limits", spec.get("limits"))
        if options.resources is not None:
            requests |= options.resources.request or {}
            limits |= options.resources.limit or {}
    return Resources(requests=requests, limits=limits)


def _quantities(at: str, given: Any) -> dict[str, str]:
    if given is not None and not isinstance(given, Mapping):
        raise TaskFailure(f"property `{at}`: must be a map")
    return {str(name): str(amount) for name, amount in (given or {}).items()}


def _gpus(requests: list[Any]) -> int:
    """The number of GPUs that Docker is asked for. A pod can't ask for all of a machine's: it gets
    one."""
    return sum(_gpus_of(request) for request in requests if isinstance(request, Mapping))


def _gpus_of(request: Mapping[str, Any]) -> int:
    kinds = f"{request.get('capabilities')} {request.get('driver')}".lower()
    if "gpu" not in kinds and "nvidia" not in kinds:
        return 0
    ids, count = request.get("deviceIds"), str(request.get("count"))
    if isinstance(ids, list) and ids:
        return len(ids)
    return max(1, int(count)) if count.isdigit() else 1


def _quantity(name: str, text: str) -> str:
    match = _SIZE.match(text)
    if match is None:
        raise TaskFailure(f"property `{name}`: `{text}` is not a size; write for example 512MB")
    size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 2**20:
        raise TaskFailure(f"property `{name}`: `{text}` is less than 1 MB")
    return f"{size // 2**20}Mi" if size % 2**20 == 0 else str(size)
