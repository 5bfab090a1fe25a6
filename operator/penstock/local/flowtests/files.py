"""How test files are found and read, and the flows that lie beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from penstock.expressions import ExpressionError, Expressions
from penstock.flow.loading import SourceDocument, load_documents
from penstock.flow.model import did_you_mean
from penstock.flow.parse import FlowParser
from penstock.flow.problems import InvalidFlow, Location, Problem
from penstock.flow.validation import from_validation
from penstock.local.files import FoundFlow, find_files, read_flow_file
from penstock.local.flowtests.model import FlowTest
from penstock.resources.manifests import is_flow_test

_TEST_CASES = re.compile(rb"(?m)^testCases *:")

FlowName = tuple[str, str]
"""Namespace and id."""


@dataclass(frozen=True)
class FoundTest:
    """One test of a file."""

    file: str
    """The file's name as the person gave it."""
    document: SourceDocument
    test: FlowTest

    def line(self, *at: str | int) -> int:
        """The line of a part of the test."""
        return self.document.line_of(at) or 1


@dataclass
class TestFile:
    """A file, its tests, and what is wrong with it."""

    path: Path
    tests: list[FoundTest] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """The problems of the file and of the tests in it that are not among ``tests``."""


def find_test_files(path: Path, expressions: Expressions) -> Iterator[TestFile]:
    """Yield the test files below a folder, or the file that is named. A folder may hold any other
    YAML."""
    for file in find_files([path]):
        found = read_test_file(file, expressions, among_others=path.is_dir())
        if found.tests or found.problems:
            yield found


def read_test_file(path: Path, expressions: Expressions, *, among_others: bool = False) -> TestFile:
    """Read and check every test in a file; flows in it are skipped.

    With ``among_others`` a file that is no YAML, such as a template, is skipped too if it has no
    test.
    """
    found = TestFile(path)
    try:
        content = path.read_bytes()
        documents = load_documents(content)
    except InvalidFlow as error:
        if not among_others or _TEST_CASES.search(content):
            found.problems += error.problems
        return found
    except OSError as error:
        found.problems.append(Problem((), f"can't be read: {error.strerror}", "unreadable"))
        return found
    for document in documents:
        if is_flow_test(document.value):
            _read_test(found, document, expressions)
    return found


def _read_test(found: TestFile, document: SourceDocument, expressions: Expressions) -> None:
    problems: list[Problem] = []
    test = None
    try:
        test = FlowTest.model_validate(document.value, context={})
    except ValidationError as error:
        problems += from_validation(error, document.value)
    problems += _expression_problems(document.value, (), expressions)
    if test is not None and not problems:
        found.tests.append(FoundTest(str(found.path), document, test))
    found.problems += sorted(
        (problem.at_line(document.line_of(problem.location)) for problem in problems),
        key=lambda problem: problem.line or 0,
    )


def _expression_problems(value: Any, at: Location, expressions: Expressions) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ("description", "errorMessage", "files"):
                yield from _expression_problems(item, (*at, key), expressions)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _expression_problems(item, (*at, index), expressions)
    elif isinstance(value, str) and "{" in value:
        try:
            expressions.check(value)
        except ExpressionError as error:
            yield Problem(at, str(error), "expression")


class FlowShelf:
    """The flows that tests may name: those beside a test, then those of further folders."""

    def __init__(self, further: Iterable[Path], parser: FlowParser) -> None:
        self._parser = parser
        self._further = list(find_files(further))
        self._read: dict[Path, tuple[FoundFlow, ...]] = {}

    def beside(self, test: Path) -> dict[FlowName, FoundFlow]:
        """All flows that the tests of a file see, valid or not."""
        files = [*sorted(test.parent.glob("*.y*ml")), *self._further]
        found: dict[FlowName, FoundFlow] = {}
        for file in files:
            for flow in self._flows(file):
                value = flow.document.value
                if isinstance(value, dict):
                    name = (str(value.get("namespace")), str(value.get("id")))
                    found.setdefault(name, flow)
        return found

    def _flows(self, file: Path) -> tuple[FoundFlow, ...]:
        key = file.resolve()
        if key not in self._read:
            self._read[key] = read_flow_file(file, self._parser).flows
        return self._read[key]


def no_such_flow(test: FlowTest, known: Iterable[FlowName]) -> str:
    """The message for a test whose flow does not exist."""
    names = [f"{namespace}.{flow_id}" for namespace, flow_id in known]
    wanted = f"{test.namespace}.{test.flow_id}"
    hint = (
        did_you_mean(wanted, names) or "; it is looked for beside the test: name others by --flow"
    )
    return f"there is no flow {wanted}{hint}"
