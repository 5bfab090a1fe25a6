"""What a pod says of a secret that is missing, or of a text that can't be rendered."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.kubernetes.observation.podstatus import pending_problem
from penstock.kubernetes.observation.results import observe
from penstock.resources.execution import State
from penstock.tasks.contract.framing import Result, encode_result

ERROR = "CreateContainerConfigError"


def waiting(message: str, *, init: bool = False) -> dict[str, Any]:
    here = {"state": {"waiting": {"reason": ERROR, "message": message}}}
    beside = {"name": "task", "state": {"waiting": {"reason": "PodInitializing"}}}
    statuses = {
        "initContainerStatuses": [{"name": "secrets", **here}] if init else [],
        "containerStatuses": [beside if init else {"name": "task", **here}],
    }
    return {"metadata": {"name": "p", "namespace": "team"}, "status": statuses}


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('secret "penstock-secrets" not found', "`penstock-secrets` is not there"),
        (
            "couldn't find key API_TOKEN in Secret team/penstock-secrets",
            "`penstock-secrets` has no key `API_TOKEN`",
        ),
    ],
)
def test_a_missing_secret_is_told_and_not_waited_for(message: str, words: str, init: bool) -> None:
    problem = pending_problem(waiting(message, init=init))
    assert problem is not None
    assert (problem.reason, problem.hopeless) == ("SecretMissing", True)
    assert words in problem.message
    assert "in the namespace `team`" in problem.message
    assert "penstock.dev/secrets" in problem.message


@pytest.mark.parametrize(
    "message",
    [
        "failed to sync secret cache: timed out waiting for the condition",
        "container has runAsNonRoot and image will run as root",
    ],
)
def test_other_troubles_of_a_container_may_pass(message: str) -> None:
    problem = pending_problem(waiting(message))
    assert problem is not None
    assert (problem.reason, problem.hopeless) == (ERROR, False)


def test_a_text_that_can_not_be_rendered_is_the_tasks_failure() -> None:
    # given
    message = encode_result(Result(message="the text is no base64"))[0]
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    pod = {
        "metadata": {"name": "p"},
        "status": {
            "phase": "Failed",
            "initContainerStatuses": [{"name": "secrets", "state": {"terminated": ended}}],
            "containerStatuses": [
                {"name": "task", "state": {"waiting": {"reason": "PodInitializing"}}}
            ],
        },
    }
    # when
    seen = observe(None, [pod])
    # then
    assert seen.state is State.FAILED
    assert (seen.reason, seen.message) == ("TaskFailed", "the text is no base64")
