"""The cluster as the demo uses it: kubectl where a person would, the client where it is watched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster import kind
from e2e.cluster.paths import discover
from e2e.fixtures import images
from e2e.fixtures.kubernetes import Object

NAMESPACE = "demo"
STAND_INS = {
    "busybox:1.36": "busybox",
    "python:3.13-slim": "python",
}
"""Images that the flows of the demo name, and the ready-made ones that stand in for them."""
LANGUAGES = {
    "node:latest": "languages",
    "ruby:latest": "languages",
    "perl:latest": "languages",
    "php:latest": "languages",
    "nickblah/lua:latest": "languages",
}
"""The image for `languages.yaml`, which the demo does not run: it takes a minute to make."""


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Run kubectl. Raises ``RuntimeError`` with its standard error."""
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
    """Whether the cluster is the one that `make cluster-up` makes, which can pull no image."""
    return not kind.is_wanted() and kubeconfig() == discover().kubeconfig.resolve()


def load(stand_ins: Mapping[str, str]) -> None:
    """Load images on the node under the names that flows use, unless they are there."""
    for name, ready_made in stand_ins.items():
        images.load(ready_made, f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}")
