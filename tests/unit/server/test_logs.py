"""Archived logs over HTTP: to whoever shows an execution's token, and to tasks with the right."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import Source
from penstock.storage.errors import AccessDenied, StorageError
from penstock.storage.logtokens import HEADER, LogToken
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import LogEntry
from tests.fixtures.storageservice import GRANT, Running

OTHER = ExecutionPlace("company.other", "flow", "run-9")


def at(second: int) -> str:
    return f"2026-11-21T16:00:{second:02}.000000000Z"


def keep(
    service: Running,
    task: str,
    *lines: tuple[int, str],
    place: ExecutionPlace = GRANT.place,
    tenant: str = "team",
    number: int | None = None,
    uid: str = "uid-1",
) -> None:
    text = "".join(f"{at(second)} {line}\n" for second, line in lines).encode()
    source = Source(task, f"r-{task}", 1, None, levels=True)
    part = Part(source, at(lines[0][0]), at(lines[-1][0]), len(text))
    LogArchive(service.storage.of(tenant), place, uid).write(part, number, io.BytesIO(text))


def token_of(
    service: Running,
    place: ExecutionPlace = GRANT.place,
    *,
    tenant: str = "team",
    uid: str = "uid-1",
    seconds: float = 3600,
) -> str:
    """The token of an execution that ends in so many seconds."""
    return LogToken(tenant, place, uid, int(time.time() + seconds)).text(service.key)


def refused(service: Running, token: str, place: ExecutionPlace = GRANT.place) -> str:
    """Why a token does not open the logs."""
    with pytest.raises(urllib.error.HTTPError) as error:
        get(service, place, token)
    assert error.value.code == 403
    return str(json.loads(error.value.read())["error"]["message"])


def get(service: Running, place: ExecutionPlace, token: str, part: str = "") -> str:
    path = f"{service.url}/v1/logs/team/{place.namespace}/{place.flow}/{place.execution}{part}"
    request = urllib.request.Request(path, headers={HEADER: token})
    with urllib.request.urlopen(request) as answer:
        text: bytes = answer.read()
    return text.decode()


def messages(text: str) -> list[str]:
    return [json.loads(line)["message"] for line in text.splitlines()]


def test_the_token_of_an_execution_opens_its_logs(service: Running) -> None:
    # given
    keep(service, "a", (1, "one"), (3, "three"))
    keep(service, "b", (2, "two"))
    # when
    token = token_of(service)
    # then
    assert messages(get(service, GRANT.place, token)) == ["one", "two", "three"]
    assert messages(get(service, GRANT.place, token, "?taskRunId=r-b&attempt=1")) == ["two"]
    assert messages(get(service, GRANT.place, token, "?taskRunId=r-b&attempt=2")) == []


def test_it_says_what_there_is(service: Running) -> None:
    keep(service, "a", (1, "one"))
    keep(service, "b", (2, "two"), number=0)
    size = len(f"{at(2)} two\n")
    assert json.loads(get(service, GRANT.place, token_of(service), "/attempts")) == [
        {"taskRunId": "r-a", "attempt": 1, "ended": True},
        {"taskRunId": "r-b", "attempt": 1, "ended": False, "last": at(2), "size": size},
    ]


@pytest.mark.parametrize(
    "place",
    [OTHER, replace(GRANT.place, execution="run-2"), replace(GRANT.place, execution="run-1x")],
)
@pytest.mark.parametrize("part", ["", "/attempts"])
def test_it_opens_no_other(service: Running, place: ExecutionPlace, part: str) -> None:
    keep(service, "a", (1, "secret"), place=place)
    with pytest.raises(urllib.error.HTTPError) as error:
        get(service, place, token_of(service), part)
    assert error.value.code == 403


@pytest.mark.parametrize(
    "token",
    ["", "x", "é", "0" * 64, "..", "9999999999.uid-1.", "1" * 5000, "1.2.3.4"],
)
def test_without_the_token_nothing_is_told_or_looked_up(service: Running, token: str) -> None:
    assert "not the one" in refused(service, token)
    assert service.known.asked == []


@pytest.mark.parametrize("part", [0, 1, 2])
def test_no_part_of_a_token_can_be_changed(service: Running, part: int) -> None:
    # given: a token that has ended, and one for another execution of the name
    parts = token_of(service, uid="uid-0", seconds=-1).split(".")
    # when
    parts[part] = token_of(service).split(".")[part]
    # then
    assert "not the one" in refused(service, ".".join(parts))


def test_the_token_of_another_tenant_is_another(service: Running) -> None:
    keep(service, "a", (1, "secret"))
    assert "not the one" in refused(service, token_of(service, tenant="others"))


def test_a_token_ends(service: Running) -> None:
    keep(service, "a", (1, "secret"))
    assert "has ended" in refused(service, token_of(service, seconds=-2))


def test_the_token_of_an_execution_opens_nothing_of_a_later_one_of_its_name(
    service: Running,
) -> None:
    # given: the first one is deleted, and its files are not yet
    keep(service, "a", (1, "of the first"))
    first, second = token_of(service), token_of(service, uid="uid-2")
    # when
    keep(service, "b", (2, "of the second"), uid="uid-2")
    # then
    assert messages(get(service, GRANT.place, first)) == ["of the first"]
    assert messages(get(service, GRANT.place, second)) == ["of the second"]
    assert len(json.loads(get(service, GRANT.place, second, "/attempts"))) == 1


def test_logs_of_people_cost_the_api_server_nothing(service: Running) -> None:
    keep(service, "a", (1, "one"))
    assert messages(get(service, GRANT.place, token_of(service))) == ["one"]
    assert service.known.asked == []


def test_a_task_with_the_right_reads_logs(service: Running) -> None:
    keep(service, "a", (1, "one"), (2, "WARN two"))
    keep(service, "b", (3, "ERROR three"))
    remote = service.client(rights=frozenset({"logs"}))

    def read(*tasks: str, level: str = "INFO") -> list[LogEntry]:
        return list(remote.logs(None, tasks, level))

    assert [(entry.task, entry.message) for entry in read()] == [
        ("a", "one"),
        ("a", "two"),
        ("b", "three"),
    ]
    assert [entry.message for entry in read(level="WARN")] == ["two", "three"]
    assert [entry.message for entry in read("b", "c")] == ["three"]
    (entry,) = read("b")
    assert (entry.level, entry.task_run, entry.execution) == ("ERROR", "r-b", "run-1")


def test_it_reads_those_of_its_own_tenant_only(service: Running) -> None:
    keep(service, "a", (1, "theirs"), place=OTHER)
    keep(service, "a", (1, "secret"), place=OTHER, tenant="others")
    remote = service.client(rights=frozenset({"logs"}))
    found = remote.logs("run-9", [], "INFO", ("company.other", "flow"))
    assert [(entry.namespace, entry.message) for entry in found] == [("company.other", "theirs")]
    assert list(remote.logs("run-9", [], "INFO")) == []


def test_a_task_without_the_right_reads_none(service: Running) -> None:
    keep(service, "a", (1, "one"))
    with pytest.raises(AccessDenied, match="logs"):
        list(service.client().logs(None, [], "INFO"))


@pytest.mark.parametrize("place", [("../x", "f"), ("company", "..")])
def test_names_are_no_paths(service: Running, place: tuple[str, str]) -> None:
    remote = service.client(rights=frozenset({"logs"}))
    with pytest.raises(StorageError):
        list(remote.logs("run-1", [], "INFO", place))
