"""A task that ran before with the same properties is not run again."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster

FLOW = """
id: cached
namespace: company.team
inputs: [{id: who, type: STRING}]
tasks:
  - id: dear
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: penstock.local/busybox:1
    taskCache: {enabled: true, ttl: PT1H}
    env: {WHO: "{{ inputs.who }}"}
    outputFiles: [made.txt]
    commands:
      - cat /proc/sys/kernel/random/uuid > made.txt
      - echo "::{\\"outputs\\":{\\"at\\":\\"$(cat made.txt)\\"}}::"
  - id: use
    type: io.kestra.plugin.core.storage.Size
    uri: "{{ outputs.dear.outputFiles['made.txt'] }}"
"""


def test_outputs_and_files_are_those_of_the_earlier_run(scenario: Scenario) -> None:
    flow = scenario.flow(FLOW).is_ready()
    first = scenario.execution(flow, {"who": "x"}).ends("SUCCESS")
    again = scenario.execution(flow, {"who": "x"}).ends("SUCCESS")
    other = scenario.execution(flow, {"who": "y"}).ends("SUCCESS")

    made = [run.outputs("dear")["vars"]["at"] for run in (first, again, other)]
    assert made[0] == made[1] != made[2]
    files = [run.outputs("dear")["outputFiles"]["made.txt"] for run in (first, again)]
    assert files[0] != files[1]
    assert again.outputs("use") == {"size": 37}
    assert [len(run.pods()) for run in (first, again, other)] == [2, 1, 2]
