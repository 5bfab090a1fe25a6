"""The CRDs that the chart installs are those of the repository.

What they take and what they refuse is tested in `e2e/apiserver`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from e2e.fixtures.kubernetes import GROUP, Kubernetes

pytestmark = pytest.mark.cluster

FOLDER = Path(__file__).parents[2] / "crds"


@pytest.mark.parametrize(
    "plural", ["flows", "executions", "gitsources", "keyvalues", "triggerstates"]
)
def test_the_cluster_has_the_definitions_of_this_repository(
    kubernetes: Kubernetes, plural: str
) -> None:
    written = yaml.safe_load((FOLDER / f"{GROUP}_{plural}.yaml").read_text(encoding="utf-8"))

    found = kubernetes.custom.get_cluster_custom_object(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", f"{plural}.{GROUP}"
    )

    assert found["spec"] | {"conversion": None} == written["spec"] | {"conversion": None}
    assert any(
        item["type"] == "Established" and item["status"] == "True"
        for item in found["status"]["conditions"]
    )
