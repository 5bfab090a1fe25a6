"""Retry policies: when a failed attempt is followed by another."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Annotated, Literal

from pydantic import Field, model_validator

from penstock.flow.model import Document, Duration

Behavior = Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"]


class RetryBase(Document):
    max_attempts: Annotated[int, Field(ge=1)] | None = None
    """The number of attempts in all, the first included."""
    max_attempt: Annotated[int, Field(ge=1)] | None = None
    """The older name of `maxAttempts`."""
    max_duration: Duration | None = None
    """The longest time from the start of the first attempt to the start of another."""
    warning_on_retry: bool = False
    """A success that needed a retry ends with WARNING."""
    behavior: Behavior = "RETRY_FAILED_TASK"
    """Whether the task is tried again in the same execution or in a new one."""

    def delay(self, attempts: int, random: Random) -> timedelta:
        """How long to wait after the given number of attempts (1 or more)."""
        raise NotImplementedError

    def announcement(self, number: int, wait: timedelta) -> str:
        """The words that announce the next attempt: `attempt 2 of 3 in 5s`."""
        of = "" if self._limit is None else f" of {self._limit}"
        return f"attempt {number}{of} {_in_words(wait)}"

    @property
    def _limit(self) -> int | None:
        return self.max_attempts or self.max_attempt

    def next_date(
        self, attempts: int, first_start: datetime, last_end: datetime, random: Random
    ) -> datetime | None:
        """When the next attempt starts; None where no attempt is left."""
        limit = self._limit
        if limit is not None and attempts >= limit:
            return None
        try:
            date = last_end + self.delay(attempts, random)
        except OverflowError:
            return None
        if self.max_duration is not None and date - first_start > self.max_duration:
            return None
        return date


class ConstantRetry(RetryBase):
    """A retry with an equal wait before each attempt.

    ```yaml
    type: constant
    interval: PT5S
    maxAttempts: 3
    ```
    """

    type: Literal["constant"]
    """The kind of the retry."""
    interval: Duration
    """The wait before each attempt."""

    def delay(self, attempts: int, random: Random) -> timedelta:
        return self.interval

    @model_validator(mode="after")
    def _check(self) -> ConstantRetry:
        _less("interval", self.interval, "maxDuration", self.max_duration)
        return self


class ExponentialRetry(RetryBase):
    """A retry whose waits each are `delayFactor` times the last.

    In Kestra of 2024 the waits grew linearly, a known fault.

    ```yaml
    type: exponential
    interval: PT1S
    maxInterval: PT1M
    maxDuration: PT10M
    ```
    """

    type: Literal["exponential"]
    """The kind of the retry."""
    interval: Duration
    """The first wait."""
    max_interval: Duration
    """The longest wait."""
    delay_factor: Annotated[float, Field(gt=0)] | None = None
    """How many times longer each wait is than the last; 2 where it is not given."""

    def delay(self, attempts: int, random: Random) -> timedelta:
        factor = self.delay_factor or 2.0
        longest = self.max_interval.total_seconds()
        try:
            seconds = self.interval.total_seconds() * factor ** (attempts - 1)
        except OverflowError:
            seconds = longest
        return timedelta(seconds=min(seconds, longest))

    @model_validator(mode="after")
    def _check(self) -> ExponentialRetry:
        _less("interval", self.interval, "maxDuration", self.max_duration)
        _less("interval", self.interval, "maxInterval", self.max_interval)
        return self


class RandomRetry(RetryBase):
    """A retry with a random wait before each attempt.

    ```yaml
    type: random
    minInterval: PT1S
    maxInterval: PT10S
    maxAttempts: 5
    ```
    """

    type: Literal["random"]
    """The kind of the retry."""
    min_interval: Duration
    """The shortest wait."""
    max_interval: Duration
    """The longest wait."""

    def delay(self, attempts: int, random: Random) -> timedelta:
        return self.min_interval + (self.max_interval - self.min_interval) * random.random()

    @model_validator(mode="after")
    def _check(self) -> RandomRetry:
        _less("minInterval", self.min_interval, "maxDuration", self.max_duration)
        _less("maxInterval", self.max_interval, "maxDuration", self.max_duration)
        _less("minInterval", self.min_interval, "maxInterval", self.max_interval)
        return self


Retry = Annotated[ConstantRetry | ExponentialRetry | RandomRetry, Field(discriminator="type")]


def _in_words(wait: timedelta) -> str:
    seconds = round(wait.total_seconds(), 1)
    if seconds <= 0:
        return "at once"
    if seconds < 60:
        return f"in {seconds:g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"in {hours}h{minutes:02d}m" if hours else f"in {minutes}m{rest:02d}s"


def _less(name: str, value: timedelta, limit_name: str, limit: timedelta | None) -> None:
    if limit is not None and value >= limit:
        raise ValueError(f"'{name}' must be less than '{limit_name}' but is {value}")
