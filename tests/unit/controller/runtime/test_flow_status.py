"""The status of a Flow stays small, whatever there is to say of the flow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from penstock.flow.loading import load_document
from penstock.flow.problems import InvalidFlow
from penstock.kubernetes.api.client import FLOWS
from penstock.types import flow_parser
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
        await until(lambda: bool(warnings()), seconds=30)

    assert len(warnings()) == 50
    assert warnings()[-1].endswith(" more warnings")
    assert len(json.dumps(warnings())) < 60_000


def nested(levels: int) -> str:
    """A flow whose only task stands within so many others."""
    opening = "".join(
        f"{{id: s{level}, type: io.kestra.plugin.core.flow.Sequential, tasks: ["
        for level in range(levels)
    )
    leaf = "{id: leaf, type: io.kestra.plugin.core.debug.Return, format: x}"
    return f"{{id: flow, namespace: company.team, tasks: [{opening}{leaf}{']}' * levels}]}}"


def with_triggers(number: int, id: str = "t", cron: str = "@daily") -> str:
    schedule = f"type: io.kestra.plugin.core.trigger.Schedule, cron: '{cron}'"
    listed = ", ".join(f"{{id: {id}{index}, {schedule}}}" for index in range(number))
    tasks = "{id: only, type: io.kestra.plugin.core.debug.Return, format: x}"
    return f"{{id: flow, namespace: company.team, tasks: [{tasks}], triggers: [{listed}]}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (nested(60), "tasks[0].tasks[0]: maps and lists are nested deeper than 120 levels"),
        (nested(90), "tasks[0].tasks[0]: maps and lists are nested deeper than 120 levels"),
        (with_triggers(201), "triggers: a flow has at most 200 triggers, and this one has 201"),
    ],
    ids=["60 tasks", "90 tasks", "201 triggers"],
)
async def test_a_flow_that_is_too_large_says_so_in_its_status_and_where_it_is_validated(
    tmp_path: Path, text: str, told: str
) -> None:
    # given
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(text))
    await controller.list(FLOWS)
    # when
    await controller.reconcile("Flow", "flow")
    # then
    body = controller.server.get(FLOWS, NAMESPACE, "flow") or {}
    ready = next(item for item in body["status"]["conditions"] if item["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Invalid")
    assert told in ready["message"]
    # and
    with pytest.raises(InvalidFlow, match=re.escape(told)):
        flow_parser().parse(load_document(text))


async def test_what_is_said_of_triggers_has_room_in_the_status(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    long = with_triggers(200, id="t" * 250, cron=f"0{',0' * 245} 0 1 1 *")
    controller.server.put(FLOWS, flow(long))
    await controller.list(FLOWS)
    # when
    await controller.reconcile("Flow", "flow")
    # then
    body = controller.server.get(FLOWS, NAMESPACE, "flow") or {}
    assert len(body["status"]["triggers"]) == 200
    assert len(json.dumps(body["status"])) < 500_000
