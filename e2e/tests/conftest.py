"""The shared cluster, the Git server beside it, and a namespace for each test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.fixtures.scenario import Scenario
from e2e.fixtures.scheduling import ByFixture
from e2e.gitserver import GitServer

SYSTEM_NAMESPACE = "penstock-system"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long tests begin first: if one began last, all others would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFixture:
    return ByFixture(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to run a test that would take resources which others need."""
    alone = item.get_closest_marker("alone")
    if alone is not None and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail(f"this {alone.args[0]}: run it with `-n 0`, or all by `python -m e2e.suite`")


@pytest.fixture(scope="session")
def kubernetes() -> Kubernetes:
    if "KUBECONFIG" not in os.environ:
        pytest.skip("no cluster: set KUBECONFIG, or run `make e2e`")
    return Kubernetes()


@pytest.fixture(scope="session")
def git_server(
    kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GitServer]:
    """A smart-HTTP server at an address that pods reach."""
    root: Path = tmp_path_factory.mktemp("git")
    with GitServer(root, host=address_for_pods(kubernetes), port=0) as server:
        yield server


@pytest.fixture
def controller(request: pytest.FixtureRequest, kubernetes: Kubernetes) -> Controller:
    is_alone = request.node.get_closest_marker("alone") is not None
    return Controller(kubernetes, SYSTEM_NAMESPACE, is_spare=is_alone)


@pytest.fixture
def scenario(
    request: pytest.FixtureRequest, kubernetes: Kubernetes, git_server: GitServer
) -> Iterator[Scenario]:
    """A namespace that enforces Pod Security `restricted`, deleted afterwards."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:30].strip("-")
    namespace = f"t-{slug.removeprefix('test-')}-{uuid4().hex[:6]}"
    kubernetes.create_namespace(namespace)
    yield Scenario(kubernetes, namespace, git_server)
    for source in kubernetes.all("gitsources", namespace):
        kubernetes.delete("gitsources", namespace, source["metadata"]["name"])
    kubernetes.core.delete_namespace(namespace)
