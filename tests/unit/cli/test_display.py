"""The lines that `penstock run` prints while it runs, where there is no terminal."""

from __future__ import annotations

import re

from tests.unit.cli.conftest import Call, Write

CORE = "io.kestra.plugin.core"


def lines_of(out: str) -> list[str]:
    """The lines, without names that are made up and without times."""
    without = re.sub(r" \((?:\d+\.\ds)?(?:, )?(\d attempts)?\)", "", out)
    without = re.sub(r"after \d+\.\ds", "after a moment", without)
    return re.sub(r"\b([a-z]+)-[a-z0-9]{5}(?:-[0-9a-f]{10})?\b", r"\1-…", without).splitlines()


def test_what_a_subflow_says_stands_between_begin_and_end_of_its_task(
    call: Call, write: Write
) -> None:
    # given
    parent = f"""
id: parent
namespace: company.team
tasks:
  - {{id: before, type: {CORE}.log.Log, message: hello}}
  - {{id: sub, type: {CORE}.flow.Subflow, namespace: company.team, flowId: child}}
  - {{id: quick, type: {CORE}.flow.Subflow, namespace: company.team, flowId: instant}}
---
id: child
namespace: company.team
tasks:
  - {{id: inner, type: {CORE}.log.Log, message: from inside}}
---
id: instant
namespace: company.team
tasks:
  - {{id: set, type: {CORE}.execution.SetVariables, variables: {{a: 1}}}}
"""
    # when
    called = call("run", write(parent))
    # then
    assert lines_of(called.out) == [
        "execution parent-… of company.team.parent",
        "RUNNING  before",
        "before | hello",
        "SUCCESS  before",
        "RUNNING  sub",
        "child > execution parent-… of company.team.child, made by parent-…",
        "child > RUNNING  inner",
        "child > inner | from inside",
        "child > SUCCESS  inner",
        "child > SUCCESS after a moment",
        "SUCCESS  sub",
        "instant > execution parent-… of company.team.instant, made by parent-…",
        "instant > SUCCESS  set",
        "instant > SUCCESS after a moment",
        "SUCCESS  quick",
        "SUCCESS after a moment",
    ]


def test_a_retry_says_why_and_when(call: Call, write: Write) -> None:
    # given
    flow = """
id: again
namespace: company.team
tasks:
  - id: flaky
    type: io.kestra.plugin.scripts.shell.Commands
    retry: {type: constant, interval: PT0.1S, maxAttempts: 2}
    commands: [exit 4]
"""
    # when
    called = call("run", write(flow))
    # then
    assert lines_of(called.out)[1:] == [
        "RUNNING  flaky",
        "RETRYING task flaky failed (exit code 4), attempt 2 of 2 in 0.1s",
        "RUNNING  flaky",
        "FAILED   flaky: exit code 4",
        "FAILED after a moment: task flaky: exit code 4",
    ]


def test_a_retry_as_a_new_execution_has_a_name_of_its_own(call: Call, write: Write) -> None:
    # given
    flow = f"""
id: again
namespace: company.team
retry: {{type: constant, interval: PT0.1S, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}}
tasks: [{{id: boom, type: {CORE}.execution.Fail, errorMessage: no luck}}]
"""
    # when
    lines = lines_of(call("run", write(flow)).out)
    # then
    assert "RETRIED  boom: no luck" in lines
    assert "again#2 > execution again-… of company.team.again, made by again-…" in lines


def test_what_is_refused_before_it_starts_is_not_told_to_run(call: Call, write: Write) -> None:
    # given
    flow = f"""
id: refused
namespace: company.team
tasks:
  - id: wrong
    type: {CORE}.flow.Sleep
    duration: "{{{{ 'soon' }}}}"
    allowFailure: true
  - id: missing
    type: io.kestra.plugin.scripts.shell.Commands
    interpreter: [no-such-shell, -c]
    commands: [echo hello]
    allowFailure: true
  - id: file
    type: io.kestra.plugin.scripts.shell.Commands
    inputFiles: {{data: "kestra:///company/other/executions/x/data"}}
    commands: [cat data]
    allowFailure: true
  - {{id: skipped, type: {CORE}.log.Log, message: hello, runIf: false}}
  - {{id: nobody, type: {CORE}.flow.Subflow, namespace: company.team, flowId: nowhere}}
"""
    # when
    called = call("run", write(flow))
    # then
    assert "RUNNING" not in called.out
    assert "nowhere > FAILED before it began: Unable to find flow" in called.out
    assert "execution refused-" in called.out
    assert "of company.team.nowhere, made by" not in called.out


def test_an_execution_that_is_refused_is_not_announced(call: Call, write: Write) -> None:
    flow = f"""
id: asking
namespace: company.team
inputs: [{{id: count, type: INT}}]
tasks: [{{id: hello, type: {CORE}.log.Log, message: hello}}]
"""
    called = call("run", write(flow))

    assert (called.code, called.out) == (2, "")
    assert "`count`" in called.err
