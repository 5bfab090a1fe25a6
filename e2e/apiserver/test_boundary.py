"""What a real API server says at the cluster's boundary, and what the controller makes of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from e2e.apiserver import invariants
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import CONFIG_MAPS, EXECUTIONS, JOBS, Object, Resource
from penstock.resources.reasons import TRIED_AGAIN

QUOTAS = Resource("", "v1", "resourcequotas")
NAMESPACES = Resource("", "v1", "namespaces")
CHAIN = """
    id: chain
    namespace: company.team
    tasks:
      - {id: large, type: io.kestra.plugin.core.debug.Return, format: x}
      - {id: hold, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.large.value }}"}
"""


def large_outputs(task: str, attempt: int) -> tuple[int, dict[str, Any]]:
    return 0, {"value": "x" * 3_000}


def condition(body: Object, kind: str) -> dict[str, Any]:
    found = (body.get("status") or {}).get("conditions") or ()
    return next((item for item in found if item["type"] == kind), {})


def told(body: Object) -> str:
    """Why an execution is tried again, where it is."""
    found = condition(body, "Reconciling")
    return str(found["message"]) if found.get("reason") == TRIED_AGAIN else ""


def is_running(body: Object) -> bool:
    return (body.get("status") or {}).get("state") == "RUNNING"


async def begun(stage: Stage) -> None:
    """A controller at work, and the flow of two tasks."""
    await stage.flow(CHAIN)
    stage.controller.start()
    await stage.controller.ready()


async def test_what_happens_while_the_api_server_restarts_and_forgets_is_found(
    stage: Stage,
) -> None:
    """Its watches are refused with 410 then, since it knows nothing of what was before."""
    # given: two executions that run, and a controller that hears nothing
    await begun(stage)
    stage.hold = {"large"}
    for name in ("stays", "goes"):
        await stage.execute("chain", name)
        await stage.until(name, is_running)
    away = asyncio.create_task(stage.proxy.be_away(3))
    await asyncio.sleep(0.2)
    # when: one is deleted, another made, and the API server comes back without a memory
    await stage.api.delete(EXECUTIONS, stage.namespace, "goes")
    await stage.execute("chain", "comes")
    await asyncio.to_thread(stage.plane.compact)
    await asyncio.to_thread(stage.plane.stop_api_server)
    # Not in a thread: a component ends with the thread that started it.
    stage.plane.start_api_server()
    await away
    stage.hold = set()
    # then
    found = await stage.ended()
    assert {name: status.state for name, status in found.items()} == {
        "stays": "SUCCESS",
        "comes": "SUCCESS",
    }
    await invariants.check(stage)


async def test_outputs_that_somebody_deleted_stall_the_execution_until_they_are_back(
    stage: Stage,
) -> None:
    # given
    stage.script = large_outputs
    await begun(stage)
    stage.hold = {"hold"}
    await stage.execute("chain", "run")
    await stage.until("run", lambda body: "outputsRef" in str(body.get("status")))
    await stage.controller.kill()
    found = await stage.api.list(CONFIG_MAPS, stage.namespace, "penstock.dev/task-run")
    (kept,) = found
    name = kept["metadata"]["name"]
    await stage.api.delete(CONFIG_MAPS, stage.namespace, name)
    # when
    stage.controller.start()
    stalled = await stage.until("run", lambda body: bool(condition(body, "Stalled")))
    since = time.monotonic()
    await asyncio.sleep(2)
    # then
    assert condition(stalled, "Stalled")["reason"] == "ValueGone"
    assert name in condition(stalled, "Stalled")["message"]
    assert condition(stalled, "Ready")["status"] == "False"
    assert name in (await stage.events("run"))["ValueGone"]
    asked = [call for call in stage.controller.calls if call.path.endswith(name)]
    assert sum(call.time > since for call in asked) <= 4
    # and when it is put back
    meta = {key: kept["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    made = {**kept, "metadata": meta}
    await stage.api.create(CONFIG_MAPS, stage.namespace, made)
    await stage.annotate("run")
    stage.hold = set()
    assert (await stage.ended())["run"].state == "SUCCESS"
    assert not condition(await stage.execution("run"), "Stalled")


async def test_a_quota_is_waited_for_and_named(stage: Stage) -> None:
    # given: a namespace that may have no Jobs
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    made = await stage.api.create(QUOTAS, stage.namespace, quota)
    hard = {"hard": {"count/jobs.batch": "0"}, "used": {"count/jobs.batch": "0"}}
    await stage.api.patch(QUOTAS, stage.namespace, "none", {"status": hard}, "status")
    assert made["metadata"]["name"] == "none"
    await begun(stage)
    # when
    await stage.execute("chain", "run")
    waits = await stage.until(
        "run", lambda body: condition(body, "Reconciling").get("reason") == TRIED_AGAIN
    )
    # then
    assert "QuotaExceeded" in condition(waits, "Reconciling")["message"]
    assert "QuotaExceeded" in await stage.events("run")
    # and when there is room
    await stage.api.delete(QUOTAS, stage.namespace, "none")
    assert (await stage.ended())["run"].state == "SUCCESS"
    await invariants.check(stage)


async def test_in_a_namespace_that_is_being_deleted_nothing_is_tried_in_a_hot_loop(
    stage: Stage,
) -> None:
    # given: an execution whose next Job is still to be made
    await begun(stage)
    stage.hold = {"large"}
    await stage.execute("chain", "run")
    await stage.until(
        "run", lambda body: "'RUNNING'" in str(body.get("status", {}).get("taskRuns"))
    )
    # when
    await stage.api.delete(NAMESPACES, "", stage.namespace)
    since = time.monotonic()
    stage.hold = set()
    waits = await stage.until("run", lambda body: bool(told(body)))
    await asyncio.sleep(2)
    # then
    assert "NamespaceTerminating" in told(waits)
    refused = [call for call in stage.controller.calls if call.time > since and call.status == 403]
    jobs = [call.time for call in refused if f"/{JOBS.plural}/" in call.path]
    assert len(jobs) <= 6
    invariants.nothing_is_tried_in_a_hot_loop(stage.controller.calls)


async def test_a_list_that_is_slow_loses_nothing_that_is_made_meanwhile(stage: Stage) -> None:
    # given: what every list of the controller shows is old when it arrives
    await stage.flow(CHAIN)
    await stage.execute("chain", "first")  # which kopf lists too, so that the controller does
    stage.controller.start()
    await stage.controller.ready()
    stage.controller.faults.slow_lists = 1.0
    # when
    for number in range(12):
        await stage.execute("chain", f"run-{number}")
        await asyncio.sleep(0.4)
    # then
    found = await stage.ended()
    failed = {name: status for name, status in found.items() if status.state != "SUCCESS"}
    assert not failed
    assert len(found) == 13
    await invariants.check(stage)
