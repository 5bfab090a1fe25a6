"""A namespace has so many Jobs starting and no more, whoever kills the controller meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import JOBS, PODS, ApiError

AT_ONCE = 3
FLOW = """
    id: hello
    namespace: company.team
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: hello}
      - {id: again, type: io.kestra.plugin.core.debug.Return, format: hello}
"""


async def starting(stage: Stage) -> set[str]:
    """The Jobs, by name, whose pods are not there or do not run yet. Jobs are listed first: what
    has happened until the pods are listed makes them fewer, never more."""
    jobs = await stage.api.list(JOBS, stage.namespace)
    begun = {
        pod["metadata"]["ownerReferences"][0]["name"]
        for pod in await stage.api.list(PODS, stage.namespace)
        if (pod.get("status") or {}).get("phase") in ("Running", "Succeeded", "Failed")
    }
    return {job["metadata"]["name"] for job in jobs} - begun


async def most_starting(stage: Stage) -> int:
    """Look, until cancelled, how many Jobs start at once."""
    most = 0
    with suppress(asyncio.CancelledError):
        while True:
            with suppress(ApiError):
                most = max(most, len(await starting(stage)))
            await asyncio.sleep(0.02)
    return most


async def test_a_burst_starts_few_jobs_at_once_and_all_of_it_ends_well(stage: Stage) -> None:
    # given
    stage.controller.choose(jobs_starting_at_once=AT_ONCE)
    await stage.flow(FLOW)
    names = [f"run-{number}" for number in range(15)]
    for name in names:
        await stage.execute("hello", name)
    looking = asyncio.create_task(most_starting(stage))
    # when
    stage.controller.start()
    await stage.controller.ready()
    await asyncio.sleep(1)
    await stage.controller.kill()
    stage.controller.start()
    # then
    ended = await stage.ended(names)
    looking.cancel()
    assert await looking == AT_ONCE
    assert {status.state for status in ended.values()} == {"SUCCESS"}
    assert len(await stage.api.list(JOBS, stage.namespace)) == 2 * len(names)
