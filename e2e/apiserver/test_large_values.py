"""Many KeyValues that are as large as the API server takes them hurt nobody but who made them."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from e2e.apiserver.stage import PATIENCE, Stage
from penstock.kubernetes.api.client import KEY_VALUES
from penstock.resources import API_VERSION

LARGE = 1_300_000
MOST_MIB = 160
"""Memory of a controller that has seen them. It has 105 without them, and would have 180 if it kept
no more than their bytes."""
HELLO = """
    id: hello
    namespace: company.team
    tasks: [{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}]
"""


async def create(stage: Stage, name: str) -> None:
    spec = {"namespace": "company.team", "key": name, "value": "x" * LARGE}
    body = {"apiVersion": API_VERSION, "kind": "KeyValue", "metadata": {"name": name}}
    await stage.api.create(KEY_VALUES, stage.namespace, {**body, "spec": spec})


def peak_mib(stage: Stage) -> int:
    """The most memory that the controller which runs has had."""
    process = stage.controller._process
    assert process is not None
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


async def told(stage: Stage, name: str) -> str:
    """What the Event `TooLarge` about a KeyValue says, once it is there."""
    deadline = time.monotonic() + PATIENCE
    while (found := (await stage.events(name)).get("TooLarge")) is None:
        assert time.monotonic() < deadline, f"nothing is told of {name}"
        await asyncio.sleep(0.2)
    return found


async def test_large_values_are_told_and_not_kept(stage: Stage) -> None:
    # given: 78 MB of them
    await stage.flow(HELLO)
    for number in range(60):
        await create(stage, f"early-{number}")
    # when
    stage.controller.start()
    await stage.controller.ready()
    # and some more while it watches
    for number in range(10):
        await create(stage, f"late-{number}")
    await stage.execute("hello", "other")
    # then
    assert (await stage.ended(["other"]))["other"].state == "SUCCESS"
    for name in ("early-0", "late-0"):
        assert "no flow can read it" in await told(stage, name)
    assert peak_mib(stage) < MOST_MIB
    assert stage.controller.crashes == []
