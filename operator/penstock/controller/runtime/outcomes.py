"""How a reconcile ends, and when its key is tried again.

A reconcile is done, goes on at once since something became known, goes on after a time that it
knows, is tried again since something failed that may pass, or is stalled until a person does
something. What an error means is decided here and nowhere else (`outcome_of`); so is how often
anything is tried (`Pace`): what fails waits longer each time, and no key, whatever happens to it,
is worked on more than a few times a second for long.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus

from penstock.cluster.key_value_writer import KeyBusy
from penstock.kubernetes.api.client import ApiError
from penstock.kubernetes.api.configmap_store import KeptError, LeftBehind
from penstock.resources.stored import InvalidSpec
from penstock.storage.errors import StorageError

FIRST_RETRY = 0.2
LONGEST_RETRY = 60.0
"""Seconds until what failed is tried again: doubled each time from the first, up to the longest."""
FIRST_STALLED = 5.0
LONGEST_STALLED = 300.0
"""Seconds until what a person has to mend is tried again, from the first to the longest; a change
of its object comes before."""
CONFLICT_RETRY = 0.02
"""Seconds until the first try after a conflict: what somebody else wrote is known by then."""
LEAST_PAUSE = 0.25
LONGEST_PAUSE = 2.0
"""Seconds between two tries of what fails, whatever news there is of it: doubled each time."""
HURRIED = 50
"""How often in a row a key may go on at once; then it pauses each time, lest it never ends."""


class Again(Exception):
    """An action says that something became known which the engine must decide upon: reconcile once
    more, at once."""


class WaitingError(Exception):
    """Something is in the way that passes by itself. `reason` is one word for it."""

    reason = "Waiting"


class NotListed(WaitingError):
    """Something has to be looked for among all objects of a kind, and these are not known yet. Once
    they are, it is reconciled again."""

    reason = "NotListed"

    def __init__(self, plural: str) -> None:
        super().__init__(f"the controller has just started, and has not read all {plural} yet")


@dataclass(frozen=True)
class Done:
    """Nothing is to be done until there is news."""


@dataclass(frozen=True)
class AtOnce:
    """Something became known that has to be decided upon."""


@dataclass(frozen=True)
class After:
    """There is something to do after so many seconds, or when there is news."""

    seconds: float


@dataclass(frozen=True)
class Retry:
    """Something failed that may pass by itself. `reason` is one word for it."""

    reason: str
    message: str
    first: float = FIRST_RETRY
    """Seconds until the first try after it."""
    at_least: float = 0.0
    """Seconds that whoever refused has asked for."""
    error: Exception | None = None
    """A fault of the controller's own, of which the log tells all."""


@dataclass(frozen=True)
class Stalled:
    """Something failed that a person has to mend. `reason` is one word for it."""

    reason: str
    message: str


Outcome = Done | AtOnce | After | Retry | Stalled


def after(seconds: float | None) -> Outcome:
    """The outcome of a reconcile that ended well, and knows when it has to be made again."""
    return Done() if seconds is None else After(seconds)


def outcome_of(error: Exception) -> Outcome:
    """What an error means for the object of which a reconcile it ended."""
    match error:
        case Again():
            return AtOnce()
        case LeftBehind():
            return Retry(error.reason, str(error))
        case KeptError() | InvalidSpec():
            return Stalled(error.reason, str(error))
        case ApiError():
            return _of_api_error(error)
        case WaitingError() | KeyBusy():
            return Retry(error.reason, str(error))
        case StorageError():
            return Retry("StorageUnavailable", str(error))
    # Its words may hold anything, secrets too: they are for the log alone.
    message = f"the controller made an error ({type(error).__name__}), of which its log tells more"
    return Retry("InternalError", message, error=error)


def is_unanswered(error: ApiError) -> bool:
    """Tell whether the API server has not judged the call: the same one may succeed later."""
    return error.transient


def is_missing(error: ApiError) -> bool:
    """Tell whether what the call is about is not there, be it the object, its namespace or its
    kind."""
    return error.not_found


def is_forbidden(error: ApiError) -> bool:
    """Tell whether the controller has no right to the call."""
    return error.status == HTTPStatus.FORBIDDEN


def is_gone(error: ApiError) -> bool:
    """Tell whether the object itself is not there, while its kind is served."""
    return error.is_gone


def is_outrun(error: ApiError) -> bool:
    """Tell whether somebody else was faster: the object was changed meanwhile, or made."""
    return error.conflict


def exists_already(error: ApiError) -> bool:
    """Tell whether an object that is to be made is there, ours or another of its name."""
    return error.reason == "AlreadyExists"


def is_passing(error: ApiError) -> bool:
    """Tell whether the call may succeed when all is looked at anew. Everything else is refused for
    good, unless a quota or an ending namespace is in the way."""
    return is_unanswered(error) or is_missing(error) or is_outrun(error)


def is_over_quota(error: ApiError) -> bool:
    """Tell whether a quota refuses the object: there may be room for it later."""
    return error.is_over_quota


def is_terminating(error: ApiError) -> bool:
    """Tell whether nothing is made in the namespace any more, since it is being deleted."""
    return error.is_terminating


def is_invalid(error: ApiError) -> bool:
    """Tell whether the API server finds the object wrong as it is written."""
    return error.status == HTTPStatus.UNPROCESSABLE_ENTITY


def is_bad_request(error: ApiError) -> bool:
    """Tell whether what is asked for can't be given, such as the log of a container without one."""
    return error.status == HTTPStatus.BAD_REQUEST


def _of_api_error(error: ApiError) -> Outcome:
    message = error.told
    if error.conflict:
        return Retry(error.reason, message, CONFLICT_RETRY)
    if error.is_terminating:
        return Retry("NamespaceTerminating", message, FIRST_STALLED)
    if error.is_over_quota:
        return Retry("QuotaExceeded", message, 1.0)
    if error.transient or error.not_found:
        return Retry(error.reason, message, at_least=error.retry_after)
    return Stalled(error.reason, message)


class Pace:
    """Says when each key is tried again."""

    def __init__(self) -> None:
        self._failures: dict[Hashable, int] = {}
        self._hurried: dict[Hashable, int] = {}
        self._pauses: dict[Hashable, float] = {}
        """The time until which a key is not worked on, whatever news there is of it."""

    def seconds(self, key: Hashable, outcome: Outcome, now: float) -> float | None:
        """Seconds until a key is tried again by itself; None where only news can bring it."""
        match outcome:
            case Done():
                self.forget(key)
                return None
            case AtOnce():
                return self._hurry(key, 0.0, now)
            case After(wait):
                self._failures.pop(key, None)
                return self._hurry(key, wait, now)
            case Retry():
                wait = max(self._longer(key, outcome.first, LONGEST_RETRY), outcome.at_least)
            case Stalled():
                wait = self._longer(key, FIRST_STALLED, LONGEST_STALLED)
        pause = min(LEAST_PAUSE * 2.0 ** (self._failures[key] - 1), LONGEST_PAUSE)
        self._pauses[key] = now + min(wait, pause)
        return wait

    def pause(self, key: Hashable, now: float) -> float:
        """Seconds that a key of which there is news has to wait still."""
        return max(self._pauses.get(key, now) - now, 0.0)

    def forget(self, key: Hashable) -> None:
        """The key has nothing to wait for."""
        for memory in (self._failures, self._hurried, self._pauses):
            memory.pop(key, None)

    def _longer(self, key: Hashable, first: float, longest: float) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = min(failures + 1, 30)
        doubled = max(first, FIRST_RETRY / 2) * 2.0**failures
        return min(doubled if failures else first, longest) * random.uniform(0.8, 1.2)

    def _hurry(self, key: Hashable, wait: float, now: float) -> float:
        if wait >= LEAST_PAUSE:
            self._hurried.pop(key, None)
            self._pauses.pop(key, None)
            return wait
        times = self._hurried.get(key, 0) + 1
        self._hurried[key] = times
        if times <= HURRIED:
            return wait
        self._pauses[key] = now + LEAST_PAUSE
        return LEAST_PAUSE
