"""`penstock trigger disable`, `enable` and `backfill`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from penstock.cli.arguments import pairs
from penstock.cli.cluster import in_cluster
from penstock.cli.errors import INVALID, OK, UserError
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.resources.trigger_state import BackfillPhase, BackfillRequest, TriggerStateStatus

_PATIENCE = 10.0
"""Seconds in which the controller is to have looked at a backfill."""
Action = Literal["pause", "resume", "cancel"]
_DONE: dict[Action, str] = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}


@dataclass(frozen=True)
class Backfill:
    """The backfill that `penstock trigger backfill` was given."""

    start: str | None = None
    end: str | None = None
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == Backfill()

    def request(self) -> BackfillRequest:
        """The backfill as a TriggerState says it. Raises :class:`UserError`."""
        if self.start is None:
            raise UserError(
                "--start: say from when on to go through dates; or steer a backfill that runs with "
                "--pause, --resume or --cancel",
                INVALID,
            )
        start, end = _date("--start", self.start), datetime.now(UTC).replace(microsecond=0)
        if self.end is not None:
            end = _date("--end", self.end)
        if end < start:
            raise UserError(f"--end: {end.isoformat()} is before --start", INVALID)
        return BackfillRequest(
            start=start,
            end=end,
            inputs=pairs("--input", self.inputs),
            labels=pairs("--label", self.labels),
        )


def set_disabled(
    namespace: str, flow: str, trigger: str, tenant: str | None, *, disabled: bool
) -> int:
    """Disable or enable the trigger, and return the exit code."""

    async def write(cluster: Cluster) -> None:
        found = await cluster.triggers.find(namespace, flow, trigger)
        await cluster.triggers.set_disabled(found, disabled)

    in_cluster(tenant, write)
    echo(f"{namespace}.{flow} {trigger} {'disabled' if disabled else 'enabled'}")
    return OK


def request_backfill(
    namespace: str, flow: str, trigger: str, tenant: str | None, wanted: Backfill
) -> int:
    """Let the trigger go through dates of the past, and return the exit code."""
    request = wanted.request()

    async def write(cluster: Cluster) -> TriggerStateStatus | None:
        found = await cluster.triggers.find(namespace, flow, trigger)
        state = await cluster.triggers.backfill(found, request)
        return await cluster.triggers.judged(state, _PATIENCE)

    status = in_cluster(tenant, write)
    known = None if status is None else status.backfill
    if known is not None and known.state is BackfillPhase.REFUSED:
        raise UserError(f"the trigger `{trigger}` can't be backfilled: {known.message}")
    echo(f"backfill of {namespace}.{flow} {trigger} requested")
    return OK


def steer_backfill(
    namespace: str, flow: str, trigger: str, tenant: str | None, wanted: Backfill, action: Action
) -> int:
    """Say what becomes of the backfill that runs, and return the exit code."""
    if not wanted.is_empty:
        raise UserError(
            f"--{action}: it is for a backfill that runs, without other options", INVALID
        )

    async def write(cluster: Cluster) -> None:
        found = await cluster.triggers.find(namespace, flow, trigger)
        if action == "cancel":
            await cluster.triggers.cancel_backfill(found)
        else:
            await cluster.triggers.steer_backfill(found, paused=action == "pause")

    in_cluster(tenant, write)
    echo(f"backfill of {namespace}.{flow} {trigger} {_DONE[action]}")
    return OK


def _date(option: str, text: str) -> datetime:
    """A date with its offset; one without is in UTC."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} `{text}`: write a date such as 2026-01-31 or 2026-01-31T06:00:00Z", INVALID
        ) from None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
