"""The status of a Flow stays small, whatever there is to say of the flow."""

from __future__ import annotations

import json
from pathlib import Path

from penstock.kubernetes.api.client import FLOWS
from tests.fixtures.controller import NAMESPACE, Controller, flow, until


async def test_warnings_take_a_small_part_of_the_status(tmp_path: Path) -> None:
    missing = "".join(f"{{{{ outputs.missing{number} }}}}" for number in range(20))
    name = "x" * 20_000
    tasks = "".join(
        f'      - {{id: t{number}, type: io.kestra.plugin.core.debug.Return, format: "{missing}'
        f'{{{{ inputs.{name} }}}}"}}\n'
        for number in range(10)
    )
    variables = "".join(
        f'      - {{id: u{number}, type: io.kestra.plugin.core.debug.Return, format: "'
        f'{{{{ outputs.none }}}}"}}\n'
        for number in range(200)
    )
    controller = Controller(tmp_path)
    controller.server.put(
        FLOWS, flow(f"    id: flow\n    namespace: company.team\n    tasks:\n{tasks}{variables}")
    )

    def warnings() -> list[str]:
        body = controller.server.get(FLOWS, NAMESPACE, "flow") or {}
        return list((body.get("status") or {}).get("warnings") or ())

    async with controller.running():
        await until(lambda: bool(warnings()))

    assert len(warnings()) == 50
    assert len(json.dumps(warnings())) < 60_000
