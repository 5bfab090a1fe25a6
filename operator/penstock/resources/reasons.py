"""Every reason that stands in a condition of ours: the health that it means, what it says, and what
a person can do.

The reference for operators is made from these lists, and `conditions.py` writes no other reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """How a resource is, as a whole. Each has its own set of conditions."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    """The object goes on by itself."""
    DEGRADED = "degraded"
    """The object is not as it should be, and is looked at again at its next interval."""
    RETRIED = "retried"
    """Something is in the way that may pass by itself: it is tried again."""
    BLOCKED = "blocked"
    """Something is in the way that a person has to mend."""
    STALLED = "stalled"
    """The object is over, or refused: only a person can change that."""


@dataclass(frozen=True)
class Reason:
    """One word for why a condition is what it is."""

    word: str
    health: Health
    says: str
    remedy: str = ""
    """What a person can do; nothing where all is well or it goes on by itself."""


TRIED_AGAIN = "ProgressingWithRetry"
"""The reason of `Reconciling` while something fails that may pass: the word that Flux uses."""
OTHER_REFUSAL = "Refused"
"""The reason for what the API server refuses with a word that nobody knows."""

_CHANGE_FLOW = "Change the Flow, in Git where it came from there."
_READ_MESSAGE = "Read the message."

FLOW_REASONS = (
    Reason("Accepted", Health.HEALTHY, "The newest spec is accepted, its triggers are armed."),
    Reason(
        "Invalid",
        Health.STALLED,
        "The flow can't be taken in. The message names what is wrong, with path and, from Git, "
        "file and line.",
        _CHANGE_FLOW,
    ),
    Reason(
        "Duplicate",
        Health.STALLED,
        "An older Flow has the same `namespace` and `id`.",
        "Delete one of the two, or give one another id.",
    ),
)

TRIGGER_STATE_REASONS = (
    Reason("Armed", Health.HEALTHY, "It starts an Execution at its next date."),
    Reason(
        "Waiting",
        Health.HEALTHY,
        "A date has come, and what it started before has not ended.",
        "Wait; or let the trigger say `allowConcurrent: true`.",
    ),
    Reason(
        "Failing",
        Health.DEGRADED,
        "For its last date no Execution could be started.",
        "Read the message. Its next date is tried.",
    ),
    Reason(
        "Disabled",
        Health.HEALTHY,
        "The flow says so, or `spec.disabled`, which a person or a task has set.",
        "Set `spec.disabled` to false, where the message names it.",
    ),
    Reason("Ended", Health.HEALTHY, "No date is left."),
    Reason(
        "NotServed",
        Health.STALLED,
        "Penstock starts nothing for it.",
        "Read the message; change the Flow.",
    ),
)

SOURCE_REASONS = frozenset({"Invalid"})
"""Reasons of `SourceInvalid`."""

_CHANGE_SOURCE = "Change the spec of the GitSource."

GIT_SOURCE_REASONS = (
    Reason("Applied", Health.HEALTHY, "Every file of the commit is taken in."),
    Reason(
        "FilesFailed",
        Health.DEGRADED,
        "Some files are not taken in; the rest is.",
        "Mend the files that the message and `status.problems` name.",
    ),
    Reason(
        "NotFound",
        Health.DEGRADED,
        "There is no such branch, tag, commit, folder or repository.",
        "Push it, or change the spec.",
    ),
    Reason(
        "AuthenticationFailed",
        Health.DEGRADED,
        "The remote refuses the credentials, or wants some.",
        "Mend the credentials.",
    ),
    Reason(
        "Timeout",
        Health.DEGRADED,
        "Git takes longer than `timeout`.",
        "Raise `timeout`, or wait for the remote.",
    ),
    Reason(
        "TooLarge",
        Health.DEGRADED,
        "The repository, or a file of it, is larger than what is taken in.",
        "Give the flows a repository of their own, or a smaller `path`.",
    ),
    Reason(
        "TooManyFlows",
        Health.DEGRADED,
        "The commit has more flows than the status of a GitSource has room for. Nothing of it is "
        "applied.",
        "Let several GitSources take in a folder each, by `path`.",
    ),
    Reason("GitOperationFailed", Health.DEGRADED, "Git fails otherwise.", _READ_MESSAGE),
    Reason(
        "StorageFailed",
        Health.DEGRADED,
        "Namespace files can't be put into the internal storage.",
        "See whether the storage answers and has room.",
    ),
    Reason("InvalidSpec", Health.STALLED, "The spec can't be read.", _CHANGE_SOURCE),
    Reason("InvalidURL", Health.STALLED, "The URL can't be one of a repository.", _CHANGE_SOURCE),
    Reason(
        "InvalidReference",
        Health.STALLED,
        "The branch, tag or commit can't be the name of one.",
        _CHANGE_SOURCE,
    ),
)

_RESTART = "Mend what the message names, then restart or replay it."

EXECUTION_STATES = (
    Reason("Created", Health.PROGRESSING, "It has not begun: its `scheduleDate` has not come."),
    Reason("Queued", Health.PROGRESSING,
           "It waits for a slot; the message says for which, and how many come before it."),
    Reason("Running", Health.PROGRESSING, "It goes on."),
    Reason("Paused", Health.PROGRESSING, "It waits for a person, or for the end of a pause.",
           "Resume it, where it waits for you."),
    Reason("Breakpoint", Health.PROGRESSING, "It stopped before a task of `breakpoints`.",
           "Resume it."),
    Reason("Retrying", Health.PROGRESSING, "Nothing is left but to wait for a retry."),
    Reason("Restarted", Health.PROGRESSING, "It is about to go on."),
    Reason("Killing", Health.PROGRESSING, "It is about to end."),
    Reason("Success", Health.HEALTHY, "It ended well."),
    Reason("Warning", Health.HEALTHY, "It ended with failures that were allowed."),
    Reason("Failed", Health.STALLED, "A task failed, or a limit or an SLA ended it.", _RESTART),
    Reason("Killed", Health.STALLED, "`spec.kill`, an Exit task or an Approval ended it.",
           "Restart it, after `spec.kill` is false again."),
    Reason("Cancelled", Health.STALLED,
           "An Exit task, a Pause, an SLA or `concurrency` ended it so.", "Restart it."),
    Reason("Retried", Health.STALLED, "It failed, and another Execution does it again.",
           "Look at that one."),
)  # fmt: skip
"""Reasons that are a state, in capitals."""

EXECUTION_REFUSALS = (
    Reason("FlowNotFound", Health.STALLED, "There is no such Flow in the namespace.",
           "Apply the Flow, then make another Execution."),
    Reason("FlowInvalid", Health.STALLED, "The Flow is not accepted.", _CHANGE_FLOW),
    Reason(
        "TooMuchWork",
        Health.STALLED,
        "The flow's expressions take too long together, or too much memory.",
        "Let tasks do such work; the message names the limit.",
    ),
    Reason("FlowDisabled", Health.STALLED, "The flow says `disabled: true`.", _CHANGE_FLOW),
    Reason("InvalidInputs", Health.STALLED, "An input is missing, or is not of its type.",
           "Make another Execution with the inputs that the message names."),
    Reason("TriggerFailed", Health.STALLED,
           "A condition of its trigger can't be told, or what the trigger waits for did not come.",
           _READ_MESSAGE),
    Reason("CheckFailed", Health.STALLED, "One of the flow's `checks` blocks it.", _READ_MESSAGE),
    Reason("InvalidExecution", Health.STALLED, "Its spec can't be read.", _READ_MESSAGE),
    Reason("InvalidStatus", Health.STALLED,
           "Its status was changed by hand, and names no flow any more.",
           "Make another Execution."),
    Reason("RevisionNotFound", Health.STALLED, "That revision of the flow is not kept any more.",
           "Ask for another one."),
    Reason("ReplayNotPossible", Health.STALLED,
           "The Execution that it replays is not there, of another flow, or its outputs are gone.",
           _READ_MESSAGE),
    Reason("TaskRunNotFound", Health.STALLED,
           "The Execution that it replays has no such task run.", "Name another task."),
    Reason("InternalError", Health.STALLED,
           "The controller made an error each time that it looked at it.",
           "Report it, with the message and the traceback of the controller's log."),
)  # fmt: skip
"""Reasons for which an Execution ends before anything of it runs; `status.refusal` has them too."""

EXECUTION_REASONS = (*EXECUTION_STATES, *EXECUTION_REFUSALS)

_WAIT = "Wait."

WAITS_THAT_PASS = (
    Reason("Conflict", Health.RETRIED, "Somebody else writes at the same time.", _WAIT),
    Reason("AlreadyExists", Health.RETRIED, "Somebody else made it at the same time.", _WAIT),
    Reason("NotFound", Health.RETRIED, "The API server does not have what it is asked for.",
           "See whether the CRDs are those of this version."),
    Reason("Unauthorized", Health.RETRIED, "The API server does not know the controller.",
           "See whether its ServiceAccount is there."),
    Reason("Unreachable", Health.RETRIED, "The API server can't be reached.", _WAIT),
    Reason("ServiceUnavailable", Health.RETRIED, "The API server is away.", _WAIT),
    Reason("TooManyRequests", Health.RETRIED, "The API server is overloaded.", _WAIT),
    Reason("Timeout", Health.RETRIED, "The API server is late.", _WAIT),
    Reason("ServerTimeout", Health.RETRIED, "The API server is late.", _WAIT),
    Reason("Expired", Health.RETRIED, "The API server forgot what was read.", _WAIT),
    Reason("Gone", Health.RETRIED, "The API server forgot what was read.", _WAIT),
    Reason("InternalError", Health.RETRIED,
           "The API server, a webhook of it, or the controller made an error.",
           "Read the message; the controller's log tells more of its own."),
    Reason("QuotaExceeded", Health.RETRIED, "A ResourceQuota is used up.",
           "Wait, or raise the quota."),
    Reason("NamespaceTerminating", Health.RETRIED, "The namespace is being deleted."),
    Reason("StorageUnavailable", Health.RETRIED, "The internal storage does not answer.",
           "See whether it is there."),
    Reason("LeftOver", Health.RETRIED,
           "What a deleted namesake had made is still there.", _WAIT),
    Reason("KeyBusy", Health.RETRIED, "Others change the same key all the time.", _WAIT),
    Reason("NotListed", Health.RETRIED,
           "A new controller has not read all KeyValues yet, and one of them is asked for.", _WAIT),
    Reason("Waiting", Health.RETRIED, "Something is in the way.", _WAIT),
    Reason(
        "WorkersBusy",
        Health.RETRIED,
        "Expressions or flows that take long are evaluated one after the other, and others come "
        "before.",
        _WAIT,
    ),
    Reason(OTHER_REFUSAL, Health.RETRIED, "The API server answers with a word of its own.",
           _READ_MESSAGE),
)  # fmt: skip
"""What is in the way and is tried again, up to once a minute."""

WAITS_FOR_A_PERSON = (
    Reason("Forbidden", Health.BLOCKED,
           "The controller lacks a right, or an admission policy refuses the object.",
           "Give it the right, or change what the policy refuses."),
    Reason("Invalid", Health.BLOCKED, "The API server finds the object invalid.", _READ_MESSAGE),
    Reason("InvalidSpec", Health.BLOCKED, "The spec of a TriggerState can't be read.",
           "Change the field that the message names."),
    Reason("BadRequest", Health.BLOCKED, "The API server can't read the object.", _READ_MESSAGE),
    Reason("RequestEntityTooLarge", Health.BLOCKED, "The object is too large.", _READ_MESSAGE),
    Reason("MethodNotAllowed", Health.BLOCKED, "The API server does not serve such a call.",
           "See whether the CRDs are those of this version."),
    Reason("NotAcceptable", Health.BLOCKED, "The API server does not serve such a call.",
           "See whether the CRDs are those of this version."),
    Reason("UnsupportedMediaType", Health.BLOCKED, "The API server does not serve such a call.",
           "See whether the CRDs are those of this version."),
    Reason("Quarantined", Health.BLOCKED,
           "The controller died twice in a row while it reconciled the object.",
           "Report it; change its spec, or lift the quarantine by annotation."),
    Reason("ValueGone", Health.BLOCKED,
           "A ConfigMap with outputs or task runs of the Execution was deleted.",
           "Put it back, or delete the Execution."),
    Reason("ValueChanged", Health.BLOCKED,
           "A ConfigMap with outputs or task runs of the Execution was changed.",
           "Put it back, or delete the Execution."),
    Reason("NameClash", Health.BLOCKED, "An object of somebody else has the name that is wanted.",
           "Delete that one."),
    Reason(OTHER_REFUSAL, Health.BLOCKED, "The API server refuses with a word of its own.",
           _READ_MESSAGE),
)  # fmt: skip
"""What is in the way until a person mends it; tried again up to once in 5 minutes."""
