"""How a pod and its Job become the observation of an attempt. Pure functions of plain objects.

How a controller uses them, each time the pod or the Job of an attempt changed::

    request = needs_log(pods)                       # rarely: only for outputs of more than 3.5 KiB
    log = await read_log(request) if request else None
    seen = observe(job, pods, timeout, log)

The pod's own status decides, so nothing waits for the Job's condition. In this order:

1. The pod ran out of its time: FAILED, `Timeout`. The same if the Job did.
2. The container exited with 0: SUCCESS, even of a pod that is being deleted.
3. The pod was disrupted (evicted, preempted, its node drained or lost) before its container ended
   by itself: RESUBMITTED. One that was evicted for using more than its own limits: FAILED.
4. Somebody deleted the pod: FAILED, `PodDeleted`.
5. Any other exit code: FAILED, with the cause in words.

Where no pod is left, or its end was not seen, the Job's condition tells which of these it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from penstock.engine.interface.actions import Observation
from penstock.flow.model import format_duration
from penstock.kubernetes.observation import podstatus
from penstock.nesting import TOO_DEEP, deep_name
from penstock.resources.execution import State
from penstock.tasks.contract.framing import (
    LOST,
    MAX_BYTES,
    TOO_LARGE,
    Marker,
    decode_result,
    parse_marker,
)
from penstock.tasks.contract.metrics import read_metrics
from penstock.tasks.contract.output_lines import Captured
from penstock.tasks.contract.pod_folders import KEPT_MARK
from penstock.tasks.contract.services import Metric

Pod = Mapping[str, Any]
Job = Mapping[str, Any]


@dataclass(frozen=True)
class LogRequest:
    """The part of a container's log that holds the outputs: its last lines."""

    pod: str
    container: str
    tail_lines: int


@dataclass(frozen=True)
class Outputs:
    """The outputs of an ended container, and what came with them."""

    outputs: Mapping[str, Any] | None = None
    message: str | None = None
    """A core task's own message about its failure, or a note on what was ignored in a script's
    output."""
    metrics: Sequence[Metric] = ()
    effects: tuple[Any, ...] = ()
    """The changes of key-values that a core task asks for."""
    error: str | None = None
    """Why the outputs can't be read: the attempt has failed, whatever the exit code."""


def observe(
    job: Job | None,
    pods: Sequence[Pod],
    timeout: timedelta | None = None,
    log: str | None = None,
) -> Observation:
    """The observation of an attempt. `log` is the log for which :func:`needs_log` asked, if it
    did."""
    pod = podstatus.main_pod(pods)
    failed = podstatus.job_condition(job, "Failed") or podstatus.job_condition(job, "FailureTarget")
    if pod is None:
        return _without_pod(job, failed, timeout)
    ended = podstatus.terminated(pod)
    timed_out = podstatus.out_of_time(pod) or _is_deadline(failed)
    if ended is None and not podstatus.is_over(pod):
        if podstatus.is_gone(pod) and podstatus.job_has_ended(job):
            return _without_end(pod, _without_pod(job, failed, timeout))
        return _going_on(pod)
    dates = podstatus.dates(pod, ended)
    exit_code = ended.get("exitCode") if ended is not None else None
    given = outputs_of(pod, log) if ended is not None else Outputs()
    seen = Observation(
        State.FAILED,
        start_date=dates[0],
        end_date=dates[1],
        exit_code=exit_code,
        outputs=given.outputs,
        metrics=given.metrics,
    )
    if timed_out:
        return replace(seen, reason="Timeout", message=_timeout(timeout))
    if exit_code == 0:
        if given.error is not None:
            return replace(seen, reason="InvalidOutputs", message=given.error)
        return replace(seen, state=State.SUCCESS, message=given.message, effects=given.effects)
    disruption = podstatus.disruption(pod, ended)
    if disruption is not None:
        state = State.FAILED if disruption.own_fault else State.RESUBMITTED
        return replace(
            seen,
            state=state,
            reason=disruption.reason,
            message=disruption.message,
            outputs=None,
            metrics=(),
        )
    if podstatus.was_deleted(pod) and exit_code in (None, 137, 143):
        message = "the pod was deleted while the task ran"
        return replace(seen, reason="PodDeleted", message=message)
    before = _failure_before(pod) if ended is None else None
    if before is not None:
        return replace(seen, reason="TaskFailed", message=before)
    cause = podstatus.cause(pod, ended)
    if cause.reason == "ExitCode" and _marker(pod, "result") is not None and given.message:
        return replace(seen, reason="TaskFailed", message=given.message)
    words = [cause.message, given.error, given.message]
    return replace(seen, reason=cause.reason, message="; ".join(word for word in words if word))


def with_own_files(seen: Observation, folder: str) -> Observation:
    """The observation, failed where it names output files that are not below the folder of the task
    run. A pod can't claim the files of others.
    """
    files = (seen.outputs or {}).get("outputFiles")
    if not isinstance(files, Mapping):
        return seen
    foreign = [name for name, uri in files.items() if not str(uri).startswith(folder)]
    if not foreign:
        return seen
    return replace(
        seen,
        state=State.FAILED,
        reason="InvalidOutputs",
        message=f"`outputFiles`: `{foreign[0]}` is no file that the task made",
        outputs=None,
    )


def job_deleted() -> Observation:
    """The observation of an attempt whose Job was there and is gone, with its pods."""
    return Observation(
        State.FAILED, reason="JobDeleted", message="the Job was deleted while the task ran"
    )


def needs_log(pods: Pod | Sequence[Pod]) -> LogRequest | None:
    """The part of the log that has to be read before :func:`observe`; mostly None."""
    pod = podstatus.main_pod([pods] if isinstance(pods, Mapping) else pods)
    ended = podstatus.terminated(pod) if pod is not None else None
    marker = parse_marker(ended.get("message")) if ended is not None else None
    if pod is None or marker is None or marker.tail_lines is None:
        return None
    return LogRequest(pod["metadata"]["name"], podstatus.container_name(pod), marker.tail_lines)


def outputs_of(pod: Pod, log: str | None = None) -> Outputs:
    """The outputs of an ended container, from its termination message and, if need be, its log."""
    ended = podstatus.terminated(pod)
    if ended is None:
        return Outputs()
    marker = parse_marker(ended.get("message"))
    code = ended.get("exitCode", 0)
    if marker is None:
        # The container was killed with all its processes before it could write a message.
        return Outputs()
    if marker.form == "oversized":
        return Outputs(error=TOO_LARGE)
    payload = marker.payload if marker.form == "inline" else marker.payload_in(log or "")
    if payload is None:
        return Outputs(error=LOST)
    return _result(payload) if marker.kind == "result" else script_outputs(payload, code)


def script_outputs(lines: str, exit_code: int) -> Outputs:
    """The outputs of a script from its `::{…}::` lines, in the shape that Kestra gives them."""
    lines, files, notes = _kept(lines)
    captured = Captured().add_all(lines.split("\n"))
    if (name := deep_name(captured.vars)) is not None:
        return Outputs(error=_too_deep(name))
    if len(json.dumps(captured.vars, ensure_ascii=False).encode()) > MAX_BYTES:
        return Outputs(error=TOO_LARGE)
    return Outputs(
        _script_shape(captured.vars, exit_code, files),
        message="; ".join((*captured.notes, *notes)) or None,
        metrics=captured.metrics,
    )


def _script_shape(values: dict[str, Any], exit_code: int, files: dict[str, str]) -> dict[str, Any]:
    return {"vars": values, "exitCode": exit_code, "outputFiles": files}


def _kept(lines: str) -> tuple[str, dict[str, str], list[str]]:
    """The lines of the script itself; the URIs of its files by name; and notes. The container
    beside the script tells the last two, in the last line.
    """
    begin = lines.rfind(KEPT_MARK)
    if begin < 0 or (begin > 0 and lines[begin - 1] != "\n"):
        return lines, {}, []
    text, _, after = lines[begin:].partition("\n")
    try:
        said = json.loads(text.removeprefix(KEPT_MARK))
        files = {str(name): str(uri) for name, uri in said["files"].items()}
        notes = [str(note) for note in said["notes"]]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return lines, {}, []
    return lines[:begin] + after, files, notes


def _too_deep(name: str) -> str:
    return f"the output `{name[:100]}` is {TOO_DEEP}"


def _result(payload: str) -> Outputs:
    result = decode_result(payload)
    if result is None:
        return Outputs(error=LOST)
    if (name := deep_name(result.outputs)) is not None:
        return Outputs(error=_too_deep(name))
    return Outputs(
        result.outputs,
        message=result.message,
        effects=tuple(result.effects),
        metrics=read_metrics(result.metrics),
    )


def _failure_before(pod: Pod) -> str | None:
    """The message of a failed init container of Penstock's; None where none failed."""
    ended = podstatus.failed_init(pod)
    return told_by(ended) if ended is not None else None


def told_by(ended: Mapping[str, Any]) -> str | None:
    """The message of a failed container of Penstock's own; None where it wrote none."""
    marker = parse_marker(ended.get("message"))
    return _result(marker.payload).message if marker is not None else None


def _marker(pod: Pod, kind: str) -> Marker | None:
    ended = podstatus.terminated(pod)
    marker = parse_marker(ended.get("message")) if ended is not None else None
    return marker if marker is not None and marker.kind == kind else None


def _going_on(pod: Pod) -> Observation:
    started = podstatus.started(pod)
    if started is None:
        return Observation(State.CREATED)
    return Observation(State.RUNNING, start_date=started)


def _without_pod(
    job: Job | None, failed: Mapping[str, Any] | None, timeout: timedelta | None
) -> Observation:
    done = podstatus.job_condition(job, "Complete") or podstatus.job_condition(
        job, "SuccessCriteriaMet"
    )
    if done is not None:
        message = "the pod was gone before its outputs were read"
        return Observation(State.SUCCESS, end_date=_date(done), message=message)
    if failed is None:
        return Observation(State.CREATED)
    seen = Observation(State.FAILED, end_date=_date(failed))
    reason = failed.get("reason") or "JobFailed"
    message = failed.get("message") or "the Job failed"
    if _is_deadline(failed):
        return replace(seen, reason="Timeout", message=_timeout(timeout))
    if reason == "PodFailurePolicy":
        return replace(seen, state=State.RESUBMITTED, reason="Disrupted", message=message)
    if reason == "BackoffLimitExceeded":
        words = "the pod was deleted and its end was not seen"
        return replace(seen, reason="PodDeleted", message=words)
    return replace(seen, reason=reason, message=message)


def _without_end(pod: Pod, told: Observation) -> Observation:
    """The observation of an attempt whose pod was gone before its end was seen. Where the pod was
    disrupted, the disruption is the reason."""
    disruption = podstatus.disruption(pod, None)
    if told.reason != "PodDeleted" or disruption is None or disruption.own_fault:
        return told
    state, message = State.RESUBMITTED, disruption.message
    return replace(told, state=state, reason=disruption.reason, message=message)


def _is_deadline(failed: Mapping[str, Any] | None) -> bool:
    return failed is not None and failed.get("reason") == "DeadlineExceeded"


def _timeout(timeout: timedelta | None) -> str:
    return f"Timeout after {format_duration(timeout)}" if timeout is not None else "Timeout"


def _date(condition: Mapping[str, Any]) -> datetime | None:
    return podstatus.date(condition.get("lastTransitionTime"))
