"""Schedule: cron, in a time zone (kestra-types, section 4; kestra-engine, section 14).

A due time is an instant. What was due is told from the last due time that was dealt with, so a
restart across a due time neither loses nor doubles it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.flow.document import Trigger
from penstock.flow.model import Document, Duration

SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"
_ALIASES = frozenset({SCHEDULE.lower(), "io.kestra.core.models.triggers.types.schedule"})

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ON_TIME = timedelta(seconds=60)
"""A due time that is not older than this was not missed."""


class Schedule(Document):
    """Starts an execution at each due time of a cron expression.

    Expressions of the execution see `trigger.date`, `trigger.next` and `trigger.previous`.

    ```yaml
    id: daily
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 6 * * *"
    timezone: Europe/Oslo
    inputs:
      day: "{{ trigger.date | date('yyyy-MM-dd') }}"
    ```
    """

    cron: str
    """Five fields (six with `withSeconds`), or a nickname such as `@daily`."""
    with_seconds: bool = False
    """Whether the first field is for seconds."""
    timezone: str = "UTC"
    """The zone in which the fields are read, such as `Europe/Paris`."""
    inputs: dict[str, Any] = {}
    """Inputs of the executions; expressions see `trigger.date`. Rendered."""
    recover_missed_schedules: Literal["ALL", "LAST", "NONE"] = "ALL"
    """What becomes of due times that passed while nothing could start."""
    late_maximum_delay: Duration | None = None
    """Due times that are later than this are skipped."""
    labels: Any = None
    """Labels of the executions; no effect yet."""
    conditions: Any = None
    """Conditions; the trigger is not served where there are any."""
    when: Any = None
    """The name that Kestra 2.0 gives `conditions`."""
    schedule_conditions: Any = None
    """An old name of `conditions`."""
    stop_after: Any = None
    """States after which it stops; no effect yet."""
    backfill: Any = None
    """Past due times to make up for; no effect yet."""
    allow_concurrent: bool = False
    """Whether an execution may start while the one before it still runs."""
    log_level: Any = None
    """No effect."""
    min_log_level: Any = None
    """No effect."""
    log_to_file: Any = None
    """No effect."""
    worker_group: Any = None
    """No effect."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            message = f"timezone '({self.timezone})' is not a valid time-zone ID"
            raise _wrong("timezone", message, self.timezone) from None
        try:
            self._dates(datetime(2025, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            message = f"invalid cron expression '{self.cron}': {error}"
            raise _wrong("cron", message, self.cron) from None
        return self

    @property
    def not_served(self) -> str | None:
        """Why Penstock can't serve this schedule; firing against its conditions would be worse."""
        for name in ("conditions", "when", "schedule_conditions"):
            if getattr(self, name):
                return f"`{name}` of a schedule is not served yet"
        return None

    def _dates(self, after: datetime, *, reverse: bool = False) -> Iterator[datetime]:
        cron = _NICKNAMES.get(self.cron.strip().lower(), self.cron.strip())
        fields = len(cron.split())
        expected = 6 if self.with_seconds and cron == self.cron.strip() else 5
        if fields != expected:
            raise CronSimError(f"expected {expected} fields, found {fields}")
        if fields == 6 and cron.startswith("0 "):
            cron = cron.removeprefix("0 ")  # then a fixed time is met once on each day
        dates = CronSim(cron, after.astimezone(ZoneInfo(self.timezone)), reverse=reverse)
        return iter(dates)

    def next_date(self, after: datetime) -> datetime | None:
        """The first due time after an instant; None where there is none for many years."""
        date = next(self._dates(after), None)
        return None if date is None else date.astimezone(UTC)

    def previous_date(self, before: datetime) -> datetime | None:
        """The last due time before an instant."""
        date = next(self._dates(before, reverse=True), None)
        return None if date is None else date.astimezone(UTC)

    def latest_date(self, now: datetime) -> datetime | None:
        """The last due time that is not after an instant."""
        return self.previous_date(now.replace(microsecond=0) + timedelta(seconds=1))


def _wrong(name: str, message: str, value: object) -> ValidationError:
    """An error that names the property: a model's own rule would stand at the whole trigger."""
    reason = PydanticCustomError("schedule", "{reason}", {"reason": message})
    details = InitErrorDetails(type=reason, loc=(name,), input=value)
    return ValidationError.from_exception_data("Schedule", [details])


@dataclass(frozen=True)
class Due:
    """What a schedule calls for now."""

    fire: datetime | None
    """The due time for which to start an execution."""
    handled: datetime
    """Up to which instant every due time is dealt with, once that execution is there."""


def is_schedule(trigger: Trigger) -> bool:
    return trigger.type.lower() in _ALIASES


def due(schedule: Schedule, last: datetime, now: datetime) -> Due:
    """The next due time in (last, now] to act upon, by the schedule's policy for missed ones."""
    skipped_to = _skip_late(schedule, last, now)
    if schedule.recover_missed_schedules == "ALL":
        date = schedule.next_date(skipped_to)
    else:
        date = schedule.latest_date(now)
    if date is None or not skipped_to < date <= now:
        return Due(None, skipped_to)
    if schedule.recover_missed_schedules == "NONE" and now - date > _ON_TIME:
        return Due(None, date)
    return Due(date, date)


def _skip_late(schedule: Schedule, last: datetime, now: datetime) -> datetime:
    """Up to which instant due times are left out because they are later than they may be."""
    if schedule.late_maximum_delay is None:
        return last
    try:
        oldest = now - schedule.late_maximum_delay
    except OverflowError:
        return last
    too_late = schedule.previous_date(oldest)
    return last if too_late is None else max(last, too_late)


def schedule_variables(schedule: Schedule, date: datetime) -> dict[str, str]:
    """What expressions see as `trigger.…`: dates in the schedule's zone, with offset."""
    zone = ZoneInfo(schedule.timezone)
    variables = {"date": date.astimezone(zone).isoformat(timespec="milliseconds")}
    for name, other in (
        ("next", schedule.next_date(date)),
        ("previous", schedule.previous_date(date)),
    ):
        if other is not None:
            variables[name] = other.astimezone(zone).isoformat(timespec="milliseconds")
    return variables
