"""What users get wrong is said where they look."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import Scenario


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ("[{id: a, type: io.kestra.plugin.core.log.Logs, message: x}]", ["tasks[0].type", "Log"]),
        ("[{id: a, type: io.kestra.plugin.core.log.Log}]", ["tasks[0].message"]),
        ("[{id: a, type: io.kestra.plugin.core.log.Log, mesage: x}]", ["mesage", "message"]),
        (
            "[{id: a, type: io.kestra.plugin.core.log.Log, message: x},"
            " {id: a, type: io.kestra.plugin.core.log.Log, message: y}]",
            ["tasks[1].id", "Duplicate"],
        ),
    ],
)
def test_an_invalid_flow_is_refused_with_the_place(
    scenario: Scenario, tasks: str, words: list[str]
) -> None:
    flow = scenario.flow_as_it_is(f"{{id: bad, namespace: company.team, tasks: {tasks}}}")

    message = flow.is_refused()

    assert all(word in message for word in words), message


def test_an_execution_of_an_invalid_flow_fails_without_a_job(scenario: Scenario) -> None:
    flow = scenario.flow_as_it_is(
        "{id: bad, namespace: company.team, tasks: [{id: a, type: io.kestra.plugin.core.no.Such}]}"
    )

    execution = scenario.execution(flow).ends("FAILED")

    succeeded = execution.condition("Succeeded")
    assert succeeded is not None and succeeded["reason"] == "FlowInvalid"
    assert execution.jobs() == []


def test_an_execution_of_a_missing_flow_fails_without_a_job(scenario: Scenario) -> None:
    execution = scenario.execution("nowhere").ends("FAILED")

    succeeded = execution.condition("Succeeded")
    assert succeeded is not None and succeeded["reason"] == "FlowNotFound"
    assert "nowhere" in execution.status["message"]


def test_an_execution_with_bad_inputs_names_each(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: typed
        namespace: company.team
        inputs:
          - {id: count, type: INT}
          - {id: who, type: STRING}
        tasks:
          - {id: a, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.count }}"}
    """)

    execution = scenario.execution(flow, {"count": "many"}).ends("FAILED")

    succeeded = execution.condition("Succeeded")
    assert succeeded is not None and succeeded["reason"] == "InvalidInputs"
    assert "`count`" in execution.status["message"]
    assert "`who`, missing required input" in execution.status["message"]
    assert execution.jobs() == []
