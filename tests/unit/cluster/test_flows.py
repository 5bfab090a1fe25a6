"""A Flow is found by its name, or by what its flow is called."""

from __future__ import annotations

from typing import Any, cast

import pytest

from penstock.cluster.errors import FlowNotFound
from penstock.cluster.flows import Flows
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.resources.execution import FlowReference
from tests.fixtures.memory_api import MemoryApi

BY_ID = FlowReference(namespace="company.team", id="report")


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()


@pytest.fixture
def flows(api: MemoryApi) -> Flows:
    return Flows(cast("Api", api), "data")


async def given(api: MemoryApi, name: str, flow_id: str, created: str) -> None:
    spec = {"namespace": "company.team", "id": flow_id}
    body = {"metadata": {"name": name, "namespace": "data"}, "spec": spec}
    await api.create(FLOWS, "data", body)
    api.objects["data", name]["metadata"]["creationTimestamp"] = created


async def test_a_flow_is_found_by_either_of_its_names(api: MemoryApi, flows: Flows) -> None:
    await given(api, "company.team.report", "report", "2026-01-01T00:00:00Z")
    await given(api, "company.team.other", "other", "2026-01-01T00:00:00Z")

    for reference in (BY_ID, FlowReference(name="company.team.report")):
        assert (await flows.find(reference))["metadata"]["name"] == "company.team.report"
    assert len(await flows.list()) == 2


async def test_of_two_flows_with_one_id_the_older_one_counts(api: MemoryApi, flows: Flows) -> None:
    await given(api, "late", "report", "2026-02-02T00:00:00Z")
    await given(api, "early", "report", "2026-01-01T00:00:00Z")

    assert (await flows.find(BY_ID))["metadata"]["name"] == "early"


@pytest.mark.parametrize(
    ("reference", "name"),
    [(BY_ID, "company.team.report"), (FlowReference(name="nightly"), "nightly")],
)
async def test_a_flow_that_is_not_there_is_told_by_the_name_that_was_given(
    flows: Flows, reference: FlowReference, name: str
) -> None:
    with pytest.raises(FlowNotFound, match=f"no flow `{name}` in the Kubernetes namespace `data`"):
        await flows.find(reference)


async def test_a_flow_that_is_not_there_is_told_with_the_nearest_one(
    api: MemoryApi, flows: Flows
) -> None:
    await given(api, "company.team.report", "report", "2026-01-01T00:00:00Z")

    with pytest.raises(FlowNotFound, match=r"did you mean `company\.team\.report`\?"):
        await flows.find(FlowReference(namespace="company.team", id="reports"))


async def test_a_flow_that_somebody_writes_meanwhile_is_updated_all_the_same(
    api: MemoryApi, flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: the controller writes the status between the reading and the writing
    await given(api, "company.team.report", "report", "2026-01-01T00:00:00Z")
    replace, lost = api.replace, [409, 409]

    async def conflicts(*arguments: Any) -> Object:
        if lost:
            raise ApiError(lost.pop(), "Conflict", "the object has been modified")
        return await replace(*arguments)

    monkeypatch.setattr(api, "replace", conflicts)
    api.objects["data", "company.team.report"]["metadata"]["generation"] = 1

    # when
    changed = {"namespace": "company.team", "id": "report", "description": "new"}
    body, _ = await flows.update(changed)

    # then
    assert body["spec"] == changed
    assert lost == []


async def test_a_conflict_that_lasts_is_told(
    api: MemoryApi, flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given(api, "company.team.report", "report", "2026-01-01T00:00:00Z")

    async def conflicts(*arguments: Any) -> Object:
        raise ApiError(409, "Conflict", "the object has been modified")

    monkeypatch.setattr(api, "replace", conflicts)

    with pytest.raises(ApiError, match="has been modified"):
        await flows.update({"namespace": "company.team", "id": "report", "description": "new"})
