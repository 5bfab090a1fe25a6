"""`penstock namespace`: which flow namespaces there are, and what they hold."""

from __future__ import annotations

import json

from penstock.kubernetes.api.client import GIT_SOURCES
from tests.unit.cli.conftest import Call, PlayedCluster
from tests.unit.cli.test_flow_in_cluster import HELLO

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def given_files(played: PlayedCluster, **status: str) -> None:
    """A GitSource with files for two namespaces."""
    folders = [{"namespace": "dev", "path": "files"}, {"namespace": "company", "path": "shared"}]
    spec = {"url": "https://git.example.com/flows.git", "namespaceFiles": folders}
    metadata = {"name": "flows", "namespace": "data"}
    played.server.put(GIT_SOURCES, {"metadata": metadata, "spec": spec, "status": status})


def test_namespaces_are_listed_with_what_they_hold(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO)
    call("kv", "set", "dev", "limit", "3")
    given_files(played)

    lines = call("namespace", "list").out.splitlines()

    assert [line.split() for line in lines] == [
        ["NAMESPACE", "FLOWS", "KEYS", "FOLDERS"],
        ["company", "0", "0", "1"],
        ["dev", "1", "1", "1"],
    ]
    assert call("namespace", "list", "-o", "name").out == "company\ndev\n"
    found = json.loads(call("namespace", "list", "-o", "json").out)
    assert found[1] == {"namespace": "dev", "flows": 1, "keys": 1, "folders": 1}


def test_files_are_told_by_the_commit_that_they_come_from(
    call: Call, played: PlayedCluster
) -> None:
    given_files(played, appliedCommit=COMMIT)

    header, row = call("namespace", "files", "list", "dev").out.splitlines()

    assert header.split() == ["NAMESPACE", "SOURCE", "PATH", "COMMIT", "URL"]
    assert row.split()[:4] == ["dev", "flows", "files", COMMIT[:12]]
    assert len(json.loads(call("namespace", "files", "list", "-o", "json").out)) == 2


def test_keys_have_two_ways_to_them(call: Call, played: PlayedCluster) -> None:
    call("namespace", "kv", "set", "dev", "limit", "3")

    assert call("kv", "get", "dev", "limit").out == "3\n"
