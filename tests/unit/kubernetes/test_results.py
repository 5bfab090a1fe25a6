"""What pods and Jobs of every fate say about their attempt."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.engine.interface.actions import Observation
from penstock.kubernetes.observation.podstatus import pending_problem
from penstock.kubernetes.observation.results import (
    LogRequest,
    job_deleted,
    needs_log,
    observe,
    outputs_of,
    with_own_files,
)
from penstock.resources.execution import State
from penstock.tasks.contract.framing import Result, encode_result, header

START, END = "2026-01-02T03:04:05Z", "2026-01-02T03:04:15Z"
DELETED = {"deletionTimestamp": END}
TIMEOUT = timedelta(seconds=5)


def ended(code: int, reason: str = "Error", message: str = "", **more: Any) -> dict[str, Any]:
    state = {"exitCode": code, "reason": reason, "startedAt": START, "finishedAt": END, **more}
    if message:
        state["message"] = message
    return {"terminated": state}


def pod(
    state: dict[str, Any] | None = None,
    *,
    meta: dict[str, Any] | None = None,
    limits: dict[str, str] | None = None,
    **status: Any,
) -> dict[str, Any]:
    statuses = [{"name": "sidecar", "state": ended(9)}]
    if state is not None:
        statuses.append({"name": "task", "state": state})
    return {
        "metadata": {"name": "p", "creationTimestamp": START, **(meta or {})},
        "spec": {"containers": [{"name": "task", "resources": {"limits": limits or {}}}]},
        "status": {"containerStatuses": statuses, **status},
    }


def disrupted(reason: str, at: str = START) -> dict[str, Any]:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why"}
    return {"conditions": [condition | {"lastTransitionTime": at}]}


def job(kind: str, reason: str = "", message: str = "words") -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "reason": reason, "message": message}
    return {"status": {"conditions": [condition | {"lastTransitionTime": END}]}}


POD_CASES: dict[str, tuple[dict[str, Any], str, str | None, str | None]] = {
    "success": (pod(ended(0, "Completed")), "SUCCESS", None, None),
    "success while deleted": (pod(ended(0), meta=DELETED), "SUCCESS", None, None),
    "success while evicted": (pod(ended(0), **disrupted("x")), "SUCCESS", None, None),
    "exit code": (pod(ended(3)), "FAILED", "ExitCode", "exit code 3"),
    "signal": (pod(ended(137)), "FAILED", "ExitCode", "exit code 137 (SIGKILL)"),
    "code beyond signals": (pod(ended(255)), "FAILED", "ExitCode", "exit code 255"),
    "out of memory": (
        pod(ended(137, "OOMKilled"), limits={"memory": "128Mi"}),
        "FAILED",
        "OOMKilled",
        "OOMKilled at 128Mi",
    ),
    "out of the node's memory": (pod(ended(137, "OOMKilled")), "FAILED", "OOMKilled", "OOMKilled"),
    "no such program": (
        pod(ended(128, "StartError", "exec: /app: not found")),
        "FAILED",
        "StartError",
        "exec: /app: not found",
    ),
    "no shell": (
        pod(ended(128, "StartError", 'exec: "/bin/sh": stat /bin/sh: no such file or directory')),
        "FAILED",
        "StartError",
        "the image has no `/bin/sh`, which a script needs: use one that has it",
    ),
    "timeout": (
        pod(ended(143), phase="Failed", reason="DeadlineExceeded"),
        "FAILED",
        "Timeout",
        "Timeout after PT5S",
    ),
    "timeout with a tidy end": (
        pod(ended(0), phase="Failed", reason="DeadlineExceeded"),
        "FAILED",
        "Timeout",
        "Timeout after PT5S",
    ),
    "timeout before the start": (
        pod(phase="Failed", reason="DeadlineExceeded"),
        "FAILED",
        "Timeout",
        "Timeout after PT5S",
    ),
    "drained": (pod(ended(143), **disrupted("EvictionByEvictionAPI")),
                "RESUBMITTED", "EvictionByEvictionAPI", "why"),
    "drained, with an exit code of its own": (
        pod(ended(1), **disrupted("EvictionByEvictionAPI")),
        "RESUBMITTED",
        "EvictionByEvictionAPI",
        "why",
    ),
    "failed before it was drained": (
        pod(ended(1), **disrupted("PreemptionByScheduler", "2026-01-02T03:04:16Z")),
        "FAILED",
        "ExitCode",
        "exit code 1",
    ),
    "evicted": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        "RESUBMITTED",
        "Evicted",
        "The node was low on resource: memory.",
    ),
    "evicted for its own use": (
        pod(
            phase="Failed",
            reason="Evicted",
            message='Usage of EmptyDir volume "work" exceeds the limit "1Gi".',
        ),
        "FAILED",
        "Evicted",
        'Usage of EmptyDir volume "work" exceeds the limit "1Gi".',
    ),
    "refused by the node": (pod(phase="Failed", reason="OutOfcpu"), "RESUBMITTED", "OutOfcpu",
                            "OutOfcpu"),
    "node shut down": (pod(ended(137), phase="Failed", reason="NodeShutdown"),
                       "RESUBMITTED", "NodeShutdown", "NodeShutdown"),
    "deleted by a person": (
        pod(ended(137), meta=DELETED),
        "FAILED",
        "PodDeleted",
        "the pod was deleted while the task ran",
    ),
    "deleted after it failed": (pod(ended(3), meta=DELETED), "FAILED", "ExitCode", "exit code 3"),
    "drained and deleted": (pod(ended(143), meta=DELETED, **disrupted("DeletionByTaintManager")),
                            "RESUBMITTED", "DeletionByTaintManager", "why"),
    "failed without a reason": (
        pod(phase="Failed"),
        "FAILED",
        "PodFailed",
        "the pod failed, and Kubernetes tells no reason",
    ),
    "being disrupted": (pod({"running": {"startedAt": START}}, **disrupted("x")), "RUNNING", None,
                        None),
    "running": (pod({"running": {"startedAt": START}}, phase="Running"), "RUNNING", None, None),
    "waiting": (pod({"waiting": {"reason": "ContainerCreating"}}), "CREATED", None, None),
    "new": ({"metadata": {"name": "p"}}, "CREATED", None, None),
    "lost node": (pod({"running": {"startedAt": START}}, meta=DELETED), "RUNNING", None, None),
}  # fmt: skip


@pytest.mark.parametrize(("given", "state", "reason", "message"), POD_CASES.values(), ids=POD_CASES)
def test_a_pod_tells_how_its_attempt_went(
    given: dict[str, Any], state: str, reason: str | None, message: str | None
) -> None:
    # when
    seen = observe(None, [given], TIMEOUT)
    # then
    assert (seen.state, seen.reason, seen.message) == (State(state), reason, message)


JOB_CASES: dict[str, tuple[dict[str, Any] | None, str, str | None, str | None]] = {
    "no job yet": (None, "CREATED", None, None),
    "new job": ({"status": {}}, "CREATED", None, None),
    "complete": (
        job("Complete"),
        "SUCCESS",
        None,
        "the pod was gone before its outputs were read",
    ),
    "pod deleted": (
        job("Failed", "BackoffLimitExceeded"),
        "FAILED",
        "PodDeleted",
        "the pod was deleted and its end was not seen",
    ),
    "disrupted": (job("Failed", "PodFailurePolicy"), "RESUBMITTED", "Disrupted", "words"),
    "disrupted, going on": (job("FailureTarget", "PodFailurePolicy"), "RESUBMITTED", "Disrupted",
                            "words"),
    "out of time": (job("Failed", "DeadlineExceeded"), "FAILED", "Timeout", "Timeout after PT5S"),
    "refused": (job("Failed", "Forbidden", "exceeded quota"), "FAILED", "Forbidden",
                "exceeded quota"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "state", "reason", "message"), JOB_CASES.values(), ids=JOB_CASES)
def test_without_a_pod_the_job_tells(
    given: dict[str, Any] | None, state: str, reason: str | None, message: str | None
) -> None:
    seen = observe(given, [], TIMEOUT)
    assert (seen.state, seen.reason, seen.message) == (State(state), reason, message)


def test_a_jobs_deadline_explains_a_deleted_pod() -> None:
    seen = observe(job("FailureTarget", "DeadlineExceeded"), [pod(ended(143), meta=DELETED)])
    assert (seen.reason, seen.message) == ("Timeout", "Timeout")


def test_dates_and_exit_code_are_the_containers() -> None:
    # when
    seen = observe(None, [pod(ended(3))])
    # then
    assert seen == Observation(
        State.FAILED,
        start_date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        end_date=datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC),
        exit_code=3,
        reason="ExitCode",
        message="exit code 3",
    )


def test_a_success_counts_more_than_a_newer_pod() -> None:
    newer = pod(ended(1), meta={"creationTimestamp": END})
    assert observe(None, [newer, pod(ended(0))]).state is State.SUCCESS
    assert observe(None, [pod(ended(0)), newer]).state is State.SUCCESS


def lines(*texts: str) -> str:
    payload = "".join(f"{text}\n" for text in texts)
    return header("inline", "lines", len(payload.encode()), len(texts)) + payload


def test_outputs_of_a_script() -> None:
    # given
    message = lines(
        '::{"outputs":{"a":1,"b":{"x":1}}}::',
        'text ::{"outputs":{"b":{"y":2}}}:: more ::{"outputs":{"c":"::"}}::',
        '::{"metrics":[{"name":"n","type":"counter","value":1}]}::',
    )
    # when
    seen = observe(None, [pod(ended(1, message=message))])
    # then
    assert seen.state is State.FAILED
    assert seen.outputs == {
        "vars": {"a": 1, "b": {"y": 2}, "c": "::"},
        "exitCode": 1,
        "outputFiles": {},
    }


@pytest.mark.parametrize(
    "line",
    [
        "::{outputs}::",
        '::{"outputs":[1]}::',
        '::{"outputs":{"a":NaN}}::',
        '::{"outputs":{"a":1e999}}::',
        '::{"outputs":{"a":"\\ud800"}}::',
        '::{"outputs":' + "[" * 100_000 + "}::",
        '::{"outputs":{"a":' + "9" * 5000 + "}}::",
    ],
)
def test_a_malformed_line_is_told_of_and_fails_nothing(line: str) -> None:
    # when
    seen = observe(None, [pod(ended(0, message=lines(line, '::{"outputs":{"b":2}}::')))])
    # then
    assert seen.state is State.SUCCESS
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"b": 2}
    assert seen.message is not None
    assert seen.message.startswith("ignored a malformed ::{…}:: line: ::{")
    assert len(seen.message) < 200


KEPT = '::penstock-files {"files":{"a b":"kestra:///own/a%20b"},"notes":["no file matches"]}\n'


@pytest.mark.parametrize("form", ["inline", "unfiltered"])
def test_kept_files_are_outputs_of_a_script(form: Any) -> None:
    # given
    text = f"""::{{"outputs":{{"a":1}}}}::\n{KEPT}"""
    message = header(form, "lines", len(text), 2) + (text if form == "inline" else "")
    # when
    found = outputs_of(pod(ended(0, message=message)), text)
    # then
    files = {"a b": "kestra:///own/a%20b"}
    assert found.outputs == {"vars": {"a": 1}, "exitCode": 0, "outputFiles": files}
    assert found.message == "no file matches"


@pytest.mark.parametrize(
    "line",
    [
        "::penstock-files {",
        "::penstock-files []",
        '::penstock-files {"files":[],"notes":[]}',
        '::penstock-files {"files":{}}',
        'x ::penstock-files {"files":{"a":"b"},"notes":[]}',
        '::penstock-files {"files":{"a":"b"},"notes":[]} ::{}::',
    ],
)
def test_a_line_that_only_looks_like_kept_files_is_none(line: str) -> None:
    message = header("inline", "lines", len(line) + 1, 1) + line + "\n"
    found = outputs_of(pod(ended(0, message=message)))
    assert found.outputs == {"vars": {}, "exitCode": 0, "outputFiles": {}}


@pytest.mark.parametrize(
    ("uri", "state"),
    [
        ("kestra:///own/a", State.SUCCESS),
        ("kestra:///other/a", State.FAILED),
        ("kestra:///own", State.FAILED),
        ("https://example.com/", State.FAILED),
    ],
)
def test_a_file_that_the_task_run_did_not_make_is_refused(uri: str, state: State) -> None:
    seen = Observation(State.SUCCESS, outputs={"outputFiles": {"a": uri}})
    assert with_own_files(seen, "kestra:///own/").state is state


def test_outputs_without_files_are_left_as_they_are() -> None:
    seen = Observation(State.SUCCESS, outputs={"outputFiles": "text"})
    assert with_own_files(seen, "kestra:///own/") is seen


def test_large_outputs_come_from_the_log() -> None:
    # given
    payload = f"::{json.dumps({'outputs': {'a': 'é' * 5000}}, ensure_ascii=False)}::\n"
    size = len(payload.encode())
    given = pod(ended(0, message=header("framed", "lines", size, 1)))
    log = f"before\n::penstock-result {size}::\nfake\n\n::penstock-result {size}::\n{payload}"
    # when
    request = needs_log([given])
    seen = observe(None, [given], log=log + "::penstock-end::\n")
    # then
    assert request == LogRequest("p", "task", 1 + size // 4096 + 16)
    assert seen.state is State.SUCCESS
    assert seen.outputs is not None
    assert seen.outputs["vars"] == {"a": "é" * 5000}


@pytest.mark.parametrize("log", [None, "", "::penstock-end::\n", "::penstock-result 9000::\nx"])
def test_outputs_that_cannot_be_read_back_fail_the_attempt(log: str | None) -> None:
    seen = observe(None, [pod(ended(0, message=header("framed", "lines", 9000, 1)))], log=log)
    assert (seen.state, seen.reason) == (State.FAILED, "InvalidOutputs")


def test_too_large_outputs_fail_the_attempt() -> None:
    seen = observe(None, [pod(ended(0, message=header("oversized", "lines", 2_000_000, 9)))])
    assert (seen.state, seen.message) == (State.FAILED, "outputs are larger than 1 MiB")
    assert needs_log(pod(ended(0, message=header("oversized", "lines")))) is None


DEEP = "[" * 101 + "]" * 101


@pytest.mark.parametrize("nested", [DEEP, "[" * 300 + "]" * 300])
def test_outputs_of_a_script_that_are_nested_too_deep_fail_the_attempt(nested: str) -> None:
    line = f'::{{"outputs": {{"flat": [1], "tree": {nested}}}}}::'
    message = header("inline", "lines", len(line), 1) + line

    seen = observe(None, [pod(ended(0, message=message))])

    assert (seen.state, seen.reason) == (State.FAILED, "InvalidOutputs")
    assert seen.message == "the output `tree` is nested deeper than 100 levels"
    assert seen.outputs is None


def test_so_do_those_of_a_core_task() -> None:
    message, _ = encode_result(Result({"value": json.loads(DEEP)}))

    seen = observe(None, [pod(ended(0, message=message))])

    assert (seen.state, seen.reason) == (State.FAILED, "InvalidOutputs")
    assert "`value`" in str(seen.message)


def test_outputs_of_a_hundred_levels_are_taken() -> None:
    message, _ = encode_result(Result({"value": json.loads(DEEP[1:-1])}))

    assert observe(None, [pod(ended(0, message=message))]).state is State.SUCCESS


def test_of_a_bare_image_the_log_itself_is_read() -> None:
    given = pod(ended(0, message=header("unfiltered", "lines")))
    request = needs_log(given)
    assert request is not None
    seen = outputs_of(given, 'hello\n::{"outputs":{"a":1}}::\n')
    assert seen.outputs == {"vars": {"a": 1}, "exitCode": 0, "outputFiles": {}}


@pytest.mark.parametrize("size", [1, 3000, 5000, 500_000])
def test_the_result_of_a_core_task(size: int) -> None:
    # given
    message, block = encode_result(Result({"value": "é" * size}))
    given = pod(ended(0, message=message))
    # then
    assert (needs_log(given) is None) == (not block)
    assert observe(None, [given], log=block).outputs == {"value": "é" * size}


def test_a_core_tasks_own_words_are_the_message() -> None:
    message, _ = encode_result(Result({"kept": 1}, "sorry"))
    seen = observe(None, [pod(ended(1, message=message))])
    assert (seen.reason, seen.message, seen.outputs) == ("TaskFailed", "sorry", {"kept": 1})


@pytest.mark.parametrize(
    "message",
    ["", "hello", "penstock/1", "penstock/1 inline lines x 1\n", "penstock/1 new lines 1 1\n",
     "penstock/1 inline result 3 1\n[]\n", "penstock/2 inline lines 0 0\n"],
)  # fmt: skip
def test_hostile_termination_messages_change_nothing(message: str) -> None:
    assert observe(None, [pod(ended(1, message=message))]).exit_code == 1
    assert needs_log(pod(ended(0, message=message))) is None


@pytest.mark.parametrize(
    ("given", "reason", "hopeless"),
    [
        (pod({"waiting": {"reason": "ImagePullBackOff", "message": "m"}}), "ImagePullBackOff",
         False),
        (pod({"waiting": {"reason": "InvalidImageName", "message": "m"}}), "InvalidImageName",
         True),
        (pod({"waiting": {"reason": "CreateContainerConfigError"}}), "CreateContainerConfigError",
         False),
        (pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]),
         "Unschedulable", False),
    ],
)  # fmt: skip
def test_a_pod_that_may_never_start_says_why(
    given: dict[str, Any], reason: str, hopeless: bool
) -> None:
    problem = pending_problem(given)
    assert problem is not None
    assert (problem.reason, problem.hopeless) == (reason, hopeless)


@pytest.mark.parametrize(
    "given",
    [
        pod({"waiting": {"reason": "ContainerCreating"}}),
        pod({"running": {"startedAt": START}}),
        pod(ended(1)),
        {},
    ],
)
def test_other_pods_have_no_problem(given: dict[str, Any]) -> None:
    assert pending_problem(given) is None


def test_a_pod_that_waits_for_the_container_of_its_files_says_so() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    first = {"name": "files", "state": {"waiting": waiting}}
    given = pod({"waiting": {"reason": "PodInitializing"}}, initContainerStatuses=[first])
    found = pending_problem(given)
    assert found is not None
    assert (found.reason, found.message) == ("ImagePullBackOff", "no such image")


def test_a_deleted_job_is_a_failure() -> None:
    assert job_deleted().reason == "JobDeleted"
