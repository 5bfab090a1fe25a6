"""`penstock outputs`: outputs from a status and from ConfigMaps, and clear refusals."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest

from penstock.kubernetes.api.client import ApiError, Resource
from tests.unit.cli.conftest import Call, ConnectTo

LARGE = {"value": "x" * 5000}
TEXT = json.dumps(LARGE).encode()
CONFIG_MAP = {"binaryData": {"outputs.json.gz": base64.b64encode(gzip.compress(TEXT)).decode()}}


def status(config_map: str) -> dict[str, Any]:
    """The status of an execution whose large outputs are in that ConfigMap."""
    return {
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
                    "configMap": config_map,
                    "key": "outputs.json.gz",
                    "bytes": len(TEXT),
                    "sha256": hashlib.sha256(TEXT).hexdigest(),
                },
            },
        ],
    }


class Cluster:
    """Knows two executions and the ConfigMap of one, in the namespace `team`."""

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        meta = {"namespace": namespace, "name": name}
        found = {
            "run": {"metadata": meta, "status": status("kept")},
            "lost": {"metadata": meta, "status": status("deleted")},
            "kept": CONFIG_MAP,
        }.get(name)
        if found is None or namespace != "team":
            raise ApiError(404, "NotFound", f'{resource.plural} "{name}" not found')
        return found


@pytest.fixture(autouse=True)
def _cluster(connect_to: ConnectTo) -> None:
    connect_to(Cluster())


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
        (
            ["lost", "-n", "team"],
            "ConfigMap deleted, which holds outputs of the task `large`, is gone",
        ),
    ],
)
def test_what_is_not_there_is_told(call: Call, arguments: list[str], words: str) -> None:
    called = call("outputs", *arguments)

    assert called.code == 1
    assert words in called.err
    assert "Traceback" not in called.err
