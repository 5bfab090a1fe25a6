"""The cluster as the demo uses it: kubectl where a person would, the client where it is watched."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from e2e.cluster import kind
from e2e.cluster.paths import discover
from e2e.fixtures import images
from e2e.fixtures.kubernetes import Object

NAMESPACE = "demo"
STAND_INS = {
    "busybox:1.36": "busybox",
    "python:3.13-slim": "python",
    "node:latest": "languages",
    "ruby:latest": "languages",
    "perl:latest": "languages",
    "php:latest": "languages",
    "nickblah/lua:latest": "languages",
}
"""Images that the examples name, and the ready-made ones that stand in for them."""


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Run kubectl. Raises ``RuntimeError`` with what it complained of."""
    result = subprocess.run(
        ["kubectl", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if result.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def apply(body: Object) -> None:
    kubectl(
        *("apply", "--server-side", "--force-conflicts", "--field-manager", "demo", "-f", "-"),
        given=json.dumps(body),
    )


def kubeconfig() -> Path:
    return Path(os.environ.get("KUBECONFIG") or discover().kubeconfig).resolve()


def is_own() -> bool:
    """Whether it is the cluster that `make cluster-up` makes, which can pull no image."""
    return not kind.is_wanted() and kubeconfig() == discover().kubeconfig.resolve()


def load_stand_ins() -> None:
    """Let the images that the examples name be on the node; nothing where they are already."""
    for name, ready_made in STAND_INS.items():
        images.load(ready_made, f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}")
