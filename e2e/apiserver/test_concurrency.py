"""Concurrency: no more executions of a flow run than its limit says."""

from __future__ import annotations

from e2e.fixtures.scenario import ExecutionView, FlowView, Scenario


def limited(scenario: Scenario, id: str, behavior: str, limit: int = 1) -> FlowView:
    return scenario.flow(f"""
        id: {id}
        namespace: company.team
        concurrency: {{limit: {limit}, behavior: {behavior}}}
        tasks:
          - {{id: hold, type: io.kestra.plugin.core.flow.Pause}}
    """)


def three(scenario: Scenario, flow: FlowView) -> list[ExecutionView]:
    """Three executions made at one moment, once each is decided."""
    views = [scenario.execution(flow) for _ in range(3)]
    for view in views:
        view.reaches("PAUSED", "QUEUED", "CANCELLED", "FAILED")
    return views


def in_state(views: list[ExecutionView], state: str) -> list[ExecutionView]:
    return [view for view in views if view.status["state"] == state]


def test_executions_wait_for_their_turn_in_the_order_in_which_they_came(
    scenario: Scenario,
) -> None:
    flow = limited(scenario, "queue", "QUEUE")
    views = three(scenario, flow)
    waiting = sorted(in_state(views, "QUEUED"), key=lambda view: view.status["history"][-1]["date"])
    (running,) = in_state(views, "PAUSED")
    assert len(waiting) == 2
    reconciling = waiting[0].condition("Reconciling")
    assert reconciling is not None and reconciling["reason"] == "Queued"

    running.is_told(resume={}).ends("SUCCESS")
    waiting[0].reaches("PAUSED")
    assert waiting[1].status["state"] == "QUEUED"
    scenario.kubernetes.delete("executions", scenario.namespace, waiting[0].name)

    waiting[1].reaches("PAUSED").patched({"kill": True}).ends("KILLED")


def test_one_too_many_is_cancelled_or_fails(scenario: Scenario) -> None:
    cancelling = three(scenario, limited(scenario, "cancel", "CANCEL"))
    failing = three(scenario, limited(scenario, "fail", "FAIL"))

    assert sorted(view.status["state"] for view in cancelling) == [
        "CANCELLED", "CANCELLED", "PAUSED",
    ]  # fmt: skip
    assert sorted(view.status["state"] for view in failing) == ["FAILED", "FAILED", "PAUSED"]
    assert "concurrency limit" in in_state(failing, "FAILED")[0].status["message"]


def test_a_queued_one_runs_when_a_person_or_a_new_limit_says_so(scenario: Scenario) -> None:
    flow = limited(scenario, "hurry", "QUEUE")
    views = three(scenario, flow)
    forced, unqueued = in_state(views, "QUEUED")
    last = scenario.execution(flow).reaches("QUEUED")

    forced.is_told(forceRun=True).reaches("PAUSED")
    unqueued.is_told(unqueue=True).reaches("PAUSED")
    assert last.status["state"] == "QUEUED"
    patch = {"spec": {"concurrency": {"limit": 4, "behavior": "QUEUE"}}}
    scenario.kubernetes.patch("flows", scenario.namespace, flow.name, patch)

    last.reaches("PAUSED")


def test_a_queued_one_can_be_killed(scenario: Scenario) -> None:
    views = three(scenario, limited(scenario, "dies", "QUEUE"))

    in_state(views, "QUEUED")[0].patched({"kill": True}).ends("KILLED")

    assert len(in_state(views, "QUEUED")) == 1
    assert len(in_state(views, "PAUSED")) == 1


def test_a_restarted_one_waits_for_its_turn_as_well(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: restarts
        namespace: company.team
        concurrency: {limit: 1}
        inputs: [{id: ok, type: BOOLEAN, defaults: true}]
        tasks:
          - id: check
            type: io.kestra.plugin.core.execution.Assert
            conditions: ["{{ inputs.ok or taskrun.attemptsCount > 0 }}"]
          - {id: hold, type: io.kestra.plugin.core.flow.Pause}
    """)
    failed = scenario.execution(flow, {"ok": False}).ends("FAILED")
    holder = scenario.execution(flow).reaches("PAUSED")

    failed.is_told(restart={}).reaches("QUEUED")
    holder.is_told(resume={}).ends("SUCCESS")

    failed.reaches("PAUSED").is_told(resume={}).ends("SUCCESS")
    assert len(failed.run("check")["attempts"]) == 2
