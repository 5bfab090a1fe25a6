"""Reads a file of a commit: the flows that it holds, and what is wrong with the rest.

No I/O: a file in, flows and problems out. A worker process may do it: what comes out is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.controller.gitsources.commit_files import SourceFile
from penstock.flow.loading import SourceDocument, load_documents
from penstock.flow.parse import FlowParser
from penstock.flow.problems import InvalidFlow, Problem, bounded, problems_text
from penstock.kubernetes.api.client import Object
from penstock.resources import API_VERSION
from penstock.resources.flow import (
    BLOB_ANNOTATION,
    COMMIT_ANNOTATION,
    PATH_ANNOTATION,
    PROBLEMS_ANNOTATION,
    SOURCE_LABEL,
    flow_resource_name,
)
from penstock.resources.manifests import flow_in, name_in
from penstock.resources.names import is_subdomain

MOST_PROBLEMS = 20
"""The most problems of one flow that are told, and of one file that is none."""
_ANNOTATED = 4_000
"""Characters of an annotation that tells of problems."""
LONGEST_PROBLEM = 1_000


@dataclass(frozen=True)
class WantedFlow:
    """One flow of a file."""

    name: str
    """The name of the Flow resource."""
    path: str
    blob: str
    spec: Mapping[str, Any]
    problems: tuple[Problem, ...]
    """Why it is not valid; empty for a good one."""

    @property
    def told(self) -> str:
        """The problems as `file:line: message`, bounded for an annotation or a condition."""
        return problems_text(self.problems, _ANNOTATED, lambda item: located(self.path, item))

    def to_object(self, namespace: str, source: str, commit: str) -> Object:
        """The Flow to apply."""
        annotations = {
            BLOB_ANNOTATION: self.blob,
            COMMIT_ANNOTATION: commit,
            PATH_ANNOTATION: self.path,
        }
        if self.problems:
            annotations[PROBLEMS_ANNOTATION] = self.told
        return {
            "apiVersion": API_VERSION,
            "kind": "Flow",
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "labels": {SOURCE_LABEL: source},
                "annotations": annotations,
            },
            "spec": dict(self.spec),
        }


@dataclass(frozen=True)
class FileReading:
    """What a file holds."""

    path: str
    flows: tuple[WantedFlow, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why it can't be read, or a document of it is no flow. Then the Flows that came from the file
    before stay."""


def located(path: str, problem: Problem) -> str:
    """A problem of a file as `file:line: message`."""
    line = f":{problem.line}" if problem.line is not None else ""
    return f"{path}{line}: {str(problem)[:LONGEST_PROBLEM]}"


def read_file(file: SourceFile, parser: FlowParser) -> FileReading:
    """Read and check the flows of a file."""
    try:
        documents = load_documents(file.content)
    except InvalidFlow as error:
        return FileReading(file.path, problems=tuple(bounded(error.problems, MOST_PROBLEMS)))
    flows: list[WantedFlow] = []
    problems: list[Problem] = []
    for document in documents:
        found = _read(file, document, parser)
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            flows.append(found)
    return FileReading(file.path, tuple(flows), tuple(bounded(problems, MOST_PROBLEMS)))


def _read(
    file: SourceFile, document: SourceDocument, parser: FlowParser
) -> WantedFlow | Problem | None:
    """One document: a flow, a problem, or None for somebody else's manifest."""
    value = document.value
    if not isinstance(value, dict):
        return Problem((), "a flow is a map with `id` and `tasks`", line=1)
    name = name_in(document)
    name_line = document.line_of(("metadata", "name"))
    found = flow_in(document)
    if found is None:
        return None
    if name is not None and not is_subdomain(name):
        message = (
            f"`{name[:100]}` can't be the name of a Flow: lower-case letters, digits, `-` and `.`, "
            "as of a host's name"
        )
        return Problem(("metadata", "name"), message, line=name_line)
    document, value = found, found.value
    namespace, flow_id = value.get("namespace"), value.get("id")
    if not (isinstance(namespace, str) and namespace and isinstance(flow_id, str) and flow_id):
        message = "not a flow: it needs `id` and `namespace` as text at its top"
        return Problem((), message, line=1)
    problems: list[Problem] = []
    try:
        parser.parse(document)
    except InvalidFlow as error:
        problems = bounded(error.problems, MOST_PROBLEMS)
    spec = {key: item for key, item in value.items() if key != "extend"}
    wanted_name = flow_resource_name(namespace, flow_id) if name is None else name
    return WantedFlow(wanted_name, file.path, file.blob, spec, tuple(problems))
