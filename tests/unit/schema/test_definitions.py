"""The CRDs: what they show, select and say of themselves exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from penstock.flow.document import Flow
from penstock.resources.execution import ExecutionSpec, ExecutionStatus
from penstock.resources.flow import FlowStatus
from penstock.resources.gitsource import GitSourceSpec, GitSourceStatus
from penstock.resources.keyvalue import KeyValueSpec
from penstock.resources.trigger_state import TriggerStateSpec, TriggerStateStatus
from penstock.schema.crds import Kind, definition, kinds

KINDS = {kind.kind: kind for kind in kinds()}
MODELS: dict[str, tuple[type[BaseModel], ...]] = {
    "Flow": (Flow, FlowStatus),
    "Execution": (ExecutionSpec, ExecutionStatus),
    "GitSource": (GitSourceSpec, GitSourceStatus),
    "KeyValue": (KeyValueSpec,),
    "TriggerState": (TriggerStateSpec, TriggerStateStatus),
}

NAMES_OF_KUBERNETES = frozenset(
    [
        *("cj", "cm", "cr", "crd", "crds", "cs", "csr", "deploy", "ds", "ep", "ev", "hpa", "ing"),
        *("limits", "netpol", "no", "ns", "pc", "pdb", "po", "pv", "pvc", "quota", "rc", "rs"),
        *("sa", "sc", "sts", "svc", "vac"),
    ]
)
"""What `kubectl api-resources` shows as short names in a cluster without extensions."""


def version_of(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = definition(kind)["spec"]["versions"][0]
    return version


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_column_and_selectable_field_is_in_the_schema(kind: Kind) -> None:
    version = version_of(kind)
    schema = version["schema"]["openAPIV3Schema"]
    listed = [*version["additionalPrinterColumns"], *version.get("selectableFields", [])]
    for path in (item["jsonPath"] for item in listed):
        if path.startswith(".metadata."):
            continue
        node = schema
        for part in re.sub(r"\[\?[^]]*\]", "", path).strip(".").split("."):
            node = node["items"] if node.get("type") == "array" else node
            assert part in node["properties"], path
            node = node["properties"][part]
        any_value = node.get("x-kubernetes-preserve-unknown-fields")
        assert any_value or node["type"] in ("string", "integer"), path


@pytest.mark.parametrize("name", KINDS)
def test_every_field_of_the_models_is_in_the_schema(name: str) -> None:
    properties = version_of(KINDS[name])["schema"]["openAPIV3Schema"]["properties"]
    parts = ("spec", "status") if "status" in properties else ("spec",)
    for part, model in zip(parts, MODELS[name], strict=True):
        fields = {field.alias or name for name, field in model.model_fields.items()}
        assert set(properties[part]["properties"]) == fields


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_names_and_conventions(kind: Kind) -> None:
    body = definition(kind)
    names = body["spec"]["names"]

    assert body["metadata"]["name"] == f"{names['plural']}.penstock.dev"
    assert body["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    assert names["categories"] == ["penstock"], "not `all`: there may be thousands"
    has_status = kind.kind != "KeyValue"
    assert version_of(kind).get("subresources") == ({"status": {}} if has_status else None)


def test_short_names_are_none_of_the_clusters_own() -> None:
    names = [name for kind in kinds() for name in definition(kind)["spec"]["names"]["shortNames"]]
    assert "ex" in names
    assert len(names) == len(set(names))
    assert not set(names) & NAMES_OF_KUBERNETES


def test_a_date_to_come_is_no_column_of_type_date() -> None:
    """kubectl writes how long ago a date was, and `<invalid>` for one in the future."""
    columns = version_of(KINDS["Flow"])["additionalPrinterColumns"]

    assert {item["name"]: item["type"] for item in columns}["Next"] == "string"


def test_nothing_is_filled_into_a_flow() -> None:
    spec = version_of(KINDS["Flow"])["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert spec["x-kubernetes-preserve-unknown-fields"] is True
    assert all("default" not in item for item in spec["properties"].values())


def test_descriptions_are_for_users() -> None:
    assert "kestra-" not in str([definition(kind) for kind in KINDS.values()])
