"""The token for archived logs in an Execution's status: whose it is, and how long it lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.logs import reference
from penstock.controller.logs.reference import LogReferences
from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, Object
from penstock.resources.execution import ExecutionStatus, LogsReference
from penstock.storage.errors import AccessDenied, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.key import create_key
from penstock.storage.logtokens import LogToken
from penstock.storage.uris import ExecutionPlace
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until
from tests.fixtures.executions import KEY, begun

PLACE = ExecutionPlace("company.team", "load", "run-1")
BEGIN = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
ONE = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.debug.Return, format: x}]
"""


class Access:
    """The internal storage, which is there or not."""

    def __init__(self) -> None:
        self.known: bytes | None = KEY
        self.has_tls = False

    @property
    def key(self) -> bytes:
        if self.known is None:
            raise StorageUnavailable("not yet")
        return self.known


class Given:
    """An Execution that runs, and who writes the token into its status."""

    def __init__(self, keep_days: float = 30) -> None:
        self.access = Access()
        self.references = LogReferences(
            cast("StorageAccess", self.access), ObjectStore(), keep_days, lambda body: None
        )
        self.execution = running("uid-1")
        self.status = ExecutionStatus.from_json(self.execution["status"])

    def written(self, now: datetime) -> LogToken | None:
        """Write the status once more, and read the token that it has then."""
        self.status = self.references.renewed(self.execution, self.status, now)
        if self.status.logs is None:
            return None
        return LogToken.verified(KEY, "team", PLACE, self.status.logs.token)


def running(uid: str, place: ExecutionPlace = PLACE) -> Object:
    body = begun(place, uid, state="RUNNING")
    body["metadata"]["namespace"] = "team"
    return body


def until_of(token: LogToken | None) -> datetime:
    assert token is not None
    return datetime.fromtimestamp(token.until, UTC)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_NAMESPACE", "system")
    monkeypatch.setenv("PENSTOCK_STORAGE_SERVICE", "penstock-storage")


def test_the_status_says_where_the_logs_are() -> None:
    given = Given()
    given.written(BEGIN)
    assert given.status.logs is not None
    assert given.status.logs.path == (
        "/api/v1/namespaces/system/services/penstock-storage:storage/proxy"
        "/v1/logs/team/company.team/load/run-1"
    )


def test_the_status_says_that_the_storage_service_speaks_tls() -> None:
    # given: an execution of a version whose storage service did not
    given = Given()
    given.written(BEGIN)
    # when
    given.access.has_tls = True
    given.written(BEGIN)
    # then: that is how the API server is told
    assert given.status.logs is not None
    assert "/services/https:penstock-storage:storage/proxy/v1/logs/" in given.status.logs.path


def test_the_token_of_an_execution_that_runs_is_renewed_each_day() -> None:
    # given
    given = Given(keep_days=30)
    first = given.written(BEGIN)
    assert until_of(first) == BEGIN + 31 * DAY
    # then: within a day it is the same, so that no write is made for it
    assert given.written(BEGIN + DAY) == first
    # and later it is another one
    assert until_of(given.written(BEGIN + 1.1 * DAY)) == BEGIN + 32.1 * DAY


def test_the_token_of_an_ended_execution_is_good_for_as_long_as_that_is_kept() -> None:
    # given: an execution that ends on its third day
    given = Given(keep_days=7)
    given.written(BEGIN)
    end = BEGIN + 2.5 * DAY
    given.status = given.status.model_copy(update={"end_date": end})
    # when
    at_end = given.written(end)
    # then
    assert until_of(at_end) == end + 8 * DAY
    assert given.written(end + 7 * DAY) == at_end
    # and where it is kept longer, as who called it still runs, there is always a good one
    late = end + 20 * DAY
    assert until_of(given.written(late)) > late


def test_executions_that_are_kept_for_longer_than_before_get_tokens_for_that() -> None:
    given = Given(keep_days=7)
    given.status = given.status.model_copy(update={"end_date": BEGIN})
    given.written(BEGIN)
    # when: the controller starts with another setting
    status, given = given.status, Given(keep_days=90)
    given.status = status
    # then
    assert until_of(given.written(BEGIN + DAY)) == BEGIN + 91 * DAY


def test_dates_have_an_end() -> None:
    assert until_of(Given(keep_days=1e9).written(BEGIN)).year == 2126


def test_an_execution_of_the_same_name_gets_a_token_of_its_own() -> None:
    # given
    given = Given()
    before = given.written(BEGIN)
    # when: it is made anew, with the status of the one before, as a backup restores it
    given.execution = running("uid-2")
    after = given.written(BEGIN)
    # then
    assert before is not None
    assert after is not None
    assert (before.owner, after.owner) == ("uid-1", "uid-2")


@pytest.mark.parametrize("token", ["0" * 64, "", "9999999999.uid-1.00", "é"])
def test_a_token_that_opens_nothing_is_replaced(token: str) -> None:
    given = Given()
    given.written(BEGIN)
    assert given.status.logs is not None
    logs = LogsReference(path=given.status.logs.path, token=token)
    given.status = given.status.model_copy(update={"logs": logs})
    assert given.written(BEGIN) is not None


def test_while_the_storage_service_is_not_there_a_status_is_left_as_it_is() -> None:
    given = Given()
    given.access.known = None
    assert given.written(BEGIN) is None


def test_a_token_of_another_kind_of_signature_is_none() -> None:
    with pytest.raises(AccessDenied):
        LogToken.verified(KEY, "team", PLACE, LogToken("team", PLACE, "u", 1).text(b"x" * 32))


def bodies(controller: Controller, name: str) -> dict[str, Any]:
    found = (controller.server.get(EXECUTIONS, NAMESPACE, name) or {}).get("status") or {}
    return cast("dict[str, Any]", found)


async def test_tokens_of_a_version_before_are_replaced_at_the_start(tmp_path: Path) -> None:
    # given: an execution that has ended, with a token that had no end
    create_key(Storage.local(str(tmp_path / "storage")))
    controller = Controller(tmp_path)
    await controller.operator.files.storage.run()
    body = execution("run")
    at = {"namespace": "company.team", "id": "flow", "name": "flow", "revision": 1}
    date = datetime.now(UTC).isoformat()
    old = {"path": "/x", "token": "0" * 64}
    status = {"state": "SUCCESS", "flow": at, "endDate": date, "logs": old}
    controller.server.put(EXECUTIONS, {**body, "status": status})
    async with controller.running():
        # then
        await until(lambda: bodies(controller, "run")["logs"]["token"] != old["token"])
    after = bodies(controller, "run")
    assert after["state"] == "SUCCESS"
    assert after["endDate"].startswith(date[:19])


async def test_executions_to_which_nothing_happens_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: an execution that waits for its pod, and began before the storage service was there
    monkeypatch.setattr(reference, "PERIOD", 0.05)
    controller = Controller(tmp_path)
    # and another one, whose end nobody can reckon with
    at = {"namespace": "company.team", "id": "flow", "name": "flow", "revision": 1}
    status = {"state": "SUCCESS", "flow": at, "endDate": "9999-12-31T23:59:59Z"}
    controller.server.put(EXECUTIONS, {**execution("a"), "status": status})
    async with controller.running():
        controller.server.put(FLOWS, flow(ONE))
        controller.server.put(EXECUTIONS, execution("run"))
        await until(lambda: controller.server.all(JOBS))
        assert "logs" not in bodies(controller, "run")
        # when
        create_key(Storage.local(str(tmp_path / "storage")))
        # then
        await until(lambda: "logs" in bodies(controller, "run"), seconds=20)
