"""A control whose execution can't be made is refused, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.engine.interface.identity import derived_name
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until

ONE = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.debug.Return, format: x}]
"""


async def test_a_replay_whose_name_somebody_else_has_is_refused_by_its_id(tmp_path: Path) -> None:
    # given: two replays are wanted, and the name of the second is taken
    controller = Controller(tmp_path)
    server = controller.server
    taken = derived_name("run", "replay", "b")
    async with controller.running():
        server.put(FLOWS, flow(ONE))
        server.put(EXECUTIONS, execution(taken, flow="another"))
        made = server.put(EXECUTIONS, execution("run"))
        await until(lambda: server.all(JOBS))
        # when
        wanted = [{"id": "a", "replay": {}}, {"id": "b", "replay": {}}]
        server.put(EXECUTIONS, {**made, "spec": {**made["spec"], "controls": wanted}})

        # then
        def results() -> dict[str, Any]:
            body = server.get(EXECUTIONS, NAMESPACE, "run") or {}
            return {item["id"]: item for item in (body.get("status") or {}).get("controls") or ()}

        await until(lambda: len(results()) == 2)
    assert results()["a"]["done"] is True
    assert server.get(EXECUTIONS, NAMESPACE, derived_name("run", "replay", "a")) is not None
    assert results()["b"]["done"] is False
    assert results()["b"]["message"] == (
        f"an Execution {taken} is there that this one did not make"
    )
