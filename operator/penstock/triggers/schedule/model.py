"""The model of a Schedule: cron, in a time zone.

The dates here are the cron's own; which of them are due, says
:mod:`penstock.triggers.schedule.due`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.flow.model import Duration
from penstock.flow.problems import Location
from penstock.triggers.conditions import AnyCondition
from penstock.triggers.conditions.model import Condition
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.schedule.cron import CronError, dates
from penstock.triggers.times import read_zone

Recovery = Literal["ALL", "LAST", "NONE"]
"""What becomes of due times that passed while nothing could start: each, the last, none."""


class Schedule(TriggerProperties):
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

    cron: Annotated[str, Field(max_length=500)]
    """Five fields (six with `withSeconds`), or a nickname such as `@daily`."""
    with_seconds: bool = False
    """Whether the first field is for seconds."""
    timezone: str = "UTC"
    """The zone in which the fields are read, such as `Europe/Paris`, `+02:00` or `GMT+2`."""
    inputs: dict[str, Any] = {}
    """Inputs of the executions; expressions see `trigger.date`. Rendered."""
    recover_missed_schedules: Recovery = "ALL"
    """What becomes of due times that passed while nothing could start."""
    late_maximum_delay: Duration | None = None
    """Due times that are later than this are skipped."""
    schedule_conditions: list[AnyCondition] = []
    """The older name of `conditions`."""
    backfill: Any = None
    """Deprecated, and without effect."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            read_zone(self.timezone)
        except ValueError as error:
            raise _wrong("timezone", str(error), self.timezone) from None
        try:
            self._dates(datetime(2025, 1, 1, tzinfo=UTC))
        except CronError as error:
            message = f"invalid cron expression '{self.cron}': {error}"
            raise _wrong("cron", message, self.cron) from None
        return self

    @property
    def gates(self) -> list[Condition]:
        """The conditions that say something of a due time."""
        written = (*self.conditions, *self.schedule_conditions)
        return [condition for condition in written if condition.for_schedules]

    @property
    def gated(self) -> bool:
        """Whether some of the cron's dates may not be due."""
        return bool(self.gates) or self.when is not None

    @property
    def zone(self) -> tzinfo:
        return read_zone(self.timezone)

    def located_conditions(self) -> Iterator[tuple[Location, Condition]]:
        yield from super().located_conditions()
        for index, condition in enumerate(self.schedule_conditions):
            yield from condition.walk(("scheduleConditions", index))

    def deprecated(self) -> Iterator[tuple[Location, str]]:
        if self.schedule_conditions:
            yield ("scheduleConditions",), "use `conditions`"
        if self.backfill is not None:
            yield ("backfill",), "it has no effect"
        yield from super().deprecated()

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        """Conditions that say nothing of a due time."""
        for name in ("conditions", "schedule_conditions"):
            for index, condition in enumerate(getattr(self, name)):
                if not condition.for_schedules:
                    place = (to_camel(name), index)
                    yield place, f"a {condition.name} has no effect on a schedule"

    def _dates(self, after: datetime, *, reverse: bool = False) -> Iterator[datetime]:
        start = after.astimezone(self.zone)
        return dates(self.cron, start, with_seconds=self.with_seconds, reverse=reverse)

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
