"""Results of tests as JUnit XML, which every CI reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from penstock.local.flowtests.files import TestFile
from penstock.local.flowtests.results import CaseResult, Verdict


def junit_xml(results: Sequence[CaseResult], invalid: Sequence[TestFile] = ()) -> str:
    """One suite for each test, one case for each of its cases; one for each invalid file."""
    root = ElementTree.Element("testsuites", _counts(results, len(invalid)))
    for _, of_test in groupby(results, key=lambda result: id(result.found)):
        cases = list(of_test)
        test = cases[0].found.test
        suite = ElementTree.SubElement(root, "testsuite", {"name": test.id} | _counts(cases))
        for case in cases:
            suite.append(_case(case))
    root.extend(map(_invalid, invalid))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _counts(results: Sequence[CaseResult], invalid: int = 0) -> dict[str, str]:
    def count(verdict: Verdict) -> str:
        return str(sum(result.verdict is verdict for result in results))

    return {
        "tests": str(len(results) + invalid),
        "failures": count(Verdict.FAILED),
        "errors": str(sum(result.verdict is Verdict.ERROR for result in results) + invalid),
        "skipped": count(Verdict.SKIPPED),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _invalid(file: TestFile) -> ElementTree.Element:
    """A file of which nothing, or not all, could be run."""
    name, line = str(file.path), str(file.problems[0].line or 1)
    suite = ElementTree.Element("testsuite", {"name": name} | _counts([], 1))
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {"classname": name, "name": "is valid", "file": name, "line": line, "time": "0.000"},
    )
    lines = [_clean(f"{name}:{problem.line or 1}: {problem}") for problem in file.problems]
    error = ElementTree.SubElement(case, "error", {"message": lines[0]})
    error.text = "\n".join(lines)
    return suite


def _case(result: CaseResult) -> ElementTree.Element:
    test = result.found.test
    element = ElementTree.Element(
        "testcase",
        {
            "classname": f"{test.namespace}.{test.flow_id}.{test.id}",
            "name": result.case.id,
            "file": result.found.file,
            "line": str(result.line),
            "time": f"{result.seconds:.3f}",
        },
    )
    if result.verdict is Verdict.SKIPPED:
        ElementTree.SubElement(element, "skipped")
    if result.error is not None:
        ElementTree.SubElement(element, "error", {"message": _clean(result.error)})
    lines = list(result.failures())
    if lines:
        failed = ElementTree.SubElement(element, "failure", {"message": _clean(lines[0])})
        failed.text = _clean("\n".join(lines))
    return element


def _clean(text: str) -> str:
    """The text without characters that XML has no way to write."""
    return "".join(character for character in text if _is_in_xml(character))


def _is_in_xml(character: str) -> bool:
    return character in "\t\n" or (character >= " " and not "\ud800" <= character <= "\udfff")
