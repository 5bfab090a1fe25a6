"""`penstock flow test`: what fixtures do, what assertions say, and how a report looks."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.cli.conftest import Call, Write

FLOW = """\
id: greet
namespace: company.team
inputs:
  - {id: name, type: STRING}
  - {id: data, type: FILE, required: false}
triggers: [{id: hourly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 * * * *"}]
tasks:
  - {id: slack, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: "https://example.com"}
  - {id: fetch, type: io.kestra.plugin.core.execution.Fail}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: inner, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}!"}
  - {id: greeting, type: io.kestra.plugin.core.debug.Return, format: "Hello {{ inputs.name }}"}
outputs:
  - {id: rows, type: INT, value: "{{ outputs.fetch.rows }}"}
"""
HEAD = """\
id: suite
namespace: company.team
flowId: greet
testCases:
  - id: only
    type: io.kestra.core.tests.flow.UnitTest
    fixtures:
      inputs: {name: Ada}
      tasks:
        - {id: slack, description: no message from tests}
        - {id: fetch, outputs: {rows: 3, nothing: null}}
"""


def suite(*assertions: str, head: str = HEAD) -> str:
    """A test with these assertions."""
    return head + "    assertions:\n" + "".join(f"      - {{{text}}}\n" for text in assertions)


def results(call: Call, write: Write, text: str, flow: str = FLOW) -> list[dict[str, Any]]:
    write(flow, "tests/greet.yaml")
    called = call("flow", "test", write(text, "tests/greet.test.yaml"), "-o", "json")
    found: list[dict[str, Any]] = json.loads(called.out)
    assert called.code == int(any(item["verdict"] in ("FAILED", "ERROR") for item in found))
    return found


def test_tasks_with_a_fixture_are_not_run(call: Call, write: Write) -> None:
    # when
    text = suite("value: '{{ execution.outputs.rows }}', equalTo: 3")
    (only,) = results(call, write, text)
    # then
    assert only["verdict"] == "PASSED", only
    assert only["execution"]["state"] == "SUCCESS"


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        ("{{ execution.state }}", "equalTo: SUCCESS"),
        ("{{ execution.state }}", "equalsTo: SUCCESS"),
        ("{{ execution.state }}", "notEqualTo: FAILED"),
        ("{{ execution.state }}", "in: [SUCCESS, WARNING]"),
        ("{{ execution.state }}", "notIn: [FAILED]"),
        ("{{ inputs.name }}", "startsWith: A, endsWith: da, contains: d"),
        ("{{ outputs.fetch.rows }}", "equalTo: 3"),
        ("{{ outputs.fetch.rows }}", "equalTo: '3'"),
        ("{{ outputs.fetch.rows }}", "greaterThan: 2, lessThan: 10"),
        ("{{ outputs.fetch.rows }}", "greaterThanOrEqualTo: 3, lessThanOrEqualTo: 3.0"),
        ("{{ outputs.fetch.nothing }}", "isNull: true"),
        ("{{ outputs.nobody.value }}", "isNull: true"),
        ("{{ outputs.greeting.value }}", "isNotNull: true"),
        ("{{ outputs.greeting.value }}", "equalTo: 'Hello {{ inputs.name }}'"),
        ("{{ outputs.inner }}", "contains: a"),
        ("{{ [1, 2] }}", "contains: 2"),
        ("{{ taskrun.value }}", "taskId: inner, equalTo: b"),
    ],
)
def test_an_assertion_that_is_true(call: Call, write: Write, value: str, condition: str) -> None:
    (only,) = results(call, write, suite(f'value: "{value}", {condition}'))

    assert only["verdict"] == "PASSED", only


@pytest.mark.parametrize(
    ("assertion", "told"),
    [
        ("value: '{{ outputs.fetch.rows }}', equalTo: 4", "expected equalTo `4`, but it is `3`"),
        ("value: '{{ outputs.fetch.rows }}', isNull: true", "expected isNull, but it is `3`"),
        ("value: '{{ inputs.name }}', greaterThan: 3", "`Ada` and `3` have no order"),
        ("value: '{{ outputs.nobody }}', equalTo: 1", "Unable to find `nobody`"),
        ("value: 1, taskId: nobody, equalTo: 1", "the task nobody did not run"),
        ("value: 1, equalTo: 2, errorMessage: too small", "too small: 1: expected equalTo `2`"),
        ("value: 1, equalTo: true", "expected equalTo `true`, but it is `1`"),
        ("value: 'a', notIn: [a]", 'expected notIn `["a"]`, but it is `a`'),
    ],
)
def test_an_assertion_that_is_not_true_says_where_and_why(
    call: Call, write: Write, assertion: str, told: str
) -> None:
    # given
    write(FLOW, "greet.yaml")
    # when
    called = call("flow", "test", write(suite(assertion), "greet.test.yaml"))
    # then
    assert called.code == 1
    assert called.out.startswith("FAILED  suite > only (")
    assert "  greet.test.yaml:13: " in called.out
    assert told in called.out
    assert called.out.endswith("1 failed\n")


def test_a_failed_execution_is_told_with_the_assertion(call: Call, write: Write) -> None:
    # given
    write(FLOW, "greet.yaml")
    head = HEAD.replace("        - {id: fetch, outputs: {rows: 3, nothing: null}}\n", "")
    text = suite("value: '{{ execution.state }}', equalTo: SUCCESS", head=head)
    # when
    called = call("flow", "test", write(text, "greet.test.yaml"))
    # then
    assert "the execution ended FAILED: task fetch: Task failure" in called.out


@pytest.mark.parametrize(
    ("fixture", "assertion"),
    [
        ("tasks: [{id: slack}, {id: fetch, state: WARNING, outputs: {rows: 1}}]",
         "value: '{{ execution.state }}', equalTo: WARNING"),
        ("tasks: [{id: slack}, {id: fetch, state: FAILED}]",
         "value: '{{ execution.state }}', equalTo: FAILED"),
        ("tasks: [{id: slack}, {id: fetch, outputs: {rows: 1}}, "
         "{id: inner, value: b, outputs: {value: fixed}}]",
         "value: '{{ outputs.inner.a.value }} {{ outputs.inner.b.value }}', equalTo: a! fixed"),
        ("tasks: [{id: slack}, {id: fetch, outputs: {rows: 1}}, {id: each}]",
         "value: '{{ outputs.inner }}', isNull: true"),
        ("files: {rows.txt: '5'}\n      "
         "tasks: [{id: slack}, {id: fetch, outputs: {rows: \"{{ read(files['rows.txt']) }}\"}}]",
         "value: '{{ execution.outputs.rows }}', equalTo: 5"),
        ("files: {rows.txt: '5'}\n      "
         "tasks: [{id: slack}, "
         "{id: fetch, outputs: {rows: 1, uri: \"{{ fileURI('rows.txt') }}\"}}]",
         "value: '{{ read(outputs.fetch.uri) }}', equalTo: 5"),
        ("trigger: {id: hourly, variables: {date: today}}\n      "
         "tasks: [{id: slack}, {id: fetch, outputs: {rows: 1}}]",
         "value: '{{ trigger.date }}', equalTo: today"),
    ],
)  # fmt: skip
def test_fixtures(call: Call, write: Write, fixture: str, assertion: str) -> None:
    # given
    head = HEAD[: HEAD.index("      tasks:")] + f"      {fixture}\n"
    # when
    (only,) = results(call, write, suite(assertion, head=head))
    # then
    assert only["verdict"] == "PASSED", only


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("id: slack,", "id: slak,"), "the flow has no task `slak`; did you mean `slack`?"),
        (("name: Ada", "nam: Ada"), "the flow has no input `nam`; did you mean `name`?"),
        (("flowId: greet", "flowId: great"), "there is no flow company.team.great"),
        (("{name: Ada}", "{}"), "`name`"),
        (
            ("tasks:\n", "tasks:\n        - {id: each}\n        - {id: inner}\n"),
            "`inner` stands in",
        ),
        (("rows: 3", "rows: '{{ files.nobody }}'"), "a fixture can't be rendered"),
    ],
)
def test_a_case_that_cannot_be_run_is_an_error(
    call: Call, write: Write, change: tuple[str, str], told: str
) -> None:
    (only,) = results(call, write, suite("value: 1, equalTo: 1", head=HEAD.replace(*change)))

    assert only["verdict"] == "ERROR"
    assert told in only["error"]


def test_a_flow_that_is_not_valid_is_an_error_with_its_line(call: Call, write: Write) -> None:
    flow = FLOW.replace("taskrun.value }}!", "taskrun.value }}!', fromat: '")
    (only,) = results(call, write, suite("value: 1, equalTo: 1"), flow.replace("format", "fromat"))

    assert only["verdict"] == "ERROR"
    assert "unknown property `fromat`" in only["error"]


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        (("flowId:", "flowID:"), 3, "unknown property `flowID`; did you mean `flowId`?"),
        (("fixtures:", "fixture:"), 7, "unknown property `fixture`; did you mean `fixtures`?"),
        (("equalTo: 1", "equalTwo: 1"), 12, "unknown property `equalTwo`"),
        ((", equalTo: 1", ""), 12, "an assertion needs one of `equalTo`"),
        (("flow.UnitTest", "flow.Unit"), 6, "is not one of"),
        (("value: 1", "value: '{{ a b }}'"), 12, "in the expression"),
    ],
)
def test_a_file_that_is_not_valid_is_refused_with_the_line(
    call: Call, write: Write, change: tuple[str, str], line: int, told: str
) -> None:
    # given
    write(FLOW, "greet.yaml")
    text = suite("value: 1, equalTo: 1").replace("      inputs: {name: Ada}\n", "")
    # when
    called = call("flow", "test", write(text.replace(*change), "greet.test.yaml"))
    # then
    assert called.code == 2
    assert f"greet.test.yaml:{line}: " in called.err
    assert told in called.err


def test_the_other_tests_run_beside_files_that_are_not_valid(call: Call, write: Write) -> None:
    # given
    good = suite("value: 1, equalTo: 1")
    write(FLOW, "tests/greet.yaml")
    write(good, "tests/a.test.yaml")
    write(good.replace("flowId", "flow"), "tests/b.test.yaml")
    write(f"{good}---\n{good.replace('value: 1', 'worth: 1')}", "tests/c.test.yaml")
    write(f"{good}\n  - [", "tests/d.test.yaml")
    write("values: {{ of.a.template }}", "tests/values.yaml")
    # when
    called = call("flow", "test", "tests", "--junit", "report.xml")
    told = json.loads(call("flow", "test", "tests", "-o", "json").out)
    # then
    assert called.code == 2
    assert called.out.count("PASSED") == 2
    assert called.out.endswith("2 passed, 3 error\n")
    for name, line in (("b", 1), ("c", 27), ("d", 16)):
        assert f"tests/{name}.test.yaml:{line}: " in called.err
        assert f"ERROR   tests/{name}.test.yaml is not valid\n" in called.out
    invalid = [item for item in told if item["verdict"] == "ERROR"]
    assert [(item["file"][6], item["line"]) for item in invalid] == [("b", 1), ("c", 27), ("d", 16)]
    assert "unknown property `worth`" in invalid[1]["error"]
    root = ElementTree.parse("report.xml").getroot()
    assert (root.get("tests"), root.get("errors")) == ("5", "3")
    cases = root.findall("testsuite/testcase")
    assert [case.get("line") for case in cases if case.find("error") is not None] == [
        "1",
        "27",
        "16",
    ]


def test_disabled_cases_are_skipped(call: Call, write: Write) -> None:
    head = HEAD.replace("  - id: only", "  - id: only\n    disabled: true")
    (only,) = results(call, write, suite("value: 1, equalTo: 2", head=head))

    assert only["verdict"] == "SKIPPED"


def test_folders_are_searched_for_tests_and_flows(call: Call, write: Write) -> None:
    # given
    write(FLOW, "team/flows/greet.yaml")
    write(suite("value: 1, equalTo: 1"), "team/tests/greet.yaml")
    # then
    assert call("flow", "test", "team").code == 0
    assert call("flow", "test", "team/tests").code == 1
    assert call("flow", "test", "team/tests", "--flow", "team/flows").code == 0
    assert call("flow", "test", "team/flows").code == 2


def test_junit_tells_every_case(call: Call, write: Write) -> None:
    # given
    write(FLOW, "greet.yaml")
    text = suite("value: 1, equalTo: 1", 'value: "\\u0001", equalTo: 2')
    # when
    call("flow", "test", write(text, "greet.test.yaml"), "--junit", "report.xml")
    # then
    root = ElementTree.parse("report.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("1", "1")
    case = root.find("testsuite/testcase")
    assert case is not None
    assert (case.get("name"), case.get("line")) == ("only", "5")
    assert "expected equalTo `2`" in (case.findtext("failure") or "")


def test_a_test_beside_a_flow_is_no_flow(call: Call, write: Write) -> None:
    # given
    write(FLOW.replace("slack.SlackIncomingWebhook, url", "core.log.Log, message"), "a/greet.yaml")
    write(suite("value: 1, equalTo: 1"), "a/greet.test.yaml")
    # then
    assert call("flow", "validate", "a").code == 0


def test_what_penstockignore_names_is_no_test(call: Call, write: Write) -> None:
    write(FLOW, "flows/greet.yaml")
    write(suite("value: 1, equalTo: 1"), "flows/good_test.yaml")
    write(suite("value: 1, equalTo: 2"), "flows/drafts/bad_test.yaml")

    assert call("flow", "test", "flows").code == 1
    write("drafts\n", "flows/.penstockignore")
    assert call("flow", "test", "flows").code == 0


def test_an_ignore_file_that_cannot_be_read_is_told(call: Call, write: Write) -> None:
    write(suite("value: 1, equalTo: 1"), "flows/good_test.yaml")
    write("!\n", "flows/.penstockignore")

    called = call("flow", "test", "flows")

    assert called.code == 2
    assert called.err.startswith("error: flows/.penstockignore: ")


@pytest.mark.parametrize("state", ["SUCCESS", "WARNING", "FAILED", "SKIPPED", "KILLED"])
def test_a_fixture_ends_its_task_in_any_of_its_states(call: Call, write: Write, state: str) -> None:
    head = HEAD.replace("{id: fetch, ", "{id: fetch, state: " + state + ", ")
    (only,) = results(
        call, write, suite("value: '{{ tasks.fetch.state }}', equalTo: " + state, head=head)
    )
    assert only["verdict"] == "PASSED", only
