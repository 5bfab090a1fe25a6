"""Tasks and functions over files of the internal storage, on the cluster."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.fixtures.scenario import SHELL_IMAGE, Scenario
from e2e.tests.conftest import SYSTEM_NAMESPACE

pytestmark = pytest.mark.cluster

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ITEMS = '{"id": 1, "n": 5}\n{"id": 2, "n": 50}\n{"id": 1, "n": 7}\n'


class Handler(BaseHTTPRequestHandler):
    """Serves one small CSV file and one JSON document."""

    def do_GET(self) -> None:
        json_wanted = self.path.startswith("/json")
        content = b'{"go": true}' if json_wanted else b"a,b\n1,2\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if json_wanted else "text/csv")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def web(kubernetes: Kubernetes) -> Iterator[str]:
    """The URL of a server that pods reach."""
    host = address_for_pods(kubernetes)
    with ThreadingHTTPServer((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{host}:{server.server_address[1]}"
        server.shutdown()


def stored(scenario: Scenario) -> list[str]:
    """The paths of all files of the scenario's namespace, seen by the storage service."""
    program = (
        "import sys;"
        "from penstock.controller.runtime.settings import settings_of_environment as s;"
        "from penstock.storage.settings import opened;"
        "print('\\n'.join(opened(s().storage).of(sys.argv[1]).list('/')))"
    )
    words = ["deploy/penstock-storage", "--", "python", "-c", program, scenario.namespace]
    command = ["kubectl", "-n", SYSTEM_NAMESPACE, "exec", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_tasks_over_files(scenario: Scenario) -> None:
    core = "io.kestra.plugin.core.storage"
    flow = scenario.flow(f"""
        id: files
        namespace: company.team
        inputs: [{{id: given, type: FILE}}]
        tasks:
          - {{id: write, type: {core}.Write, content: "first", extension: .txt}}
          - {{id: size, type: {core}.Size, uri: "{{{{ outputs.write.uri }}}}"}}
          - id: concat
            type: {core}.Concat
            files: ["{{{{ inputs.given }}}}", "{{{{ inputs.given }}}}"]
          - {{id: reverse, type: {core}.Reverse, from: "{{{{ outputs.write.uri }}}}"}}
          - {{id: split, type: {core}.Split, from: "{{{{ outputs.concat.uri }}}}", rows: 4}}
          - id: filter
            type: {core}.FilterItems
            from: "{{{{ outputs.concat.uri }}}}"
            filterCondition: "{{{{ n > 6 }}}}"
          - id: unique
            type: {core}.DeduplicateItems
            from: "{{{{ inputs.given }}}}"
            expr: "{{{{ id }}}}"
          - id: templated
            type: io.kestra.plugin.core.templating.TemplatedTask
            spec: |
              type: {core}.Size
              uri: {{{{ outputs.unique.uri }}}}
          - {{id: delete, type: {core}.Delete, uri: "{{{{ outputs.write.uri }}}}"}}
          - {{id: again, type: {core}.Delete, uri: "{{{{ outputs.write.uri }}}}"}}
        outputs:
          - {{id: kept, type: STRING, value: "{{{{ read(outputs.filter.uri) }}}}"}}
          - {{id: gone, type: BOOLEAN, value: "{{{{ not fileExists(outputs.write.uri) }}}}"}}
    """)
    given = f"data:application/x-ndjson,{ITEMS}"

    execution = scenario.execution(flow, {"given": given}).ends("SUCCESS", seconds=180)

    place = f"kestra:///company/team/files/executions/{execution.name}"
    assert execution.status["inputs"]["given"].startswith(f"{place}/inputs/given/given")
    assert execution.outputs("write")["uri"].startswith(f"{place}/tasks/write/")
    assert execution.outputs("size") == {"size": 5}
    assert len(execution.outputs("split")["uris"]) == 2
    assert execution.outputs("filter")["droppedItemsTotal"] == 2
    assert execution.outputs("unique")["numKeys"] == 2
    assert execution.outputs("templated") == {"size": len(ITEMS.splitlines()[0]) * 2 + 3}
    assert execution.outputs("delete")["deleted"] is True
    assert execution.outputs("again")["deleted"] is False
    kept = execution.status["outputs"]["kept"]
    assert [json.loads(line)["n"] for line in kept.splitlines()] == [50, 7, 50, 7]
    assert execution.status["outputs"]["gone"] is True


def test_files_of_a_namespace(scenario: Scenario) -> None:
    core = "io.kestra.plugin.core.namespace"
    flow = scenario.flow(f"""
        id: namespace
        namespace: company.team
        tasks:
          - id: upload
            type: {core}.UploadFiles
            namespace: company.team
            filesMap: {{q/a.sql: select 1, q/b.txt: text}}
          - {{id: download, type: {core}.DownloadFiles, namespace: company.team, files: ["*.sql"]}}
          - id: read
            type: io.kestra.plugin.core.debug.Return
            format: "{{{{ read('q/a.sql') }}}} {{{{ fileSize(fileURI('q/b.txt')) }}}}"
          - id: script
            type: io.kestra.plugin.scripts.shell.Commands
            containerImage: {SHELL_IMAGE}
            commands: ["echo \\"$TEXT of $SIZE\\""]
            env:
              TEXT: "{{{{ read(outputs.download.files['q/a.sql']) }}}}"
              SIZE: "{{{{ fileSize(outputs.download.files['q/a.sql']) }}}}"
          - {{id: delete, type: {core}.DeleteFiles, namespace: company.team, files: "**/*.sql"}}
          - {{id: gone, type: io.kestra.plugin.core.debug.Return,
             format: "{{{{ fileExists('q/a.sql') }}}} {{{{ fileExists('q/b.txt') }}}}"}}
    """)

    execution = scenario.execution(flow).ends("SUCCESS", seconds=120)

    assert execution.outputs("read") == {"value": "select 1 4"}
    assert "select 1 of 8" in execution.log("script")
    assert execution.outputs("gone") == {"value": "false true"}


def test_what_a_server_says(scenario: Scenario, web: str) -> None:
    flow = scenario.flow(f"""
        id: web
        namespace: company.team
        tasks:
          - {{id: fetch, type: io.kestra.plugin.core.http.Download, uri: "{web}/data.csv"}}
          - id: choose
            type: io.kestra.plugin.core.flow.If
            condition: "{{{{ http('{web}/json').go and read(outputs.fetch.uri) is not empty }}}}"
            then:
              - id: said
                type: io.kestra.plugin.core.debug.Return
                format: "{{{{ read(outputs.fetch.uri) }}}}"
            else:
              - {{id: silent, type: io.kestra.plugin.core.execution.Fail}}
    """)

    execution = scenario.execution(flow).ends("SUCCESS")

    fetched = execution.outputs("fetch")
    assert (fetched["code"], fetched["length"]) == (200, 8)
    assert fetched["uri"].endswith("/data.csv")
    assert execution.outputs("said") == {"value": "a,b\n1,2\n"}


def test_the_example_asks_a_server_and_fetches_a_file(scenario: Scenario, web: str) -> None:
    flow = scenario.flow((EXAMPLES / "http.yaml").read_text())
    execution = scenario.execution(flow, {"server": web}).ends("SUCCESS")
    assert execution.status["outputs"] == {"bytes": 8}


def test_the_example_shares_a_directory_and_keeps_a_cache(scenario: Scenario) -> None:
    text = (EXAMPLES / "working-directory.yaml").read_text().replace("busybox:1.36", SHELL_IMAGE)
    flow = scenario.flow(text)
    for number in (1, 2):
        execution = scenario.execution(flow).ends("SUCCESS")
        assert execution.outputs("result") == {"value": "8"}
        assert execution.run("add")["metrics"][0]["value"] == 8
        assert execution.log("look") == f"the sum is 8, run {number}\n"


def test_a_flow_for_each_batch_of_items(scenario: Scenario) -> None:
    scenario.flow("""
        id: batch
        namespace: company.team
        inputs: [{id: items, type: FILE}]
        tasks: [{id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.1S}]
        outputs:
          - {id: lines, type: INT, value: "{{ read(inputs.items) | split('\\n') | length }}"}
    """)
    flow = scenario.flow("""
        id: each
        namespace: company.team
        inputs: [{id: items, type: FILE}]
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEachItem
            items: "{{ inputs.items }}"
            batch: {rows: 10}
            namespace: company.team
            flowId: batch
            wait: true
            inputs: {items: "{{ taskrun.items }}"}
        outputs:
          - {id: merged, type: STRING, value: "{{ read(outputs.each_merge.subflowOutputs) }}"}
    """)
    lines = "".join(f"item {number}\n" for number in range(25))

    execution = scenario.execution(flow, {"items": f"data:,{lines}"}).ends("SUCCESS", seconds=150)

    assert execution.outputs("each_items")["numberOfBatches"] == 3
    merged = execution.status["outputs"]["merged"].splitlines()
    assert sorted(json.loads(line)["lines"] for line in merged) == [5, 10, 10]


@pytest.mark.parametrize("value", ["file:///etc/passwd", "kestra:///company/team/no", "text"])
def test_what_is_no_file_is_refused(scenario: Scenario, value: str) -> None:
    flow = scenario.flow("""
        id: files
        namespace: company.team
        inputs: [{id: given, type: FILE}]
        tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: x}]
    """)
    execution = scenario.execution(flow, {"given": value}).ends("FAILED")
    assert execution.status["refusal"] == "InvalidInputs"
    assert "Invalid input for `given`" in execution.status["message"]
    assert execution.jobs() == []


def test_files_of_others_stay_theirs_and_go_with_them(scenario: Scenario) -> None:
    owner = scenario.flow("""
        id: owner
        namespace: company.team
        tasks: [{id: write, type: io.kestra.plugin.core.storage.Write, content: secret}]
    """)
    reader = scenario.flow("""
        id: reader
        namespace: company.team
        inputs: [{id: uri, type: STRING}]
        tasks:
          - id: size
            type: io.kestra.plugin.core.storage.Size
            uri: "{{ inputs.uri }}"
            allowFailure: true
          - id: read
            type: io.kestra.plugin.core.debug.Return
            format: "{{ read(inputs.uri) }}"
            allowFailure: true
          - id: delete
            type: io.kestra.plugin.core.storage.Delete
            uri: "{{ inputs.uri }}"
            allowFailure: true
    """)
    first = scenario.execution(owner).ends("SUCCESS")
    uri = first.outputs("write")["uri"]

    second = scenario.execution(
        reader, {"uri": uri}, spec={"parent": {"execution": first.name, "taskRun": "x",
                                               "attempt": 1}},
    ).ends("WARNING")  # fmt: skip

    for task in ("size", "read", "delete"):
        attempt = second.run(task)["attempts"][-1]
        assert "didn't belong to the current execution" in attempt["message"], task
    path = uri.removeprefix("kestra://")
    assert path in stored(scenario)
    scenario.kubernetes.delete("executions", scenario.namespace, first.name)
    scenario.eventually("the file gone", lambda: path not in stored(scenario))
