"""Inputs of type FILE: what may be given for one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.executions.expression_reads import ExpressionReads
from penstock.controller.executions.fileinputs import FileInputs
from penstock.controller.executions.resolution import NotYet, Refusal, Start
from penstock.controller.files.access import FileAccess
from penstock.controller.files.provenance import Provenance
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.controller.gc.orphaned_files import OrphanedFiles
from penstock.controller.runtime.indexes import ObjectStore
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import StartExecution
from penstock.kubernetes.status.child_executions import build_execution
from penstock.resources.execution import (
    ExecutionSpec,
    FlowReference,
    ParentReference,
    PinnedFlow,
)
from penstock.storage.errors import StorageUnavailable
from penstock.storage.execution import ExecutionFiles, NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.types import expressions
from tests.fixtures import flows
from tests.fixtures.apiserver import ApiServer
from tests.fixtures.executions import KEY, begun, called_by, places

FLOW = """
inputs:
  - {id: file, type: FILE, required: false, extension: .csv}
  - {id: other, type: FILE, required: false}
  - {id: text, type: STRING, required: false}
tasks: [{id: a, type: Work}]
"""
BODY: dict[str, Any] = {"metadata": {"namespace": "ns", "name": "mine", "uid": "u"}, "spec": {}}
PLACE = ExecutionPlace("company.team", "flow", "mine")


class Given:
    """A flow that asks for files, and a storage."""

    def __init__(self, folder: Path, *others: dict[str, Any]) -> None:
        root = Storage.local(str(folder))
        self.storage = root.of("ns")
        self.root = root
        self.executions = ObjectStore()
        for body in others:
            self.executions.put(body)
        self.purges = OrphanedFiles(root, self.executions)
        server = ApiServer()
        server.namespaces["ns"] = "uid-of-ns"
        self.folders = TenantFolders(server.api, root)
        reads = ExpressionReads(root.of, places(self.executions))
        self.inputs = FileInputs(reads, self.purges, self.folders)
        engine = Engine(flows.flow(FLOW), expressions())
        reference = PinnedFlow(namespace="company.team", id="flow", name="flow", revision=1)
        self.start = Start(engine, reference, None)

    async def begins(self, body: dict[str, Any]) -> dict[str, Any]:
        """The inputs with which an execution begins."""
        spec = ExecutionSpec.model_validate(body["spec"])
        return dict((await self.inputs.stored(body, spec, self.start)).inputs)

    async def stored(self, **inputs: Any) -> dict[str, Any]:
        spec = ExecutionSpec(flow=FlowReference(name="flow"), inputs=inputs)
        return dict((await self.inputs.stored(BODY, spec, self.start)).inputs)

    def content(self, uri: str) -> bytes:
        with self.storage.open(uri.removeprefix("kestra://")) as file:
            return file.read()


@pytest.mark.parametrize(
    ("given_uri", "content"),
    [
        ("data:,a%20b", b"a b"),
        ("data:text/plain;base64,aGk=", b"hi"),
        ("data:text/plain;charset=utf-8,%C3%A9", "é".encode()),
        ("data:;base64,", b""),
    ],
)
async def test_small_files_stand_in_the_execution_itself(
    tmp_path: Path, given_uri: str, content: bytes
) -> None:
    given = Given(tmp_path)
    stored = await given.stored(file=given_uri, text="data:,no")
    assert stored["file"] == f"kestra://{PLACE.folder}inputs/file/file.csv"
    assert given.content(stored["file"]) == content
    assert stored["text"] == "data:,no"


async def test_the_ending_is_that_of_the_media_type(tmp_path: Path) -> None:
    stored = await Given(tmp_path).stored(other="data:application/json,{}")
    assert stored["other"].endswith("/inputs/other/other.json")


async def test_uris_of_files_that_may_be_read_stay(tmp_path: Path) -> None:
    given = Given(tmp_path)
    NamespaceFiles(given.storage, "company.team").put("a b.txt", io.BytesIO(b"x"))
    inputs = {"file": "nsfile:///a b.txt", "other": "kestra:///company/team/_files/a%20b.txt"}
    assert await given.stored(**inputs) == inputs


async def test_an_empty_text_is_no_file(tmp_path: Path) -> None:
    assert await Given(tmp_path).stored(file="") == {"file": ""}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nsfile:///no.txt", "does not exist"),
        ("nsfile://other.team/a.txt", "didn't belong to the current execution"),
        ("kestra:///company/team/flow/executions/his/tasks/t/r/f", "didn't belong"),
        ("file:///etc/passwd", r"expected a URI of a file \(kestra:///…, nsfile:///… or data:…\)"),
        ("just text", "expected a URI of a file"),
        (5, "expected a URI of a file"),
        ("data:text/plain", "has a comma"),
        ("data:;base64,a", "is not base64"),
    ],
)
async def test_all_else_is_refused(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(Refusal, match=f"Invalid input for `file`, .*{words}") as refusal:
        await Given(tmp_path).stored(file=value)
    assert refusal.value.reason == "InvalidInputs"
    assert f"but received `{value}`" in str(refusal.value)


async def test_files_of_a_deleted_namesake_are_waited_for(tmp_path: Path) -> None:
    given = Given(tmp_path)
    reference = {"namespace": "company.team", "id": "flow"}
    given.purges.removed({**BODY, "status": {"flow": reference}})
    with pytest.raises(NotYet):
        await given.stored(file="data:,x")


def family(folder: Path) -> tuple[Given, dict[str, Any], str]:
    """A parent that runs, a child of it that gave a file, and a further one that is given it and
    is still to begin."""
    parent = in_ns(begun(ExecutionPlace("company.team", "calls", "parent"), "uid-parent"))
    place = ExecutionPlace("company.team", "makes", "child")
    child = in_ns(begun(place, "uid-child", **called_by("parent")))
    given = Given(folder, parent, child)
    files = ExecutionFiles(given.storage, place)
    uri = files.put_output("make", "r", "a.csv", io.BytesIO(b"x"))
    child["status"]["outputs"] = {"file": uri}
    spec = ExecutionSpec(
        flow=FlowReference(namespace="company.team", id="flow"),
        inputs={"file": uri},
        parent=ParentReference(execution="parent", task_run="r", attempt=1),
    )
    wanted = build_execution(parent, StartExecution("mine", spec))
    made = Provenance(lambda: KEY).signed(parent, wanted)
    made["metadata"]["uid"] = "uid-mine"
    return given, made, uri


def in_ns(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["namespace"] = "ns"
    return body


async def test_a_child_begins_with_the_file_of_its_sibling(tmp_path: Path) -> None:
    given, made, uri = family(tmp_path)
    assert await given.begins(made) == {"file": uri}


async def test_whoever_asks_for_the_same_without_being_called_is_refused(tmp_path: Path) -> None:
    # given: a copy that says all that the child says, but the signature
    given, made, _ = family(tmp_path)
    made["metadata"]["annotations"] = {}
    # then
    with pytest.raises(Refusal, match="nor as an output of an execution that it called"):
        await given.begins(made)


async def test_a_child_waits_for_the_storage_that_tells_who_called_it(tmp_path: Path) -> None:
    # given
    given, made, _ = family(tmp_path)

    def away() -> bytes:
        raise StorageUnavailable("not there yet")

    reads = ExpressionReads(given.root.of, FileAccess(given.executions, Provenance(away)))
    inputs = FileInputs(reads, given.purges, given.folders)
    # then
    with pytest.raises(NotYet):
        await inputs.stored(made, ExecutionSpec.model_validate(made["spec"]), given.start)
