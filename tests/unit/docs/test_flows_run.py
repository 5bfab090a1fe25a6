"""Each flow that README and the documentation show is run, and ends as its page lets one expect.

Those of `examples/` run in `tests/unit/cli/test_examples.py`; the commands around a flow run on the
cluster (`e2e/tests/test_docs.py`). A new flow on a page runs here by itself; what it needs from
outside, and how it ends where that is no success, is written in `NEEDS`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.conftest import Call, call
from tests.unit.docs.snippets import ROOT, Block, documents, flow_of, pages

__all__ = ["call"]


@dataclass(frozen=True)
class Need:
    """The needs of a flow: its options, and its expected end."""

    options: tuple[str, ...] = ()
    """The options of `penstock run`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files beside the flow."""
    trigger: Mapping[str, Any] | None = None
    """The trigger that started it: its id and its variables."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    code: int = 0
    """The exit code of `penstock run`."""
    state: str = "SUCCESS"


_CHILD = """
id: load
namespace: company.team
inputs: [{id: db, type: SECRET}, {id: admin, type: SECRET}]
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: loaded}]
"""

NEEDS = {
    "README.md hello-world": Need(outputs={"length": 13}),
    "docs/coming-from-argo.md count": Need(outputs={"length": 5}),
    "docs/flow.md report": Need(outputs={"letters": 4}),
    "docs/execution.md asking": Need(code=3, state="PAUSED"),
    "docs/execution.md failing": Need(code=1, state="FAILED"),
    "docs/files.md monthly": Need(
        ("--namespace-file", "scripts/shared.sh=shared.sh"), {"shared.sh": "echo shared\n"}
    ),
    "docs/files.md orders": Need(
        ("--input", "orders=orders.jsonl"), {"orders.jsonl": '{"amount": 120}\n{"amount": 80}\n'}
    ),
    "docs/cli.md asking": Need(("--resume", "count=41")),
    "docs/kv.md import": Need(
        ("--kv", 'company.team:SOURCE_URL="https://example.com/data"'),
    ),
    "docs/secrets.md nightly": Need(
        ("--input", "password=open-sesame", "--flow", "load.yaml"), {"load.yaml": _CHILD}
    ),
    "docs/triggers/schedule.md report": Need(
        trigger={"id": "end-of-month", "variables": {"date": "2026-01-30T17:00:00Z"}}
    ),
    "docs/triggers/schedule.md release": Need(
        trigger={"id": "releases", "variables": {"date": "2027-03-01T08:00:00Z"}}
    ),
    "docs/triggers/webhook.md orders": Need(
        trigger={"id": "shop", "variables": {"body": {"number": 7}}}
    ),
    "docs/triggers/webhook.md deploy": Need(
        trigger={"id": "push", "variables": {"body": {"after": "5ec5aea"}}}
    ),
    "docs/triggers/webhook.md price": Need(
        trigger={"id": "ask", "variables": {"body": {"pieces": 3}}}, outputs={"price": 36}
    ),
    "docs/triggers/brokers.md orders": Need(
        trigger={"id": "arrived", "variables": {"value": "seven pieces"}}
    ),
    "docs/triggers/objects.md load": Need(
        trigger={"id": "arrived", "variables": {"objects": [{"uri": "kestra:///orders.csv"}]}}
    ),
    "docs/triggers.md after-both": Need(
        trigger={"id": "newer", "variables": {"executionId": "marketing-x7k2p"}}
    ),
    "docs/triggers.md book": Need(
        trigger={
            "id": "sold",
            "variables": {
                "executionId": "sales-x7k2p",
                "kubernetesNamespace": "shop",
                "outputs": {"pieces": 12},
            },
        }
    ),
}

ONLY_VALID = {
    "docs/coming-from-kestra.md load": "asks a database",
    "docs/triggers/brokers.md load": "works with a file that a trigger got",
    "docs/files.md build": "installs a package from an index",
    "docs/scripts.md packages": "installs packages; e2e/tests/test_kestra_package.py runs them",
    "docs/scripts.md cached": "installs a package on a volume of a cluster",
    "docs/secrets.md report": "asks a server and a database",
}
"""Flows that need what no test has, and why; `test_snippets.py` checks that they are valid."""


@dataclass(frozen=True)
class Shown:
    """A flow on a page."""

    block: Block
    flow: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{self.block.page.relative_to(ROOT)} {self.flow['id']}"

    @property
    def file(self) -> str:
        return f"{self.flow['id']}.yaml"

    def __str__(self) -> str:
        return f"{self.block.id} {self.flow['id']}"

    def write(self, path: Path) -> Path:
        path.write_text(yaml.safe_dump(dict(self.flow), sort_keys=False))
        return path


_SHOWN = [
    Shown(block, flow)
    for page in pages()
    for block, document in documents(page)
    if (flow := flow_of(document)) is not None
]


@pytest.mark.parametrize("shown", [it for it in _SHOWN if it.key not in ONLY_VALID], ids=str)
def test_a_shown_flow_runs_to_its_end(
    call: Call, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = NEEDS.get(shown.key, Need())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_DB_PASSWORD", b64encode(b"hunter2").decode())
    shown.write(tmp_path / "flow.yaml")
    for name, text in need.files.items():
        Path(name).write_text(text)

    if need.trigger is not None:
        _write_test(shown.flow, need.trigger)
        called = call("flow", "test", ".")

        assert called.code == 0, called.out
        assert "1 passed" in called.out
    else:
        beside = [f"--flow={other.write(tmp_path / other.file)}" for other in _beside(shown)]
        called = call("run", "flow.yaml", "-o", "json", "--timeout", "60s", *need.options, *beside)

        assert called.code == need.code, called.err
        status = json.loads(called.out)["status"]
        assert status["state"] == need.state
        found = status.get("outputs") or {}
        assert {name: found.get(name) for name in need.outputs} == need.outputs


@pytest.mark.parametrize("shown", _SHOWN, ids=str)
def test_a_shown_flow_has_no_expression_that_fails(
    call: Call, shown: Shown, tmp_path: Path
) -> None:
    called = call("flow", "validate", shown.write(tmp_path / "flow.yaml"))

    assert called.code == 0, called.err
    assert "expression" not in called.out + called.err


def test_every_need_and_every_exception_is_of_a_flow_that_is_shown() -> None:
    shown = {it.key for it in _SHOWN}

    assert set(NEEDS) | set(ONLY_VALID) <= shown
    assert not set(NEEDS) & set(ONLY_VALID)


def _beside(shown: Shown) -> list[Shown]:
    """The other flows of a block, such as those that it calls."""
    return [it for it in _SHOWN if it.block is shown.block and it is not shown]


def _write_test(flow: Mapping[str, Any], trigger: Mapping[str, Any]) -> None:
    case = {
        "id": "started",
        "type": "io.kestra.core.tests.flow.UnitTest",
        "fixtures": {"trigger": trigger},
        "assertions": [{"value": "{{ execution.state }}", "equalTo": "SUCCESS"}],
    }
    document = {
        "id": "shown",
        "namespace": flow["namespace"],
        "flowId": flow["id"],
        "testCases": [case],
    }
    Path("flow.test.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
