"""Which cluster and which namespace are meant, as kubectl's configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.aio.config import kube_config

from penstock.cluster.connection import connected, current_namespace
from penstock.cluster.errors import NoCluster

CONFIG = """
apiVersion: v1
kind: Config
current-context: mine
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts:
  - {name: other, context: {cluster: c, user: u, namespace: others}}
  - {name: mine, context: {cluster: c, user: u@NAMESPACE@}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration is looked for; nothing is there."""
    path = tmp_path / "config"
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return path


def given(kubeconfig: Path, namespace: str) -> None:
    kubeconfig.write_text(CONFIG.replace("@NAMESPACE@", namespace))


@pytest.mark.parametrize(("written", "namespace"), [(", namespace: data", "data"), ("", "default")])
async def test_the_namespace_is_that_of_the_current_context(
    kubeconfig: Path, written: str, namespace: str
) -> None:
    # given
    given(kubeconfig, namespace=written)

    # then
    assert current_namespace() == namespace
    async with connected() as cluster:
        assert cluster.namespace == namespace
    async with connected("named") as cluster:
        assert cluster.namespace == "named"


async def test_where_no_cluster_is_configured_it_is_told(kubeconfig: Path) -> None:
    with pytest.raises(NoCluster, match="no cluster is configured: "):
        async with connected():
            raise AssertionError("there is nothing to connect to")

    assert current_namespace() == "default"
