"""The commands of the documentation, run in order on the real cluster, each page by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.fixtures.scenario import SHELL_IMAGE, Scenario
from tests.unit.docs.snippets import (
    API_VERSION,
    ROOT,
    blocks,
    commands,
    documents,
    flow_of,
    pages,
    run,
)

pytestmark = pytest.mark.cluster

_WITHOUT_PODS = ("cli",)
"""Pages whose commands run on the API server alone, in `e2e/apiserver`: no pod has to be real."""
_PAGES = [
    page
    for page in pages()
    if page.stem not in _WITHOUT_PODS and any(block.mark == "cluster" for block in blocks(page))
]
_EXAMPLES = ("hello-world.yaml", "schedule.yaml")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_commands_do_what_is_shown(scenario: Scenario, page: Path, tmp_path: Path) -> None:
    files: dict[str, str | None] = {
        name: (ROOT / "examples" / name).read_text() for name in _EXAMPLES
    }
    environment = _inside(scenario.namespace, tmp_path)
    environment["FLOWS_URL"] = scenario.repository(files).url

    for block in blocks(page):
        if block.mark == "cluster":
            for command in commands(block):
                command.text = command.text.replace("busybox:1.36", SHELL_IMAGE)
                run(command, environment, tmp_path)


def test_manifests_pass_the_api_server(scenario: Scenario, tmp_path: Path) -> None:
    environment = _inside(scenario.namespace, tmp_path)
    environment["FLOWS_URL"] = "https://git.example.com/flows.git"
    manifests = [
        manifest
        for page in pages()
        for _, document in documents(page)
        if (manifest := _manifest(document)) is not None
    ]
    for number, manifest in enumerate(manifests):
        manifest["metadata"] = {"name": f"dry-{number}"}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})

    answer = subprocess.run(
        ["kubectl", "create", "--dry-run=server", "-f", "-"],
        input=text.replace("$FLOWS_URL", environment["FLOWS_URL"]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("created") == len(manifests) > 0


def _manifest(document: Any) -> dict[str, Any] | None:
    """A document as a resource of ours, if it is one or a flow."""
    if isinstance(document, dict) and document.get("apiVersion") == API_VERSION:
        return dict(document)
    flow = flow_of(document)
    return None if flow is None else {"apiVersion": API_VERSION, "kind": "Flow", "spec": dict(flow)}


def _inside(namespace: str, folder: Path) -> dict[str, str]:
    """The environment of commands that need not say in which namespace they are."""
    copy = folder / "kubeconfig"
    shutil.copy(os.environ["KUBECONFIG"], copy)
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = os.environ | {"KUBECONFIG": str(copy), "PATH": path}
    subprocess.run(
        ["kubectl", "config", "set-context", "--current", f"--namespace={namespace}"],
        env=environment,
        check=True,
        capture_output=True,
    )
    return environment
