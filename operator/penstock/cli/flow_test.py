"""`penstock flow test`: unit tests of flows, for people, for CI and for editors."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from penstock.catalog import expressions
from penstock.cli.arguments import duration
from penstock.cli.errors import FAILED, INVALID, OK, UserError
from penstock.cli.flow_files import load_plugins, parser_of
from penstock.cli.junit import junit_xml
from penstock.cli.problems import error_line
from penstock.local.files import find_files
from penstock.local.flowtests.files import FlowShelf, FoundTest, TestFile, read_test_file
from penstock.local.flowtests.fixtures import with_fixture_type
from penstock.local.flowtests.results import CaseResult, Verdict
from penstock.local.flowtests.running import Runner

_COLORS = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red",
    Verdict.ERROR: "red",
    Verdict.SKIPPED: "yellow",
}


def test_flows(
    paths: Sequence[Path],
    flows: Sequence[Path],
    plugins: Sequence[str],
    *,
    timeout: str,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Run all tests, show what came of them, and return the exit code."""
    limit = duration("--timeout", timeout)
    assert limit is not None
    loaded = load_plugins(plugins)
    parser = parser_of(with_fixture_type(loaded.types))
    tests = _read(paths)
    folders = [path for path in paths if path.is_dir()]
    shelf = FlowShelf([*flows, *folders], parser)
    gc.enable()
    gc.freeze()
    runner = Runner(parser, loaded, limit)
    seen = [(found, shelf.beside(Path(found.file))) for found in tests]
    results = asyncio.run(runner.run(seen))
    if junit is not None:
        _write(junit, junit_xml(results))
    if as_json:
        click.echo(json.dumps([_as_json(result) for result in results], indent=2, default=str))
    else:
        _print(results)
    well = all(result.verdict in (Verdict.PASSED, Verdict.SKIPPED) for result in results)
    return OK if well else FAILED


def _read(paths: Iterable[Path]) -> list[FoundTest]:
    """All tests, every file valid."""
    files: list[TestFile] = []
    for path in paths:
        found = [read_test_file(file, expressions()) for file in find_files([path])]
        if not any(file.tests or file.problems for file in found):
            raise UserError(f"{path} holds no test: a test has `flowId` and `testCases`", INVALID)
        files += found
    errors = [error_line(str(file.path), problem) for file in files for problem in file.problems]
    for line in errors:
        click.echo(line, err=True)
    if errors:
        raise click.exceptions.Exit(INVALID)
    return [test for file in files for test in file.tests]


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"--junit {file}: {error.strerror}") from error


def _print(results: Sequence[CaseResult]) -> None:
    for result in results:
        name = f"{result.found.test.id} > {result.case.id}"
        verdict = click.style(f"{result.verdict:<7}", fg=_COLORS[result.verdict])
        click.echo(f"{verdict} {name} ({result.seconds:.2f}s)")
        for line in _details(result):
            click.echo(f"  {line}")
    counts = {verdict: sum(item.verdict is verdict for item in results) for verdict in Verdict}
    words = [f"{count} {verdict.lower()}" for verdict, count in counts.items() if count]
    click.echo(", ".join(words))


def _details(result: CaseResult) -> Iterable[str]:
    """What is to be said of a case that did not pass."""
    if result.error is not None:
        yield f"{result.found.file}:{result.line}: {result.error}"
    yield from result.failures()
    status = result.status
    if result.verdict is Verdict.FAILED and status is not None and status.message:
        yield f"the execution ended {status.state}: {status.message}"


def _as_json(result: CaseResult) -> dict[str, Any]:
    test, status = result.found.test, result.status
    return {
        "file": result.found.file,
        "line": result.line,
        "test": test.id,
        "case": result.case.id,
        "namespace": test.namespace,
        "flowId": test.flow_id,
        "verdict": str(result.verdict),
        "seconds": round(result.seconds, 3),
        "error": result.error,
        "execution": None
        if status is None
        else {
            "name": result.execution,
            "state": str(status.state),
            "message": status.message,
        },
        "assertions": [
            {
                "line": looked.line,
                "value": looked.assertion.value,
                "operator": outcome.operator,
                "expected": outcome.expected,
                "actual": outcome.actual,
                "passed": outcome.passed,
                "error": outcome.error,
                "description": looked.assertion.description,
            }
            for looked in result.looked
            for outcome in looked.outcomes
        ],
    }
