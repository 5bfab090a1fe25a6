"""The starter: one Execution for each firing, whoever was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cluster.firings import NameTaken, execution_of
from penstock.controller.triggers.starter import Starter
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import EXECUTIONS, Object
from penstock.triggers.firing import Firing
from tests.fixtures.controller import NAMESPACE, Controller

FLOW: Object = {"metadata": {"name": "flow", "namespace": NAMESPACE}}
TRIGGER = Trigger(id="daily", type="io.kestra.plugin.core.trigger.Schedule")
FIRING = Firing("20300101", {"date": "2030-01-01T00:00:00Z"}, {"region": "eu"})


async def start(controller: Controller) -> str | None:
    starter = Starter(controller.server.api, controller.stores.executions)
    return await starter.start(FLOW, "flow", TRIGGER, FIRING)


async def test_a_firing_that_is_decided_twice_starts_one_execution(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    first = await start(controller)
    assert first is not None
    assert await start(controller) is None
    assert [body["metadata"]["name"] for body in controller.server.all(EXECUTIONS)] == [first]


async def test_what_somebody_else_put_in_its_place_is_told_of(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    wanted = execution_of(FLOW, "flow", TRIGGER, FIRING)
    for changes in ({"inputs": {"region": "us"}}, {"flow": {"name": "other"}}, {"trigger": None}):
        controller.server.put(EXECUTIONS, wanted | {"spec": wanted["spec"] | changes})
        with pytest.raises(NameTaken, match=wanted["metadata"]["name"]):
            await start(controller)
