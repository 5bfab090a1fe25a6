"""Calls the command line as a person would."""

from __future__ import annotations

import gc
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.cli import main
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, Object
from penstock.resources.flow import flow_resource_name
from tests.fixtures.apiserver import ApiServer


@dataclass(frozen=True)
class Called:
    """The result of a call."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]
Write = Callable[..., Path]
ConnectTo = Callable[[Any], None]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    def call(*arguments: object) -> Called:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Called(ended.value.code, captured.out, captured.err)

    yield call
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def connect_to(monkeypatch: pytest.MonkeyPatch) -> ConnectTo:
    """Names the API server that commands find; `data` is the namespace of kubectl's context."""

    def connect_to(api: Any) -> None:
        @asynccontextmanager
        async def connect() -> AsyncIterator[Any]:
            yield api

        monkeypatch.setattr("penstock.cluster.connection.connect", connect)
        monkeypatch.setattr("penstock.cluster.connection.current_namespace", lambda: "data")

    return connect_to


class PlayedCluster:
    """An API server in memory. The test plays the controller: one step before each look that a
    command takes at what it follows."""

    namespace = "data"

    def __init__(self) -> None:
        self.server = ApiServer()
        self.server.before_watch = self._take_a_step
        self._steps: list[Callable[[], None]] = []

    def flow(self, text: str, revision: int = 1, **metadata: Any) -> Object:
        """Let there be a Flow that was accepted."""
        spec = yaml.safe_load(textwrap.dedent(text))
        ready = {"type": "Ready", "status": "True", "reason": "Accepted"}
        since = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
        name = flow_resource_name(spec["namespace"], spec["id"])
        status = {
            "observedGeneration": 1,
            "revision": revision,
            "conditions": [ready | since],
        }
        body = {"metadata": {"name": name, "namespace": self.namespace, **metadata}}
        return self.server.put(FLOWS, {**body, "spec": spec, "status": status})

    def execution(self, name: str, status: Object | None = None, **metadata: Any) -> Object:
        """Let there be an Execution of `company.team.report`."""
        spec = {"flow": {"namespace": "company.team", "id": "report"}}
        body = {"metadata": {"name": name, "namespace": self.namespace, **metadata}, "spec": spec}
        return self.server.put(EXECUTIONS, {**body, "status": status or {}})

    def executions(self) -> list[Object]:
        return self.server.all(EXECUTIONS)

    def get(self, name: str) -> Object:
        found = self.server.get(EXECUTIONS, self.namespace, name)
        assert found is not None, f"there is no Execution {name}"
        return found

    def then(self, step: Callable[[Object], Object | None]) -> None:
        """Let the controller do this next: from the only Execution to its status, or to None where
        it is deleted."""

        def take() -> None:
            (body,) = self.executions()
            status = step(body)
            if status is None:
                self.server.remove(EXECUTIONS, self.namespace, body["metadata"]["name"])
            else:
                self.server.put(EXECUTIONS, {**body, "status": status})

        self._steps.append(take)

    def _take_a_step(self) -> None:
        if self._steps:
            self._steps.pop(0)()


@pytest.fixture
def played(connect_to: ConnectTo) -> PlayedCluster:
    """The cluster that commands find."""
    cluster = PlayedCluster()
    connect_to(cluster.server.api)
    return cluster


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "flow.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write
