"""From the files of a commit to the Flows that are wanted, and to what is wrong with the rest.

Pure: files in, verdicts out. One file never stops another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.flow.loading import SourceDocument, load_documents
from penstock.flow.parse import FlowParser
from penstock.flow.problems import InvalidFlow, Problem
from penstock.git import SourceFile
from penstock.kubernetes.api.client import Object
from penstock.resources import API_VERSION
from penstock.resources.flow import (
    COMMIT_ANNOTATION,
    PATH_ANNOTATION,
    PROBLEMS_ANNOTATION,
    SOURCE_LABEL,
    flow_resource_name,
)
from penstock.resources.gitsource import FileProblem
from penstock.resources.manifests import flow_in


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
        annotations = {COMMIT_ANNOTATION: commit, PATH_ANNOTATION: self.path}
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


@dataclass(frozen=True)
class Verdicts:
    """What the files of a commit come to."""

    flows: tuple[WantedFlow, ...]
    problems: tuple[FileProblem, ...]
    """Files that hold no flow at all, or one that another file holds already."""
    unreadable: frozenset[str]
    """Paths of files that don't parse: the Flows that came from them stay."""


def judge(files: Iterable[SourceFile], parser: FlowParser) -> Verdicts:
    """Read every file that has content."""
    flows: dict[str, WantedFlow] = {}
    problems: list[FileProblem] = []
    unreadable: set[str] = set()
    for file in files:
        if file.content is None:
            continue
        try:
            documents = load_documents(file.content)
        except InvalidFlow as error:
            problems += [_file_problem(file.path, problem) for problem in error.problems]
            unreadable.add(file.path)
            continue
        for document in documents:
            found = _read(file, document, parser)
            if isinstance(found, FileProblem):
                problems.append(found)
                unreadable.add(file.path)
            elif found is not None and found.name in flows:
                other = flows[found.name].path
                message = f"the flow stands in {other} already"
                problems.append(FileProblem(path=file.path, line=1, message=message))
            elif found is not None:
                flows[found.name] = found
    return Verdicts(tuple(flows.values()), tuple(problems), frozenset(unreadable))


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
    name = (value.get("metadata") or {}).get("name") if "apiVersion" in value else None
    found = flow_in(document)
    if found is None:
        return None
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
    wanted_name = name if isinstance(name, str) else flow_resource_name(namespace, flow_id)
    return WantedFlow(wanted_name, file.path, file.blob, spec, problems)


def _file_problem(path: str, problem: Problem) -> FileProblem:
    return FileProblem(path=path, line=problem.line, message=str(problem)[:1_000])
