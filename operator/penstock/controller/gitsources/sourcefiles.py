"""From the files of a commit to the Flows that are wanted, and to what is wrong with the rest.

No I/O: files in, flows and problems out. One file never stops another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.controller.gitsources.commit_files import SourceFile
from penstock.flow.loading import SourceDocument, load_documents
from penstock.flow.parse import FlowParser
from penstock.flow.problems import InvalidFlow, Problem
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
from penstock.resources.gitsource import FileProblem
from penstock.resources.manifests import flow_in, name_in
from penstock.resources.names import is_subdomain


@dataclass(frozen=True)
class WantedFlow:
    """One flow of a file."""

    name: str
    """The name of the Flow resource."""
    path: str
    blob: str
    spec: Mapping[str, Any]
    problems: tuple[FileProblem, ...]
    """Why it is not valid; empty for a good one."""

    def to_object(self, namespace: str, source: str, commit: str) -> Object:
        """The Flow to apply."""
        annotations = {
            BLOB_ANNOTATION: self.blob,
            COMMIT_ANNOTATION: commit,
            PATH_ANNOTATION: self.path,
        }
        if self.problems:
            annotations[PROBLEMS_ANNOTATION] = problems_text(self.problems)
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


class Judge:
    """Reads the files of a commit, one after the other, and remembers what was wrong with them."""

    def __init__(self, parser: FlowParser) -> None:
        self._parser = parser
        self._paths: dict[str, str] = {}
        """Of the flows that were found, by the name of the Flow."""
        self.problems: list[FileProblem] = []
        """Files that hold no flow at all, or one that another file holds already."""
        self.unreadable: set[str] = set()
        """Paths of files that don't parse: the Flows that came from them stay."""

    def flows_of(self, file: SourceFile) -> list[WantedFlow]:
        """The flows of a file, which no file before it had."""
        try:
            documents = load_documents(file.content)
        except InvalidFlow as error:
            self.problems += [_file_problem(file.path, problem) for problem in error.problems]
            self.unreadable.add(file.path)
            return []
        flows: list[WantedFlow] = []
        for document in documents:
            found = _read(file, document, self._parser)
            if isinstance(found, FileProblem):
                self.problems.append(found)
                self.unreadable.add(file.path)
            elif found is not None and found.name in self._paths:
                message = f"the flow stands in {self._paths[found.name]} already"
                self.problems.append(FileProblem(path=file.path, line=1, message=message))
            elif found is not None:
                self._paths[found.name] = found.path
                flows.append(found)
        return flows


def problems_text(problems: Iterable[FileProblem]) -> str:
    """Problems as lines of `file:line: message`, bounded for an annotation or a condition."""
    return "; ".join(format_problem(problem) for problem in problems)[:4_000]


def format_problem(problem: FileProblem) -> str:
    line = f":{problem.line}" if problem.line is not None else ""
    return f"{problem.path}{line}: {problem.message}"


def _read(
    file: SourceFile, document: SourceDocument, parser: FlowParser
) -> WantedFlow | FileProblem | None:
    """One document: a flow, a problem, or None for somebody else's manifest."""
    value = document.value
    if not isinstance(value, dict):
        return FileProblem(path=file.path, line=1, message="a flow is a map with `id` and `tasks`")
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
        return FileProblem(path=file.path, line=name_line, message=f"metadata.name: {message}")
    document, value = found, found.value
    namespace, flow_id = value.get("namespace"), value.get("id")
    if not (isinstance(namespace, str) and namespace and isinstance(flow_id, str) and flow_id):
        message = "not a flow: it needs `id` and `namespace` as text at its top"
        return FileProblem(path=file.path, line=1, message=message)
    problems: tuple[FileProblem, ...] = ()
    try:
        parser.parse(document)
    except InvalidFlow as error:
        problems = tuple(_file_problem(file.path, problem) for problem in error.problems)
    spec = {key: item for key, item in value.items() if key != "extend"}
    wanted_name = flow_resource_name(namespace, flow_id) if name is None else name
    return WantedFlow(wanted_name, file.path, file.blob, spec, problems)


def _file_problem(path: str, problem: Problem) -> FileProblem:
    return FileProblem(path=path, line=problem.line, message=str(problem)[:1_000])
