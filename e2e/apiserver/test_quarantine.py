"""An object at which the controller dies stops itself, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import EXECUTIONS, Object

FLOW = """
    id: {id}
    namespace: company.team
    tasks: [{{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}}]
"""


def stalled(body: Object) -> dict[str, Any]:
    found = (body.get("status") or {}).get("conditions") or ()
    return next((item for item in found if item["type"] == "Stalled"), {})


async def test_an_execution_at_which_the_controller_dies_twice_is_passed_over(
    stage: Stage, tmp_path: Path
) -> None:
    # given: one that ends the process where it begins, among others
    stage.controller.deadly = tmp_path / "deadly"
    stage.controller.deadly.touch()
    for flow in ("deadly", "harmless"):
        await stage.flow(FLOW.format(id=flow))
    others = [f"other-{number}" for number in range(10)]
    await stage.execute("deadly", "killer")
    for name in others:
        await stage.execute("harmless", name)
    # when
    stage.controller.start()
    ended = await stage.ended(others)
    # then
    assert {status.state for status in ended.values()} == {"SUCCESS"}
    told = await stage.until("killer", lambda body: bool(stalled(body)))
    assert stalled(told)["reason"] == "Quarantined"
    assert "Quarantined" in await stage.events("killer")
    assert [crash.partition(":")[0] for crash in stage.controller.crashes] == ["exit code 139"] * 2
    # and when it is harmless now, and the quarantine is lifted
    stage.controller.deadly.unlink()
    await stage.annotate("killer")
    lifted = {"metadata": {"annotations": {"penstock.dev/lift-quarantine": "1"}}}
    await stage.api.patch(EXECUTIONS, stage.namespace, "killer", lifted)
    assert (await stage.ended(["killer"]))["killer"].state == "SUCCESS"
    assert not stalled(await stage.execution("killer"))
