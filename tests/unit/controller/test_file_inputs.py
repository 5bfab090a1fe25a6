"""Inputs of type FILE: what may be given for one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from penstock.catalog import expressions
from penstock.controller.fileinputs import FileInputs
from penstock.controller.purges import Purges
from penstock.controller.reading import Reading
from penstock.controller.starts import NotYet, Refusal, Start
from penstock.controller.store import ObjectStore
from penstock.engine.engine import Engine
from penstock.resources.execution import ExecutionSpec, FlowReference, PinnedFlow
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from tests.fixtures import flows
from tests.fixtures.executions import places

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

    def __init__(self, folder: Path) -> None:
        root = Storage.local(str(folder))
        self.storage = root.of("ns")
        executions = ObjectStore()
        self.purges = Purges(root, executions)
        self.inputs = FileInputs(Reading(root.of, places(executions)), self.purges)
        engine = Engine(flows.flow(FLOW), expressions())
        reference = PinnedFlow(namespace="company.team", id="flow", name="flow", revision=1)
        self.start = Start(engine, reference, None)

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
