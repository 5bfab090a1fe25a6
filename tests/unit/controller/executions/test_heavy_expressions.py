"""Expressions that take long, or too much: an error of their execution, and nobody else's wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.workers import deciding, pool
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, KEY_VALUES
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until

HELLO = """
    id: hello
    namespace: company.team
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: hello}
"""
HEAVY = """
    id: heavy
    namespace: company.team
    tasks:
      - id: count
        type: io.kestra.plugin.core.debug.Return
        format: >-
          {% for i in 1..400 %}{% for j in 1..400 %}{% if i == j %}{% endif %}{% endfor %}
          {% endfor %}counted
"""


@pytest.fixture
async def controller(tmp_path: Path) -> AsyncIterator[Controller]:
    controller = Controller(tmp_path)
    async with controller.running():
        yield controller


def start(controller: Controller, text: str, name: str, **spec: Any) -> None:
    controller.server.put(FLOWS, flow(text))
    flow_name = flow(text)["metadata"]["name"]
    controller.server.put(EXECUTIONS, execution(name, flow_name, spec=spec))


def asked(controller: Controller) -> bool:
    """Whether a worker was started."""
    return bool(controller.operator.runtime.workers._alive)


def status_of(controller: Controller, name: str) -> dict[str, Any]:
    body = controller.server.get(EXECUTIONS, NAMESPACE, name) or {}
    status: dict[str, Any] = body.get("status") or {}
    return status


def jobs_of(controller: Controller, name: str) -> list[str]:
    found = [body["metadata"]["name"] for body in controller.server.all(JOBS)]
    return [job for job in found if job.startswith(f"{name}-")]


async def test_what_takes_long_is_rendered_by_a_worker_while_others_go_on(
    controller: Controller,
) -> None:
    # when
    start(controller, HEAVY, "slow")
    await until(lambda: asked(controller))
    start(controller, HELLO, "quick")
    await until(lambda: jobs_of(controller, "slow"), seconds=60)
    # then
    assert jobs_of(controller, "quick"), "the other one was held up"


async def test_what_is_small_asks_no_worker(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(controller, HELLO, "quick")
    await until(lambda: jobs_of(controller, "quick"))
    assert not asked(controller)


async def test_one_that_no_worker_can_decide_fails_and_says_what_to_do(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(pool, "SECONDS", 0.05)
    # when
    start(controller, HEAVY, "slow")
    # then
    await until(lambda: status_of(controller, "slow").get("state") == "FAILED", seconds=60)
    message = status_of(controller, "slow")["message"]
    assert "can't be evaluated: it takes longer than" in message
    assert "let tasks do such work" in message


async def test_all_expressions_of_a_decision_share_one_allowance(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is small; together they are not."""
    # given
    monkeypatch.setattr(deciding, "CHARACTERS", 100_000)
    tasks = "".join(
        f"""
      - id: t{number}
        type: io.kestra.plugin.core.debug.Return
        format: "{{% for i in 1..999 %}}0123456789{{% endfor %}}"
"""
        for number in range(20)
    )
    text = f"""
id: many
namespace: company.team
tasks:
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:{tasks}
"""
    # when
    start(controller, text, "many")
    await until(lambda: len(jobs_of(controller, "many")) == 20, seconds=60)
    # then
    assert asked(controller)


async def test_a_large_flow_is_checked_by_a_worker(controller: Controller) -> None:
    """The outcome is that of a small one: a revision where it is valid, else what is wrong."""
    # given
    lines = "\n".join(
        f"  - {{id: t{number}, type: io.kestra.plugin.core.log.Log, message: 'number {number}'}}"
        for number in range(300)
    )
    good = f"id: large\nnamespace: company.team\ntasks:\n{lines}\n"
    bad = good.replace("id: large", "id: wrong").replace("id: t299", "id: t0")
    # when
    controller.server.put(FLOWS, flow(good))
    controller.server.put(FLOWS, flow(bad))
    # then
    await until(lambda: ready(controller, "large") == "True", seconds=60)
    await until(lambda: ready(controller, "wrong") == "False", seconds=60)
    assert "t0" in str(controller.server.get(FLOWS, NAMESPACE, "wrong"))
    assert asked(controller)


def ready(controller: Controller, name: str) -> str | None:
    body = controller.server.get(FLOWS, NAMESPACE, name) or {}
    found = (body.get("status") or {}).get("conditions") or []
    return next((item["status"] for item in found if item["type"] == "Ready"), None)


async def test_a_worker_decides_as_the_controller_does(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its expressions read is read for it, and what it asks for is done."""
    # given
    monkeypatch.setattr(deciding, "SECONDS", 0)
    pair = {"namespace": "company.team", "key": "town", "value": "Oslo"}
    meta = {"name": "company.team.town", "namespace": NAMESPACE}
    controller.server.put(KEY_VALUES, {"kind": "KeyValue", "metadata": meta, "spec": pair})
    text = """
        id: asking
        namespace: company.team
        inputs:
          - {id: times, type: INT, defaults: 2}
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEach
            values: "{{ range(1, inputs.times) }}"
            concurrencyLimit: 0
            tasks:
              - id: say
                type: io.kestra.plugin.core.debug.Return
                format: "{{ kv('town') }} {{ taskrun.value }}"
    """
    # when
    start(controller, text, "asking")
    await until(lambda: len(jobs_of(controller, "asking")) == 2, seconds=60)
    # then
    jobs = str(controller.server.all(JOBS))
    assert "Oslo 1" in jobs
    assert "Oslo 2" in jobs
    assert asked(controller)
