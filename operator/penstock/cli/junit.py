"""Results of tests as JUnit XML, which every CI reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from penstock.local.flowtests.results import CaseResult, Verdict


def junit_xml(results: Sequence[CaseResult]) -> str:
    """One suite for each test, one case for each of its cases."""
    root = ElementTree.Element("testsuites", _counts(results))
    for _, of_test in groupby(results, key=lambda result: id(result.found)):
        cases = list(of_test)
        test = cases[0].found.test
        suite = ElementTree.SubElement(root, "testsuite", {"name": test.id} | _counts(cases))
        for case in cases:
            suite.append(_case(case))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _counts(results: Sequence[CaseResult]) -> dict[str, str]:
    def count(verdict: Verdict) -> str:
        return str(sum(result.verdict is verdict for result in results))

    return {
        "tests": str(len(results)),
        "failures": count(Verdict.FAILED),
        "errors": count(Verdict.ERROR),
        "skipped": count(Verdict.SKIPPED),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


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
    """Without characters that XML has no way to write."""
    return "".join(character for character in text if _is_in_xml(character))


def _is_in_xml(character: str) -> bool:
    return character in "\t\n" or (character >= " " and not "\ud800" <= character <= "\udfff")
