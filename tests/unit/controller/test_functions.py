"""Functions that read: the engine says what it lacks, that is fetched, the engine decides anew."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.executions.expression_calls import Interruption
from penstock.controller.executions.expression_functions import ExpressionFunctions
from penstock.controller.executions.expression_http import HttpFunction, HttpRules
from penstock.controller.executions.expression_reads import ExpressionReads
from penstock.controller.keyvalues.index import KeyValueIndex, pair_keys
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Step
from penstock.engine.interface.identity import Identity
from penstock.expressions import NotLoaded
from penstock.kubernetes.status.execution_records import place_of
from penstock.network import RefusedNetworks
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.storage.execution import ExecutionFiles, NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import TaskFailure
from penstock.types import expressions
from tests.fixtures import flows
from tests.fixtures.executions import called_by, places

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SPEC = ExecutionSpec(flow=FlowReference(namespace="company.team", id="flow"))
NOTHING = """tasks: [{id: a, type: io.kestra.plugin.core.flow.If, condition: "false",
    then: [{id: b, type: Work}]}]"""


def execution(name: str, flow: str = "flow", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": f"uid-{name}", "resourceVersion": "1"},
        "spec": {"flow": {"namespace": "company.team", "id": flow}, **spec},
        "status": {"flow": {"namespace": "company.team", "id": flow, "name": flow}},
    }


class Given:
    """An execution of one flow, other executions, and a storage with files."""

    def __init__(self, folder: Path, *others: dict[str, Any], **spec: Any) -> None:
        self.storage = Storage.local(str(folder))
        self.executions = ObjectStore()
        self.body = execution("mine", **spec)
        for body in (self.body, *others):
            self.executions.put(body)
        self.ready = asyncio.Event()
        self.opened: list[str] = []
        reading = ExpressionReads(self._of_tenant, places(self.executions))
        self.functions = ExpressionFunctions(
            ExecutionMemories(),
            reading.readers,
            lambda body: self.ready.set(),
            KeyValueIndex(ObjectStore(pair_keys), is_listed=True).of,
        )

    def _of_tenant(self, tenant: str) -> Storage:
        self.opened.append(tenant)
        return self.storage

    def file(self, text: str, execution: str = "mine", flow: str = "flow") -> str:
        place = ExecutionPlace("company.team", flow, execution)
        files = ExecutionFiles(self.storage, place)
        return files.put_output("made", "run", "a.txt", io.BytesIO(text.encode()))

    async def begins(self, text: str) -> Step:
        engine = Engine(flows.flow(text), expressions(), functions=self.functions.of("ns"))
        identity = Identity("mine", "uid-mine", NOW)
        return await self.decided(lambda: engine.begin(identity, SPEC, NOW))

    async def decided(self, decide: Callable[[], Step]) -> Step:
        for _ in range(300):
            try:
                return decide()
            except NotLoaded as missing:
                self.ready.clear()
                self.functions.fetch(self.body, missing)
                self.functions.fetch(self.body, missing)
                await self.ready.wait()
        raise AssertionError("it never decides")

    async def rendered(self, expression: str) -> str:
        """The value of an expression as the output of a flow, or why it has none."""
        outputs = f"outputs: [{{id: o, type: STRING, value: {json.dumps(expression)}}}]"
        step = await self.begins(f"{NOTHING}\n{outputs}")
        status = step.status
        return str((status.outputs or {}).get("o", status.message))


async def test_a_file_is_read_and_decided_with(tmp_path: Path) -> None:
    # given
    given = Given(tmp_path)
    uri = given.file("go")
    # when
    step = await given.begins(f"""
        tasks:
          - id: look
            type: io.kestra.plugin.core.flow.If
            condition: "{{{{ read('{uri}') == 'go' }}}}"
            then: [{{id: yes, type: Work}}]
            else: [{{id: no, type: Work}}]
    """)
    # then
    assert [run.task_id for run in step.status.task_runs] == ["look", "yes"]
    assert set(given.opened) == {"ns"}, "the storage is that of the execution's tenant"


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("{{ fileSize(@) }}", "4"),
        ("{{ fileExists('no/such.txt') }}", "false"),
        ("{{ isFileEmpty(@) }}", "false"),
        ("{{ read(@) ?? 'nothing' }}", "text"),
        ("{{ read(@) | default('nothing') }}", "text"),
        ("{{ read(@) is defined ? read(@) | upper : 'no' }}", "TEXT"),
        ("{{ read(path=@) ~ fileSize(@) }}", "text4"),
        ("{{ fileURI('q/x.sql') }}", "kestra:///company/team/_files/q/x.sql"),
    ],
)
async def test_what_is_not_there_yet_is_no_missing_value(
    tmp_path: Path, expression: str, printed: str
) -> None:
    given = Given(tmp_path)
    uri = given.file("text")
    assert await given.rendered(expression.replace("@", f"'{uri}'")) == printed


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("{{ read('nothing') }}", "does not exist"),
        ("{{ read('../x') }}", "is not the path"),
        ("{{ read('file:///etc/passwd') }}", "not a URI of the internal storage"),
        ("{{ read('a', 'b', 'c') }}", "`read()` failed"),
        (
            "{{ read('kestra:///company/team/other/executions/his/tasks/made/run/a.txt') }}",
            "didn't belong",
        ),
        ("{{ fileURI('../x') }}", "is not the path"),
        ("{{ http('ftp://x') }}", "is not a URI of HTTP"),
    ],
)
async def test_what_can_not_be_read_is_told(tmp_path: Path, expression: str, words: str) -> None:
    given = Given(tmp_path, execution("his", "other"))
    given.file("secret", "his", "other")
    assert words in await given.rendered(expression)


async def test_a_namespace_file_is_read_where_its_namespace_is_named(tmp_path: Path) -> None:
    # given
    given = Given(tmp_path)
    NamespaceFiles(given.storage, "other").put("a.txt", io.BytesIO(b"theirs"))
    # then
    assert await given.rendered("{{ read('nsfile://other/a.txt') }}") == "theirs"
    stored = await given.rendered("{{ read('kestra:///other/_files/a.txt') }}")
    assert "didn't belong" in stored


async def test_a_decision_that_is_made_twice_reads_once(tmp_path: Path) -> None:
    # given
    given = Given(tmp_path)
    uri = given.file("first")
    await given.rendered(f"{{{{ read('{uri}') }}}}")
    # when: nothing was done with it yet
    given.file("second")
    again = await given.rendered(f"{{{{ read('{uri}') }}}}")
    given.functions.done(given.body)
    later = await given.rendered(f"{{{{ read('{uri}') }}}}")
    # then
    assert (again, later) == ("first", "second")


async def test_too_much_at_once_is_refused(tmp_path: Path) -> None:
    given = Given(tmp_path)
    many = "{% for i in range(1, 400) %}{{ fileExists('f' ~ i) ? 1 : 0 }}{% endfor %}"
    assert "too much is read at once" in await given.rendered(many)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]"])
def test_http_never_asks_what_is_next_to_the_controller(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        http = HttpFunction(HttpRules(), Interruption())
        with pytest.raises(TaskFailure, match="is not a server that an expression may ask"):
            http(f"http://{host}:{server.getsockname()[1]}/")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has knocked at its port
            server.accept()


def test_http_asks_what_an_administrator_allows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        http = HttpFunction(HttpRules(RefusedNetworks(["169.254.0.0/16"])), Interruption())
        assert http(f"http://127.0.0.1:{server.getsockname()[1]}/") == "hi"
        thread.join(5)


async def test_files_of_callers_may_be_read(tmp_path: Path) -> None:
    # given: grand called parent, which called mine
    parent = execution("parent", "p")
    parent["status"] |= called_by("grand")
    given = Given(tmp_path, parent, execution("grand", "g"))
    given.body["status"] |= called_by("parent")
    # when
    uri = given.file("theirs", "grand", "g")
    # then
    assert await given.rendered(f"{{{{ read('{uri}') }}}}") == "theirs"


async def test_who_writes_a_parent_into_its_spec_reads_nothing_of_it(tmp_path: Path) -> None:
    # given: an owner, a parent and a trigger, as anybody may write them
    trigger = {"id": "t", "type": "io.kestra.plugin.core.trigger.Flow"}
    spec = {
        "parent": {"execution": "parent", "taskRun": "r", "attempt": 1},
        "trigger": {**trigger, "variables": {"executionId": "parent"}},
    }
    given = Given(tmp_path, execution("parent", "p"), **spec)
    owner = {"kind": "Execution", "name": "parent", "uid": "uid-parent"}
    given.body["metadata"]["ownerReferences"] = [owner]
    # when
    uri = given.file("theirs", "parent", "p")
    # then
    assert "didn't belong" in await given.rendered(f"{{{{ read('{uri}') }}}}")


async def test_the_file_that_a_subflow_gave_is_read(tmp_path: Path) -> None:
    # given: a child that gave one file
    child = execution("child", "c")
    given = Given(tmp_path, child)
    uri = given.file("of the child", "child", "c")
    child["status"] |= called_by("mine") | {"outputs": {"report": uri}}
    # then
    assert await given.rendered(f"{{{{ read('{uri}') }}}}") == "of the child"
    other = uri.replace("a.txt", "b.txt")
    assert "nor as an output" in await given.rendered(f"{{{{ read('{other}') }}}}")


async def test_a_file_whose_execution_was_deleted_says_so(tmp_path: Path) -> None:
    given = Given(tmp_path)
    uri = given.file("of the child", "gone", "c")
    told = await given.rendered(f"{{{{ read('{uri}') }}}}")
    assert "there is no execution `gone` any more, and its files went with it" in told


@pytest.mark.parametrize(
    ("spec", "callers"),
    [
        ({"replay": {"execution": "other"}}, []),
        ({"replay": {"execution": "same"}}, ["same"]),
        ({"retry": {"original": "same"}}, ["same"]),
        ({"replay": {"execution": "mine"}}, []),
    ],
)
def test_what_is_done_again_counts_as_a_caller(
    tmp_path: Path, spec: dict[str, Any], callers: list[str]
) -> None:
    others = execution("other", "other"), execution("same")
    given = Given(tmp_path, *others, **spec)
    found = places(given.executions).parents(given.body)
    assert [place.execution for place in found] == callers


def test_one_that_has_not_begun_has_no_place() -> None:
    assert place_of({"metadata": {"name": "a"}, "spec": {}}) is None
