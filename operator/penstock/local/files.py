"""Flow files as they lie in a checkout: plain Kestra flows and Flow manifests side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.flow.document import Flow
from penstock.flow.loading import MAX_BYTES, SourceDocument, load_documents
from penstock.flow.parse import FlowParser
from penstock.flow.plugin_defaults import apply_plugin_defaults
from penstock.flow.problems import InvalidFlow, Location, Problem
from penstock.resources.manifests import flow_in

SUFFIXES = frozenset({".yaml", ".yml"})


@dataclass(frozen=True)
class FoundFlow:
    """One flow of a file, valid or not."""

    document: SourceDocument
    """The flow as it was written, without the envelope of a manifest."""
    flow: Flow | None
    """The flow; None where it is not valid."""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def value_at(self, location: Location) -> Any:
        """What stands at a place once plugin defaults are applied; None where nothing does."""
        value: Any = self.document.value
        if isinstance(value, dict):
            value = apply_plugin_defaults(value)
        for part in location:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return None
        return value


@dataclass(frozen=True)
class FlowFile:
    """Everything that was found in one file."""

    name: str
    """The file's name as the person gave it."""
    flows: tuple[FoundFlow, ...]
    own_problems: tuple[Problem, ...] = ()
    """What is wrong with the file as a whole."""

    @property
    def problems(self) -> list[Problem]:
        return [*self.own_problems, *(item for flow in self.flows for item in flow.problems)]

    @property
    def warnings(self) -> list[Problem]:
        return [item for flow in self.flows for item in flow.warnings]


def find_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as they are named; of folders, every YAML file below them that is not hidden."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.suffix.lower() in SUFFIXES and file.is_file() and not hidden:
                yield file


def read_flow_file(path: Path, parser: FlowParser) -> FlowFile:
    """Read and check every flow in a file. Manifests of other kinds are passed over."""
    name = str(path)
    try:
        with path.open("rb") as file:  # one byte more than may be, so that what is huge is refused
            documents = load_documents(file.read(MAX_BYTES + 1))
    except InvalidFlow as error:
        return FlowFile(name, (), error.problems)
    except OSError as error:
        return FlowFile(name, (), (Problem((), f"can't be read: {error.strerror}", "unreadable"),))
    if not documents:
        return FlowFile(name, (), (Problem((), "the file is empty", "empty", 1),))
    flows = [_check(document, parser) for document in map(flow_in, documents) if document]
    return FlowFile(name, tuple(flows))


def _check(document: SourceDocument, parser: FlowParser) -> FoundFlow:
    try:
        parsed = parser.parse(document)
    except InvalidFlow as error:
        return FoundFlow(document, None, error.problems, error.warnings)
    return FoundFlow(document, parsed.flow, (), parsed.warnings)
