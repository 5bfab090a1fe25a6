"""Deletes ended Executions of a flow beyond the number and the age that are kept.

What goes is one pure function of the Executions that are there: :func:`beyond_limits`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from penstock.controller.runtime.indexes import ObjectStore, is_finished
from penstock.controller.runtime.settings import ExecutionSettings
from penstock.kubernetes.api.client import EXECUTIONS, Api, Object
from penstock.resources.stored import written_date
from penstock.storage.access import MAX_ANCESTORS


class Retention:
    """Keeps as many Executions of each flow as an administrator says, for as long."""

    def __init__(self, api: Api, executions: ObjectStore, settings: ExecutionSettings) -> None:
        self._api = api
        self._executions = executions
        self._settings = settings

    async def apply(self, own: list[Object], now: datetime) -> None:
        """Delete those of a flow's Executions that are beyond the limits."""
        oldest = now - timedelta(days=self._settings.keep_days)
        for body in beyond_limits(own, self._executions, self._settings.keep, oldest):
            meta = body["metadata"]
            await self._api.delete(EXECUTIONS, meta["namespace"], meta["name"], meta["uid"])


def beyond_limits(
    own: list[Object], executions: ObjectStore, keep: int, oldest: datetime
) -> list[Object]:
    """Which of a flow's Executions go: all that are over, but for the newest ``keep`` of them,
    unless they ended before ``oldest``, and for those that another does again."""
    ended = sorted((body for body in own if is_over(body, executions)), key=_age_key, reverse=True)
    needed = done_again(own)
    return [
        body
        for index, body in enumerate(ended)
        if body["metadata"]["name"] not in needed and (index >= keep or _end_date(body) < oldest)
    ]


def is_over(body: Object, executions: ObjectStore) -> bool:
    """Whether nobody needs an execution any more: nothing of it runs, nor of those that called it,
    to which its files may have been handed."""
    namespace, at = body["metadata"]["namespace"], body
    for _ in range(MAX_ANCESTORS):
        if not is_finished(at):
            return False
        caller = ((at.get("spec") or {}).get("parent") or {}).get("execution")
        found = executions.get(namespace, str(caller)) if caller else None
        if found is None:
            break
        at = found
    return True


def done_again(own: Iterable[Object]) -> set[str]:
    """The names of executions that others, which still run, retry or replay: these may have secrets
    that go with them."""
    by_name = {body["metadata"]["name"]: body for body in own}
    pending = [body for body in by_name.values() if not is_finished(body)]
    found: set[str] = set()
    while pending:
        spec = pending.pop().get("spec") or {}
        names = {
            str((spec.get("replay") or {}).get("execution")),
            str((spec.get("retry") or {}).get("original")),
        }
        further = (names & by_name.keys()) - found
        found |= further
        pending += [by_name[name] for name in further]
    return found


def _age_key(body: Object) -> tuple[datetime, str]:
    return _end_date(body), body["metadata"]["name"]


def _end_date(body: Object) -> datetime:
    end = written_date((body.get("status") or {}).get("endDate"))
    return end or datetime.fromisoformat(body["metadata"]["creationTimestamp"])
