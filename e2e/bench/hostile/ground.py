"""Where an attack takes place: a namespace of its own, and ways to write a lot into it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes.client.exceptions import ApiException

from e2e.bench.workloads import IMAGE, bare_job
from e2e.fixtures.kubernetes import GROUP, VERSION, Kubernetes, Object, wait_for
from e2e.gitserver import GitServer, Repository, create_repository

CORE = "io.kestra.plugin.core"
SYSTEM_NAMESPACE = "penstock-system"
PYTHON_IMAGE = "penstock.local/python:3"
_AT_ONCE = 16
_PATIENCE = 60.0


@dataclass
class Ground:
    """The attacker's namespace."""

    kubernetes: Kubernetes
    namespace: str
    folder: Path
    git: GitServer
    host: str
    """The address of this machine, as pods reach it."""
    refused: list[str] = field(default_factory=list)
    """What the API server did not let the attacker write."""

    def create(self, plural: str, bodies: Iterable[Object]) -> None:
        """Create objects, many at once. What is refused is noted: it is a defence."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for refusal in pool.map(lambda body: self._create(plural, body), bodies):
                if refusal is not None:
                    self.refused.append(refusal)

    def create_text(self, plural: str, text: str) -> None:
        """Create an object from its JSON, which may be nested deeper than Python writes."""
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{plural}"
        done = subprocess.run(
            ["kubectl", "create", "--raw", path, "-f", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self.refused.append(done.stderr.strip()[:200])

    def flow(self, id: str, annotations: Object | None = None, **spec: Any) -> None:
        """Create a Flow."""
        body = {"id": id, "namespace": "company.hostile", **spec}
        self.create("flows", [made("Flow", id, body, annotations)])

    def executions(self, flow: str, count: int = 1, **spec: Any) -> None:
        """Create so many Executions of a flow."""
        wanted = {"flow": {"name": flow}, **spec}
        self.create("executions", (made("Execution", f"{flow}-{n}", wanted) for n in range(count)))

    def repository(self, name: str = "hostile") -> Repository:
        """A repository of the attacker, on a server that pods reach."""
        create_repository(self.git.root, f"{self.namespace}-{name}")
        repository = Repository(self.git.clone_url(f"{self.namespace}-{name}"))
        repository.git("config", "core.compression", "0")
        return repository

    def git_source(self, name: str, url: str, **spec: Any) -> None:
        self.create("gitsources", [made("GitSource", name, {"url": url, **spec})])

    def grant(self, execution: str) -> tuple[str, str]:
        """Wait for the pod of an execution's task: the storage's URL and the grant in it."""

        def found() -> tuple[str, str] | None:
            for pod in self.kubernetes.pods(self.namespace):
                held = variables_of(pod)
                if execution in pod["metadata"]["name"] and _GRANT in held:
                    return held[_URL], held[_GRANT]
            return None

        return wait_for(f"a grant of {execution}", found, _PATIENCE)

    def pod(self, name: str, program: str, **environment: str) -> None:
        """Run a program of the attacker's own in a pod."""
        spec = bare_job(name)["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        container["image"] = PYTHON_IMAGE
        container["command"] = ["python3", "-c", program]
        container["env"] = [{"name": key, "value": value} for key, value in environment.items()]
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.kubernetes.core.create_namespaced_pod(self.namespace, body)

    def _create(self, plural: str, body: Object) -> str | None:
        try:
            self.kubernetes.create(plural, self.namespace, body)
        except ApiException as error:
            return f"{error.status} {_message(error)}"
        return None


def gateway_of(kubernetes: Kubernetes) -> str:
    """The URL of the gateway, as this machine reaches it."""
    spec = kubernetes.core.read_namespaced_service("penstock-gateway", SYSTEM_NAMESPACE).spec
    return f"http://{spec.cluster_ip}:{spec.ports[0].port}"


_URL, _GRANT = "PENSTOCK_STORAGE_URL", "PENSTOCK_STORAGE_GRANT"


def variables_of(pod: Object) -> dict[str, str]:
    """The variables of all containers of a pod."""
    spec = pod["spec"]
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    return {
        item["name"]: item["value"]
        for container in containers
        for item in container.get("env") or ()
        if "value" in item
    }


def made(kind: str, name: str, spec: Object, annotations: Object | None = None) -> Object:
    """An object of ours."""
    meta = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": meta, "spec": spec}


def log(message: str, id: str = "say", **more: Any) -> Object:
    """A task that prints a message."""
    return {"id": id, "type": f"{CORE}.log.Log", "message": message, **more}


def parallel(count: int, message: str) -> Object:
    """Many tasks that print a message, at once."""
    tasks = [log(message, f"t{n}") for n in range(count)]
    return {"id": "all", "type": f"{CORE}.flow.Parallel", "tasks": tasks}


def script(text: str, **more: Any) -> Object:
    """A script in a container of its own."""
    kind = "io.kestra.plugin.scripts.shell.Script"
    return {"id": "run", "type": kind, "containerImage": IMAGE, "script": text, **more}


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])[:200]
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
