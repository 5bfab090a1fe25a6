"""What others leave in the way stops nothing.

That what users get wrong is said where they look is tested in `e2e/apiserver`.
"""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import SHELL_IMAGE, Scenario

pytestmark = pytest.mark.cluster

GOOD = """
    id: good
    namespace: company.team
    tasks:
      - {id: a, type: io.kestra.plugin.core.debug.Return, format: fine}
"""


def test_a_job_of_somebody_else_with_the_same_name_is_never_taken(scenario: Scenario) -> None:
    flow = scenario.flow(GOOD)
    done = scenario.execution(flow, name="original").ends("SUCCESS")
    job = done.jobs()[0]
    labels = {
        name: value
        for name, value in job["metadata"]["labels"].items()
        if name.startswith("penstock.dev/")
    }
    labels["penstock.dev/attempt"] = "not-a-number"
    foreign = {
        "metadata": {"name": "foreign", "labels": labels},
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "x", "image": SHELL_IMAGE}],
                }
            }
        },
    }
    scenario.kubernetes.batch.create_namespaced_job(scenario.namespace, foreign)

    other = scenario.execution(flow).ends("SUCCESS")

    assert other.outputs("a") == {"value": "fine"}


def test_hostile_metadata_stops_nothing(scenario: Scenario) -> None:
    flow = scenario.flow(GOOD)
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Execution",
        "metadata": {
            "name": "hostile",
            "labels": {"penstock.dev/execution-uid": "x", "penstock.dev/attempt": "minus-one"},
            "annotations": {
                "penstock.dev/execution-name": "../../etc",
                "penstock.dev/requestedAt": "\u0000".encode("unicode_escape").decode(),
            },
        },
        "spec": {"flow": {"name": flow.name}, "labels": {"a" * 300: "b" * 300}},
    }
    scenario.kubernetes.create("executions", scenario.namespace, body)

    good = scenario.execution(flow).ends("SUCCESS")

    assert good.outputs("a") == {"value": "fine"}
    jobs = scenario.kubernetes.jobs(scenario.namespace)
    assert not any("a" * 300 in job["metadata"].get("labels", {}) for job in jobs)


def test_a_revision_of_somebody_else_is_passed_over(scenario: Scenario) -> None:
    foreign = {"metadata": {"name": "company.team.good-1"}, "revision": 1, "data": {"spec": {}}}
    scenario.kubernetes.apps.create_namespaced_controller_revision(scenario.namespace, foreign)

    flow = scenario.flow(GOOD).is_ready(revision=2)

    assert scenario.execution(flow).ends("SUCCESS").outputs("a") == {"value": "fine"}
    asked_for = scenario.execution(flow, revision=1).ends("FAILED")
    succeeded = asked_for.condition("Succeeded")
    assert succeeded is not None and succeeded["reason"] == "RevisionNotFound"
