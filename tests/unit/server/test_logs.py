"""Archived logs over HTTP: to whoever shows an execution's token, and to tasks with the right."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import Source
from penstock.storage.errors import AccessDenied, StorageError
from penstock.storage.logtokens import HEADER, log_token
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
) -> None:
    text = "".join(f"{at(second)} {line}\n" for second, line in lines).encode()
    source = Source(task, f"r-{task}", 1, None, levels=True)
    part = Part(source, at(lines[0][0]), at(lines[-1][0]), len(text))
    LogArchive(service.storage.of(tenant), place).write(part, number, io.BytesIO(text))


def get(service: Running, place: ExecutionPlace, token: str, part: str = "") -> str:
    path = f"{service.url}/v1/logs/team/{place.namespace}/{place.flow}/{place.execution}{part}"
    request = urllib.request.Request(path, headers={HEADER: token})
    with urllib.request.urlopen(request) as answer:
        text: bytes = answer.read()
    return text.decode()


def messages(text: str) -> list[str]:
    return [json.loads(line)["message"] for line in text.splitlines()]


def test_the_token_of_an_execution_opens_its_logs(service: Running) -> None:
    keep(service, "a", (1, "one"), (3, "three"))
    keep(service, "b", (2, "two"))
    token = log_token(service.key, "team", GRANT.place)
    assert messages(get(service, GRANT.place, token)) == ["one", "two", "three"]
    assert messages(get(service, GRANT.place, token, "?taskRunId=r-b&attempt=1")) == ["two"]
    assert messages(get(service, GRANT.place, token, "?taskRunId=r-b&attempt=2")) == []


def test_it_says_what_there_is(service: Running) -> None:
    keep(service, "a", (1, "one"))
    keep(service, "b", (2, "two"), number=0)
    token = log_token(service.key, "team", GRANT.place)
    size = len(f"{at(2)} two\n")
    assert json.loads(get(service, GRANT.place, token, "/attempts")) == [
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
    token = log_token(service.key, "team", GRANT.place)
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(service, place, token, part)
    assert refused.value.code == 403


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_without_the_token_nothing_is_told(service: Running, token: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(service, GRANT.place, token)
    assert refused.value.code == 403


def test_the_token_of_another_tenant_is_another(service: Running) -> None:
    keep(service, "a", (1, "secret"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(service, GRANT.place, log_token(service.key, "others", GRANT.place))
    assert refused.value.code == 403


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
