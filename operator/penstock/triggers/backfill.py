"""What becomes of the backfill that people ask of a trigger, before anything of it is started.

Pure: a wish, what is known and the time in; what is known then out.
"""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.resources.names import short_hash
from penstock.resources.trigger_state import BackfillPhase, BackfillRequest, BackfillStatus

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No date before this one is gone through."""
_GOING_ON = (BackfillPhase.RUNNING, BackfillPhase.PAUSED)


def observed(
    wanted: BackfillRequest | None, before: BackfillStatus | None, id: str, now: datetime
) -> BackfillStatus | None:
    """Tell how a backfill is, before anything of it is started. `id` is for one that is new.

    One that is not wanted any more is cancelled, and one that has ended stays to be seen. Another
    range, or other inputs or labels, are another backfill.
    """
    if wanted is None:
        if before is None:
            return None
        ended = BackfillPhase.CANCELLED if before.state in _GOING_ON else before.state
        return before.model_copy(update={"request": None, "state": ended})
    request = _request(wanted)
    state = BackfillPhase.PAUSED if wanted.paused else BackfillPhase.RUNNING
    if before is not None and before.request == request:
        goes_on = before.state in _GOING_ON
        return before.model_copy(update={"state": state}) if goes_on else before
    end = now if wanted.end is None else min(wanted.end, now)
    start = max(wanted.start, EARLIEST)
    return BackfillStatus(id=id, request=request, state=state, start=start, end=end)


def refused(backfill: BackfillStatus | None) -> BackfillStatus | None:
    """Tell of a backfill that its trigger can't have one."""
    if backfill is None or backfill.state not in _GOING_ON:
        return backfill
    told = "a trigger of this type has no dates that could be gone through once more"
    return backfill.model_copy(update={"state": BackfillPhase.REFUSED, "message": told})


def _request(wanted: BackfillRequest) -> str:
    """Tell one wish from every other; whether it is paused makes it no other."""
    return short_hash(wanted.model_copy(update={"paused": False}).model_dump_json())
