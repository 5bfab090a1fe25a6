"""Workloads that run twice: as bare Jobs made with kubectl, and as Executions."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]

IMAGE = "penstock.local/busybox:1"
COMMAND = "true"
CHAIN = 5
TIMEOUT = "240s"


def kubectl(namespace: str, *arguments: str, body: Object | None = None) -> str:
    done = subprocess.run(
        ["kubectl", "-n", namespace, *arguments],
        input=None if body is None else json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def bare_job(name: str) -> Object:
    """A Job as someone writes it by hand, with the security that the namespace asks for."""
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "main",
                            "image": IMAGE,
                            "command": ["/bin/sh", "-c", COMMAND],
                            "securityContext": restricted,
                        }
                    ],
                }
            },
        },
    }


def flow(name: str, tasks: int) -> Object:
    """A flow of script tasks, one after the other."""
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Flow",
        "metadata": {"name": name},
        "spec": {
            "id": name,
            "namespace": "bench",
            "tasks": [
                {
                    "id": f"t{number}",
                    "type": "io.kestra.plugin.scripts.shell.Script",
                    "containerImage": IMAGE,
                    "script": COMMAND,
                }
                for number in range(1, tasks + 1)
            ],
        },
    }


def execution(name: str, flow_name: str) -> Object:
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Execution",
        "metadata": {"name": name},
        "spec": {"flow": {"name": flow_name}},
    }


def many(items: Sequence[Object]) -> Object:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


class Workloads:
    """Timed runs in one namespace. Each returns seconds from the create to the end of the wait."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._count = 0

    def prepare(self) -> None:
        body = many([flow("one", 1), flow("chain", CHAIN)])
        kubectl(self._namespace, "apply", "--server-side", "-f", "-", body=body)
        kubectl(
            self._namespace, "wait", "--for=condition=Ready", "flow", "--all", "--timeout", TIMEOUT
        )

    def bare_single(self) -> float:
        return self._jobs(1)

    def bare_chain(self) -> float:
        return sum(self._jobs(1) for _ in range(CHAIN))

    def bare_burst(self, count: int) -> float:
        return self._jobs(count)

    def single(self) -> float:
        return self._executions("one", 1)

    def chain(self) -> float:
        return self._executions("chain", 1)

    def burst(self, count: int) -> float:
        return self._executions("one", count)

    def _jobs(self, count: int) -> float:
        names = self._names("bare", count)
        bodies = [bare_job(name) for name in names]
        return self._timed(bodies, "job", names, "condition=complete")

    def _executions(self, flow_name: str, count: int) -> float:
        names = self._names(flow_name, count)
        bodies = [execution(name, flow_name) for name in names]
        return self._timed(bodies, "execution", names, "condition=Succeeded")

    def _timed(
        self, bodies: Sequence[Object], kind: str, names: Sequence[str], wanted: str
    ) -> float:
        body = bodies[0] if len(bodies) == 1 else many(bodies)
        start = time.monotonic()
        kubectl(self._namespace, "create", "-f", "-", body=body)
        kubectl(self._namespace, "wait", f"--for={wanted}", kind, *names, "--timeout", TIMEOUT)
        return time.monotonic() - start

    def _names(self, prefix: str, count: int) -> list[str]:
        self._count += 1
        return [f"{prefix}-{self._count}-{number}" for number in range(count)]
