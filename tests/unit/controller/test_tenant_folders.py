"""A namespace that is made anew does not see the files of the one before."""

from __future__ import annotations

import asyncio
import logging
import threading
from io import BytesIO
from pathlib import Path

import pytest

from penstock.controller.files import tenant_folders
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, NAMESPACES, ApiError
from penstock.storage.errors import StorageUnavailable
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.owner import Owner, claim, owner_of
from tests.fixtures.apiserver import ApiServer, Refused
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until

READS = """
    id: flow
    namespace: company.team
    tasks:
      - id: only
        type: io.kestra.plugin.core.debug.Return
        format: "{{ fileExists('nsfile:///secret.txt') }}"
"""


class Given:
    """A cluster with the namespace `team`, whose folder has a namespace file."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PENSTOCK_NAMESPACE", "penstock")
        self.server = ApiServer()
        self.server.namespaces |= {"team": "uid-1", "penstock": "here"}
        self.root = Storage.local(str(folder))
        self.folders = TenantFolders(self.server.api, self.root)
        self.put()

    def put(self) -> None:
        NamespaceFiles(self.root.of("team"), "company").put("secret.txt", BytesIO(b"x"))

    @property
    def files(self) -> list[str]:
        return NamespaceFiles(self.root.of("team"), "company").paths()

    @property
    def asked(self) -> int:
        """How often the API server was asked about `team`."""
        return sum(call.name == "team" for call in self.server.calls)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    return Given(tmp_path, monkeypatch)


async def test_an_installation_whose_folders_have_no_mark_takes_them_over(given: Given) -> None:
    # when
    await given.folders.prepare("team")
    # then
    assert given.files == ["secret.txt"]
    assert owner_of(given.root.of("team")) == Owner("uid-1", "here")


async def test_a_namespace_that_was_made_anew_sees_nothing_of_the_one_before(given: Given) -> None:
    # given
    await given.folders.prepare("team")
    # when: it is made anew, and a Flow comes to it
    given.server.namespaces["team"] = "uid-2"
    given.folders.doubt("team")
    await given.folders.prepare("team")
    # then
    assert given.files == []


async def test_the_api_server_is_asked_once_until_there_is_a_doubt(given: Given) -> None:
    # given
    await asyncio.gather(*(given.folders.prepare("team") for _ in range(5)))
    await given.folders.prepare("team")
    assert given.asked == 1
    # when
    given.folders.doubt("team")
    given.folders.storage("team")
    await given.folders.prepare("team")
    # then
    assert given.asked == 2


async def test_a_doubt_that_comes_while_the_folder_is_claimed_is_settled_too(given: Given) -> None:
    # given
    await given.folders.prepare("team")
    given.folders.doubt("team")
    waiting = asyncio.create_task(given.folders.prepare("team"))
    await asyncio.sleep(0)
    # when: the old uid may be on its way already
    await asyncio.sleep(0)
    given.server.namespaces["team"] = "uid-2"
    given.folders.doubt("team")
    await waiting
    # then
    assert given.files == []


async def test_a_doubt_that_comes_while_the_first_claim_goes_on_is_settled_too(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a folder that is marked, and the claim of which waits for the storage
    await TenantFolders(given.server.api, given.root).prepare("team")
    may_go_on, asked = threading.Event(), threading.Event()

    def slow(storage: Storage, owner: Owner) -> bool:
        asked.set()
        may_go_on.wait(30)
        return claim(storage, owner)

    monkeypatch.setattr(tenant_folders, "claim", slow)
    waiting = asyncio.create_task(given.folders.prepare("team"))
    await until(asked.is_set)
    # when
    given.server.namespaces["team"] = "uid-2"
    given.folders.doubt("team")
    may_go_on.set()
    await waiting
    # then
    assert given.files == []


async def test_who_does_not_wait_gets_nothing_before_the_folder_is_claimed(given: Given) -> None:
    # given
    with pytest.raises(StorageUnavailable):
        await asyncio.to_thread(_storage_in, given.folders, asyncio.get_running_loop())
    # then: the claim was begun by that
    await until(lambda: owner_of(given.root.of("team")) is not None)
    await until(lambda: _has(given.folders))


def _storage_in(folders: TenantFolders, loop: asyncio.AbstractEventLoop) -> None:
    folders._loop = loop
    folders.storage("team")


def _has(folders: TenantFolders) -> bool:
    try:
        folders.storage("team")
    except StorageUnavailable:
        return False
    return True


async def test_many_files_are_not_waited_for_and_not_seen(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a deletion that takes long
    monkeypatch.setattr(tenant_folders, "PATIENCE", 0.05)
    await given.folders.prepare("team")
    given.server.namespaces["team"] = "uid-2"
    may_go_on = threading.Event()

    def slow(storage: Storage, owner: Owner) -> bool:
        may_go_on.wait(30)
        return claim(storage, owner)

    monkeypatch.setattr(tenant_folders, "claim", slow)
    given.folders.doubt("team")
    # when
    with pytest.raises(StorageUnavailable, match="are being deleted"):
        await given.folders.prepare("team")
    with pytest.raises(StorageUnavailable):
        given.folders.storage("team")
    may_go_on.set()
    # then
    await until(lambda: given.files == [])
    await given.folders.prepare("team")
    given.folders.storage("team")


async def test_a_storage_that_fails_opens_nothing(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    await given.folders.prepare("team")
    given.folders.doubt("team")

    def fails(storage: Storage, owner: Owner) -> bool:
        raise OSError("the disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(tenant_folders, "claim", fails)
        with pytest.raises(StorageUnavailable, match="the disk is away"):
            await given.folders.prepare("team")
        # then
        with pytest.raises(StorageUnavailable):
            given.folders.storage("team")
        await asyncio.sleep(0.05)
    await given.folders.prepare("team")
    given.folders.storage("team")


async def test_a_controller_that_may_not_ask_says_so_once_and_goes_on(
    given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    given.server.refuse("GET", NAMESPACES, Refused(403, "Forbidden"))
    # when
    with caplog.at_level(logging.WARNING):
        await given.folders.prepare("team")
        await given.folders.prepare("other")
    # then
    assert given.files == ["secret.txt"]
    assert owner_of(given.root.of("team")) is None
    assert caplog.text.count("may not `get` namespaces") == 1


async def test_an_api_server_that_does_not_answer_is_asked_again(given: Given) -> None:
    # given
    given.server.refuse("GET", NAMESPACES, Refused(503, "ServiceUnavailable"), times=1)
    # when
    with pytest.raises(ApiError):
        await given.folders.prepare("team")
    # then
    await given.folders.prepare("team")
    assert owner_of(given.root.of("team")) == Owner("uid-1", "here")


async def test_at_the_start_all_folders_are_marked(given: Given) -> None:
    # given: a folder whose namespace is gone
    NamespaceFiles(given.root.of("gone"), "company").put("a", BytesIO(b"x"))
    # when
    await given.folders.run()
    # then: nothing is deleted, and nobody will take it over
    assert owner_of(given.root.of("team")) == Owner("uid-1", "here")
    assert owner_of(given.root.of("gone")) == Owner("", "here")
    assert NamespaceFiles(given.root.of("gone"), "company").paths() == ["a"]
    given.server.namespaces["gone"] = "uid-3"
    await given.folders.prepare("gone")
    assert NamespaceFiles(given.root.of("gone"), "company").paths() == []


async def test_a_flow_of_a_new_namespace_reads_no_file_of_the_old_one(tmp_path: Path) -> None:
    # given: an execution that reads a namespace file
    controller = Controller(tmp_path)
    server = controller.server

    def outputs(name: str) -> object:
        body = server.get(EXECUTIONS, NAMESPACE, name) or {}
        jobs = [call for call in server.calls if (call.verb, call.plural) == ("POST", "jobs")]
        return (body.get("status") or {}).get("state"), len(jobs)

    async with controller.running():
        root = controller.operator.files.storage.root
        server.put(FLOWS, flow(READS))
        server.put(EXECUTIONS, execution("first"))
        await until(lambda: outputs("first") == ("RUNNING", 1), 30)
        NamespaceFiles(root.of(NAMESPACE), "company.team").put("secret.txt", BytesIO(b"x"))
        # when: the namespace and all in it are made anew
        server.remove(EXECUTIONS, NAMESPACE, "first")
        server.remove(FLOWS, NAMESPACE, "flow")
        flows = controller.operator.runtime.stores.flows
        await until(lambda: flows.get(NAMESPACE, "flow") is None)  # long before the next one
        server.namespaces[NAMESPACE] = "uid-2"
        server.put(FLOWS, flow(READS))
        server.put(EXECUTIONS, execution("second"))
        await until(lambda: outputs("second") == ("RUNNING", 2), 30)
        # then
        assert NamespaceFiles(root.of(NAMESPACE), "company.team").paths() == []
        owner = owner_of(root.of(NAMESPACE))
        assert owner is not None and owner.uid == "uid-2"
