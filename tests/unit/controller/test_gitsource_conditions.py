"""What a GitSource says of itself when its remote comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.controller.gitsources import reconciler as module
from penstock.git import GitError, Snapshot, SourceFile
from penstock.kubernetes.api.client import GIT_SOURCES
from tests.fixtures.controller import NAMESPACE, Controller, conditions

FLOW = b"""
id: one
namespace: company.team
tasks: [{id: t, type: io.kestra.plugin.core.debug.Return, format: x}]
"""
SOURCE = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "GitSource",
    "metadata": {"name": "source", "namespace": NAMESPACE},
    "spec": {"url": "https://git.example.com/flows.git", "interval": "1m"},
}


async def test_a_source_is_ready_again_when_its_remote_is_back_with_the_same_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a commit that was taken in
    away: list[GitError] = []

    def resolve(remote: Any) -> str:
        if away:
            raise away[0]
        return "c0ffee"

    def snapshot(remote: Any, commit: str, cache: Path, known: Any) -> Snapshot:
        return Snapshot(commit, (SourceFile("one.yaml", "blob", FLOW),), ())

    monkeypatch.setattr(module, "resolve", resolve)
    monkeypatch.setattr(module, "snapshot", snapshot)
    controller = Controller(tmp_path)
    controller.server.put(GIT_SOURCES, SOURCE)
    await controller.list()

    def told() -> dict[str, tuple[str, str]]:
        return conditions(controller.server.get(GIT_SOURCES, NAMESPACE, "source"))

    await controller.reconcile("GitSource", "source")
    assert "Ready" in told()
    # when: the remote is away once, and then back
    away.append(GitError("Timeout", "no answer"))
    await controller.reconcile("GitSource", "source")
    assert "Ready" not in told()
    away.clear()
    await controller.reconcile("GitSource", "source")
    # then
    assert "Ready" in told()


async def test_a_source_whose_spec_cannot_be_read_says_that_a_person_has_to_change_it(
    tmp_path: Path,
) -> None:
    # given: a spec that the CRD of another version let in
    controller = Controller(tmp_path)
    controller.server.put(GIT_SOURCES, {**SOURCE, "spec": {"url": "ftp://git.example.com/a.git"}})
    await controller.list()
    # when
    await controller.reconcile("GitSource", "source")
    # then
    told = conditions(controller.server.get(GIT_SOURCES, NAMESPACE, "source"))
    assert told["Stalled"][0] == "InvalidSpec"
