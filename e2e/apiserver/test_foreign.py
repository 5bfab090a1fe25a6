"""Jobs and pods of somebody else that pretend to be those of an execution are passed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import KEY_VALUES, PODS, Object
from penstock.kubernetes.api.labels import PAIRS
from tests.fixtures.pods import ended, pod_of

FLOW = """
    id: slow
    namespace: company.team
    tasks: [{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}]
"""
PAIR = '{"namespace": "company.team", "key": "pwned", "changes": true}'


@pytest.fixture
async def stage(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Stage]:
    async with Stage.opened(plane, tmp_path, with_neighbour=True) as stage:
        yield stage


async def job_of_the_task(stage: Stage) -> Object:
    await stage.until("run", lambda body: bool(stage.nodes.jobs))
    (job,) = stage.nodes.jobs.values()
    return job


def forged(body: Object, namespace: str, *, with_owner: bool) -> Object:
    """The same object in another namespace, as far as anybody may write it."""
    copy: dict[str, Any] = deepcopy(body)
    known = copy["metadata"]
    kept = ("name", "labels", "annotations", *(("ownerReferences",) if with_owner else ()))
    meta = {key: known[key] for key in kept if key in known}
    labels = {key: known["labels"][key] for key in known["labels"] if "penstock" in key}
    annotations = {**(known.get("annotations") or {}), PAIRS: PAIR}
    meta |= {"namespace": namespace, "labels": labels, "annotations": annotations}
    return {**copy, "metadata": meta, "status": {}}


@pytest.mark.parametrize(
    ("here", "with_owner"),
    [(True, False), (False, False), (False, True)],
    ids=["here", "elsewhere", "elsewhere with the Job as its owner"],
)
async def test_a_pod_with_the_labels_of_a_task_ends_nothing(
    stage: Stage, here: bool, with_owner: bool
) -> None:
    # given: an execution whose task goes on
    stage.hold.add("say")
    await stage.flow(FLOW)
    stage.controller.start()
    await stage.controller.ready()
    await stage.execute("slow", "run")
    job = await job_of_the_task(stage)
    # when: somebody makes a pod like its task's, in this namespace or another, and lets it end
    namespace = stage.namespace if here else stage.neighbour
    pod = forged(pod_of(job), namespace, with_owner=with_owner)
    pod["metadata"]["name"] = "forged"
    pod["spec"] = {"containers": [{"name": "task", "image": "none"}], "restartPolicy": "Never"}
    await stage.api.create(PODS, namespace, pod)
    forgery = ended(0, {"value": "forged"})
    await stage.api.patch(PODS, namespace, "forged", {"status": forgery}, "status")
    await asyncio.sleep(1)
    # then
    assert (await stage.execution("run"))["status"]["state"] == "RUNNING"
    stage.hold.clear()
    (run,) = (await stage.ended(["run"]))["run"].task_runs
    assert run.outputs == {"value": "say 1"}
    for tenant in (stage.namespace, stage.neighbour):
        assert await stage.api.list(KEY_VALUES, tenant) == []
