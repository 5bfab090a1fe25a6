"""Kestra's Python package, installed in a task's pod and kept: `dependencies: [kestra]`.

A cluster of the tests may reach no package index that its pods trust: this machine downloads the
packages with its own pip, and offers them to the pod.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.fixtures.scenario import PYTHON_IMAGE, Scenario

pytestmark = pytest.mark.cluster

PYTHON_OF_IMAGE = "3.11"


@dataclass(frozen=True)
class Wheels:
    """A server of packages for pods."""

    host: str
    server: ThreadingHTTPServer

    @property
    def links(self) -> str:
        """The address of the list of packages."""
        return f"http://{self.host}:{self.server.server_port}/"

    def close(self) -> None:
        """Stop the server: nothing can be installed any more."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def wheels(tmp_path: Path, kubernetes: Kubernetes) -> Iterator[Wheels]:
    """A host that has the package and all that it needs."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    only = ["--only-binary", ":all:", "--python-version", PYTHON_OF_IMAGE]
    subprocess.run([*pip, *only, "--dest", str(tmp_path), "kestra"], check=True)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Wheels(address_for_pods(kubernetes), server)
        server.shutdown()


def test_the_package_gives_outputs_back_and_is_kept(scenario: Scenario, wheels: Wheels) -> None:
    # given
    flow = scenario.flow(f"""
        id: packaged
        namespace: company.team
        tasks:
          - id: packaged
            type: io.kestra.plugin.scripts.python.Script
            containerImage: {PYTHON_IMAGE}
            dependencies: [kestra]
            env:
              PIP_NO_INDEX: "1"
              PIP_FIND_LINKS: "{wheels.links}"
              PIP_TRUSTED_HOST: "{wheels.host}"
            script: |
              from kestra import Kestra

              Kestra.logger().info("a message, ::not outputs::")
              Kestra.counter("rows", 3, {{"table": "orders"}})
              Kestra.timer("took", 0.5)
              Kestra.gauge("level", 1.5)
              Kestra.outputs({{"n": 3, "text": "a\\nü"}})
              Kestra.outputs({{"later": [1, None]}})
    """)
    # when
    execution = scenario.execution(flow).ends("SUCCESS", seconds=120)
    # then
    values = {"n": 3, "text": "a\nü", "later": [1, None]}
    assert execution.outputs("packaged")["vars"] == values
    # when
    wheels.close()
    again = scenario.execution(flow).ends("SUCCESS")
    # then
    assert again.outputs("packaged")["vars"] == values
    assert "pip" not in again.log("packaged")
