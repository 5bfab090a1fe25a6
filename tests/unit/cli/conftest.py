"""Calls the command line as a person would."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import main


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
