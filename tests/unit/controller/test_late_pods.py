"""News of a Job and of its pod come by different watches, and one of them may be behind."""

from __future__ import annotations

from pathlib import Path

from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, PODS
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until
from tests.fixtures.pods import complete, ended, pod_of

ONE = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.debug.Return, format: x}]
    outputs: [{id: given, type: STRING, value: "{{ outputs.only.value }}"}]
"""


async def test_a_job_that_ended_before_its_pod_was_seen_loses_no_outputs(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    server = controller.server
    async with controller.running():
        server.put(FLOWS, flow(ONE))
        server.put(EXECUTIONS, execution())
        await until(lambda: server.all(JOBS))
        (job,) = server.all(JOBS)
        # when: the watch of the pods is broken while the pod comes and ends
        controller.broken = {"pods"}
        server.put(PODS, {**pod_of(job), "status": ended(0, {"value": "important"})})
        server.put(JOBS, complete(job))

        # then
        def status() -> dict[str, object]:
            body = server.get(EXECUTIONS, NAMESPACE, "run") or {}
            found: dict[str, object] = body.get("status") or {}
            return found

        await until(lambda: status().get("state") == "SUCCESS")
        assert status()["outputs"] == {"given": "important"}
