"""`penstock outputs`: outputs from a status and from ConfigMaps, and clear refusals."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from penstock.kubernetes.api.client import ApiError, Resource
from tests.unit.cli.conftest import Call

LARGE = {"value": "x" * 5000}
TEXT = json.dumps(LARGE).encode()
STATUS: dict[str, Any] = {
    "state": "SUCCESS",
    "taskRuns": [
        {
            "id": "1",
            "taskId": "small",
            "value": "a",
            "state": "SUCCESS",
            "startDate": "2026-01-01T00:00:00Z",
            "outputs": {"value": 1},
        },
        {
            "id": "2",
            "taskId": "large",
            "state": "SUCCESS",
            "startDate": "2026-01-01T00:00:00Z",
            "outputsRef": {
                "configMap": "kept",
                "key": "outputs.json.gz",
                "bytes": len(TEXT),
                "sha256": hashlib.sha256(TEXT).hexdigest(),
            },
        },
    ],
}
CONFIG_MAP = {"binaryData": {"outputs.json.gz": base64.b64encode(gzip.compress(TEXT)).decode()}}


class Cluster:
    """Knows one execution and its ConfigMap, in the namespace `team`."""

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        run = {"metadata": {"namespace": namespace, "name": name}, "status": STATUS}
        found = {"run": run, "kept": CONFIG_MAP}.get(name)
        if found is None or namespace != "team":
            raise ApiError(404, "NotFound", f'{resource.plural} "{name}" not found')
        return found


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Cluster]:
        yield Cluster()

    monkeypatch.setattr("penstock.cli.reading.connect", connect)


def test_all_outputs_are_printed_as_expressions_see_them(call: Call) -> None:
    called = call("outputs", "run", "-n", "team")

    assert called.code == 0
    assert json.loads(called.out) == {"small": {"a": {"value": 1}}, "large": LARGE}


def test_those_of_one_task(call: Call) -> None:
    assert json.loads(call("outputs", "run", "-n", "team", "--task", "large").out) == LARGE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["other", "-n", "team"], 'executions "other" not found'),
        (["run", "-n", "team", "--task", "medium"], "small, large"),
    ],
)
def test_what_is_not_there_is_told(call: Call, arguments: list[str], words: str) -> None:
    called = call("outputs", *arguments)

    assert called.code == 1
    assert words in called.err
    assert "Traceback" not in called.err
