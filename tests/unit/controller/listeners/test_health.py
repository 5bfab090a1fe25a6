"""A listener that is not at work: its triggers say why, and what to do, until it is at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.listeners.health import START_SECONDS
from penstock.kubernetes.api.client import DEPLOYMENTS, PODS, Object
from penstock.kubernetes.secrets.listener import LABEL, NAME
from tests.fixtures.controller import NAMESPACE, Controller
from tests.fixtures.triggers import armed, looked, status

ASKING = """
id: report
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
triggers:
  - id: low
    type: io.kestra.plugin.core.http.Trigger
    uri: https://shop.example.com/stock
"""


def container(restarts: int = 0, **states: Any) -> Object:
    """The status of a pod whose listener is in a state, and was in another one last."""
    return {
        "phase": "Running",
        "containerStatuses": [{"name": NAME, "restartCount": restarts, **states}],
    }


CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
BACKOFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
NO_IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
NO_NODE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }
    ],
}


async def listening(tmp_path: Path) -> Controller:
    """A controller that has made the listener of a flow."""
    controller = Controller(
        tmp_path, listener={"gateway_url": "http://gateway"}, gateway={"enabled": True}
    )
    await armed(controller, ASKING)
    await controller.reconcile("Listener", NAME)
    return controller


def is_now(controller: Controller, pod: Object | None = None, **of_deployment: Any) -> None:
    """Let the Deployment have a status, and a pod."""
    body = controller.server.get(DEPLOYMENTS, NAMESPACE, NAME) or {}
    seen = body["metadata"].get("generation") or 1
    told = {"observedGeneration": seen, **of_deployment}
    controller.server.put(DEPLOYMENTS, body | {"status": told})
    if pod is not None:
        meta = {"name": f"{NAME}-1", "namespace": NAMESPACE, "labels": {LABEL: "true"}}
        controller.server.put(PODS, {"metadata": meta, "status": pod})


async def said(controller: Controller) -> tuple[str, str]:
    """The state and the message of the trigger, once all was looked at."""
    await controller.list()
    await controller.reconcile("Listener", NAME)
    await looked(controller)
    found = status(controller, "low")
    return found["state"], found.get("message", "")


def unavailable(seconds: float) -> Object:
    """The condition of a Deployment that has had no pod for so long."""
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    return {"type": "Available", "status": "False", "lastTransitionTime": since.isoformat()}


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        (container(4, state=BACKOFF, lastState=CRASHED), "ends again and again (exit code 1"),
        (container(4, state=BACKOFF, lastState=CRASHED), "kubectl logs --previous"),
        (container(3, state=RUNNING, lastState=CRASHED), "3 restarts"),
        (container(1, state=BACKOFF, lastState=KILLED), "`settings.listener.resources`"),
        (container(0, state=NO_IMAGE), "ImagePullBackOff: Back-off pulling image"),
        (NO_NODE, "Unschedulable: 0/3 nodes are available"),
    ],
)
async def test_triggers_say_why_their_listener_is_not_at_work_until_it_is(
    tmp_path: Path, pod: Object, told: str
) -> None:
    # given
    controller = await listening(tmp_path)

    # when
    is_now(controller, pod)
    state, message = await said(controller)

    # then
    assert state == "Failing"
    assert told in message

    # and when it works
    is_now(controller, container(state=RUNNING), availableReplicas=1)
    assert (await said(controller))[0] == "Armed"


async def test_a_listener_that_is_refused_a_pod_says_by_what(tmp_path: Path) -> None:
    # given
    controller = await listening(tmp_path)
    message = 'pods "penstock-listener-1" is forbidden: exceeded quota: small'
    refusal = {"type": "ReplicaFailure", "status": "True", "message": message}

    # when
    is_now(controller, conditions=[refusal])

    # then
    assert await said(controller) == ("Failing", f"its listener gets no pod: {message}")


async def test_a_listener_that_just_starts_is_nobodys_problem(tmp_path: Path) -> None:
    # given
    controller = await listening(tmp_path)

    # when
    is_now(controller, container(state={"waiting": {"reason": "ContainerCreating"}}))
    first = await said(controller)
    is_now(controller, container(1, state=RUNNING, lastState=CRASHED))
    after_one_crash = await said(controller)

    # then
    assert first[0] == after_one_crash[0] == "Armed"


@pytest.mark.parametrize(
    ("seconds", "state"), [(START_SECONDS / 2, "Armed"), (START_SECONDS * 2, "Failing")]
)
async def test_a_listener_that_nothing_tells_of_may_start_for_a_minute(
    tmp_path: Path, seconds: float, state: str
) -> None:
    controller = await listening(tmp_path)
    is_now(controller, conditions=[unavailable(seconds)])
    assert (await said(controller))[0] == state


async def test_a_listener_is_looked_at_again_for_as_long_as_it_is_not_at_work(
    tmp_path: Path,
) -> None:
    # given
    controller = await listening(tmp_path)
    is_now(controller, NO_NODE)
    await controller.list()

    # when
    waiting = await controller.reconcile("Listener", NAME)
    is_now(controller, availableReplicas=1)
    await controller.list()
    working = await controller.reconcile("Listener", NAME)

    # then
    assert (waiting is None, working) == (False, None)
