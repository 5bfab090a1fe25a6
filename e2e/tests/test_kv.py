"""Key-value pairs and state on a real cluster: tasks change them without any right to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import Kubernetes, Object
from e2e.fixtures.scenario import SHELL_IMAGE, ExecutionView, Scenario

pytestmark = pytest.mark.cluster

CORE = "io.kestra.plugin.core"
ROOT = Path(__file__).parents[2]
SHELL = "io.kestra.plugin.scripts.shell.Script"


def flow(id: str, *tasks: dict[str, Any], namespace: str = "company.team", **more: Any) -> str:
    """A flow of these tasks, named `a`, `b` … where they have no id."""
    named = [{"id": chr(ord("a") + n), **task} for n, task in enumerate(tasks)]
    return json.dumps({"id": id, "namespace": namespace, "tasks": named, **more})


def kv(name: str, /, **properties: Any) -> dict[str, Any]:
    return {"type": f"{CORE}.kv.{name}", **properties}


def state(name: str, /, **properties: Any) -> dict[str, Any]:
    return {"type": f"{CORE}.state.{name}", **properties}


def shows(format: str) -> dict[str, Any]:
    return {"type": f"{CORE}.debug.Return", "format": format}


def ran(scenario: Scenario, text: str, state: str = "SUCCESS", **inputs: Any) -> ExecutionView:
    return scenario.execution(scenario.flow(text), inputs).ends(state)


def pairs(scenario: Scenario) -> dict[tuple[str, str], Object]:
    found = scenario.kubernetes.all("keyvalues", scenario.namespace)
    return {(body["spec"]["namespace"], body["spec"]["key"]): body for body in found}


def given(scenario: Scenario, key: str, value: Any, namespace: str = "company.team") -> str:
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "KeyValue",
        "metadata": {"generateName": "given-"},
        "spec": {"namespace": namespace, "key": key, "value": value},
    }
    name: str = scenario.kubernetes.create("keyvalues", scenario.namespace, body)["metadata"][
        "name"
    ]
    return name


def test_pairs_are_set_read_listed_and_deleted(scenario: Scenario) -> None:
    execution = ran(
        scenario,
        flow(
            "all",
            kv("Set", key="MY_KEY", value="{{ {'a': [1, none, 'x']} }}", kvDescription="why"),
            kv("Get", key="MY_KEY"),
            kv("Set", key="my_other", value="5", kvType="NUMBER", namespace="company.other"),
            kv("GetKeys", prefix="MY"),
            shows("{{ kv('MY_KEY').a[2] }} {{ kv('my_other', 'company.other') + 1 }}"),
            kv("Delete", key="MY_KEY"),
            kv("Delete", key="MY_KEY"),
            kv("Get", key="MY_KEY"),
            shows("{{ kv('MY_KEY', errorOnMissing=false) ?? 'none' }}"),
        ),
    )

    assert execution.outputs("b") == {"value": {"a": [1, None, "x"]}}
    assert execution.outputs("d") == {"keys": ["MY_KEY"]}
    assert execution.outputs("e") == {"value": "x 6"}
    assert execution.outputs("f") == {"deleted": True}
    assert execution.outputs("g") == {"deleted": False}
    assert execution.outputs("h") in ({}, {"value": None}, None)
    assert execution.outputs("i") == {"value": "none"}
    left = scenario.eventually(
        "only the other key", lambda: pairs(scenario) if len(pairs(scenario)) == 1 else None
    )
    (body,) = left.values()
    assert body["spec"] == {"namespace": "company.other", "key": "my_other", "value": 5}
    assert body["metadata"]["name"].startswith("company.other.my-other-")


def test_what_fails_says_why_as_kestra_does(scenario: Scenario) -> None:
    given(scenario, "there", 1)
    cases = {
        "over": (
            kv("Set", key="there", value=2, overwrite=False),
            "Cannot set value for key 'there'. Key already exists and `overwrite` is set to "
            "`false`.",
        ),
        "get": (
            kv("Get", key="gone", errorOnMissing=True),
            "The key 'gone' does not exist in the namespace 'company.team'.",
        ),
        "delete": (
            kv("Delete", key="gone", errorOnMissing=True),
            "The key 'gone' does not exist in the namespace 'company.team'.",
        ),
        "function": (
            shows("{{ kv('gone') }}"),
            "The key 'gone' does not exist in the namespace 'company.team'.",
        ),
        "key": (kv("Set", key="../x", value=1), "`../x` is not a key"),
        "large": (
            kv("Set", key="large", value="{{ range(0, 60000) }}"),
            "larger than 256 KiB",
        ),
        "state": (state("Get", errorOnMissing=True), "there is no state `default`"),
    }
    started = {
        id: scenario.execution(scenario.flow(flow(id, task))) for id, (task, _) in cases.items()
    }

    for id, (_, message) in cases.items():
        run = started[id].ends("FAILED").run("a")
        assert message in run["message"], (id, run)
    assert [body["spec"]["value"] for body in pairs(scenario).values()] == [1]


def test_a_key_goes_when_its_time_is_over(scenario: Scenario) -> None:
    execution = ran(
        scenario,
        flow(
            "ttl",
            kv("Set", key="short", value=1, ttl="PT4S"),
            shows("{{ kv('short') }}"),
            {"type": f"{CORE}.flow.Sleep", "duration": "PT4S"},
            shows("{{ kv('short', errorOnMissing=false) ?? 'over' }}"),
        ),
    )

    assert execution.outputs("b") == {"value": "1"}
    assert execution.outputs("d") == {"value": "over"}
    scenario.eventually("no key", lambda: not pairs(scenario))


def test_of_many_at_once_that_must_not_overwrite_one_succeeds(scenario: Scenario) -> None:
    only_one = scenario.flow(
        flow("one", kv("Set", key="lock", value="{{ execution.id }}", overwrite=False))
    )
    executions = [scenario.execution(only_one) for _ in range(5)]

    ended = [execution.reaches("SUCCESS", "FAILED") for execution in executions]

    winners = [item.name for item in ended if item.status["state"] == "SUCCESS"]
    (body,) = pairs(scenario).values()
    assert winners == [body["spec"]["value"]]
    for execution in ended:
        if execution.name not in winners:
            assert "Key already exists" in execution.run("a")["message"]


def test_state_of_executions_at_once_is_merged(scenario: Scenario) -> None:
    keep = scenario.flow(
        flow(
            "keep",
            state("Set", name="s", data={"{{ inputs.name }}": "{{ inputs.name }}"}),
            inputs=[{"id": "name", "type": "STRING"}],
        )
    )
    names = ["x", "y", "z"]
    for execution in [scenario.execution(keep, {"name": name}) for name in names]:
        execution.ends("SUCCESS")

    look = ran(
        scenario,
        flow("look", state("Get", name="s"), state("Delete", name="s"), state("Get", name="s")),
    )

    assert look.outputs("a") == {"count": 0, "data": {}}, "the state is another flow's"
    (body,) = pairs(scenario).values()
    assert body["spec"]["key"] == "keep_states_tasks-states_s"
    assert body["spec"]["value"] == {name: name for name in names}


def test_the_usual_patterns_of_flows(scenario: Scenario) -> None:
    """`kv('NAME')` in a script's env and text, inherited, in an input's default and a condition."""
    given(scenario, "API_URL", "https://example.com/$(x)?a=1&b='2'", namespace="company")
    given(scenario, "limits", {"max": 3})
    execution = ran(
        scenario,
        flow(
            "usual",
            {
                "type": SHELL,
                "containerImage": SHELL_IMAGE,
                "env": {"API_URL": "{{ kv('API_URL') }}"},
                "script": 'echo "::{\\"outputs\\":{\\"url\\":\\"$API_URL\\",'
                '\\"max\\":{{ kv("limits").max }}}}::"',
            },
            {
                "type": f"{CORE}.flow.If",
                "condition": "{{ kv('limits').max > 2 }}",
                "then": [{"id": "more", **shows("{{ inputs.url }}")}],
            },
            inputs=[{"id": "url", "type": "STRING", "defaults": "{{ kv('API_URL') }}"}],
        ),
    )

    url = "https://example.com/$(x)?a=1&b='2'"
    assert execution.outputs("a")["vars"] == {"url": url, "max": 3}
    assert execution.outputs("more") == {"value": url}


def test_a_schedule_reads_pairs(scenario: Scenario) -> None:
    given(scenario, "level", "high", namespace="company")
    given(scenario, "on", True)
    ticks = {
        "id": "ticks",
        "type": f"{CORE}.trigger.Schedule",
        "cron": "*/2 * * * * *",
        "withSeconds": True,
        "when": "{{ kv('on') }}",
        "inputs": {"level": "{{ kv('level') }}"},
    }
    scenario.flow(
        flow(
            "ticking",
            shows("{{ inputs.level }}"),
            inputs=[{"id": "level", "type": "STRING"}],
            triggers=[ticks],
        )
    )

    started = scenario.eventually("an execution", scenario.executions)[0]

    assert started.body["spec"]["inputs"] == {"level": "high"}


def test_the_example_counts_its_runs(scenario: Scenario) -> None:
    text = (ROOT / "examples" / "key-values.yaml").read_text()
    example = scenario.flow(text.replace("busybox:1.36", SHELL_IMAGE))
    given(scenario, "greeting", "Good morning", namespace="company")

    outputs = [scenario.execution(example).ends("SUCCESS").status["outputs"] for _ in range(2)]

    assert [item["runs"] for item in outputs] == [1, 2]
    assert [item["said"] for item in outputs] == ["Good morning"] * 2
    assert "lock" in outputs[1]["keys"]
    scenario.eventually("no lock", lambda: ("company.team", "lock") not in pairs(scenario))


def test_a_value_that_a_person_changes_is_seen_by_the_next_execution(scenario: Scenario) -> None:
    name = given(scenario, "level", "low")
    look = scenario.flow(flow("look", shows("{{ kv('level') }}"), kv("Get", key="level")))
    assert scenario.execution(look).ends("SUCCESS").outputs("a") == {"value": "low"}

    scenario.kubernetes.patch("keyvalues", scenario.namespace, name, {"spec": {"value": "high"}})

    execution = scenario.execution(look).ends("SUCCESS")
    assert execution.outputs("a") == execution.outputs("b") == {"value": "high"}
    ran(scenario, flow("change", kv("Set", key="level", value="set")))
    (body,) = pairs(scenario).values()
    assert (body["metadata"]["name"], body["spec"]["value"]) == (name, "set")


def test_of_two_objects_for_one_key_the_younger_is_told(scenario: Scenario) -> None:
    given(scenario, "twice", "first")
    time.sleep(1.1)
    second = given(scenario, "twice", "second")

    execution = ran(scenario, flow("look", shows("{{ kv('twice') }}")))

    assert execution.outputs("a") == {"value": "first"}
    events = scenario.eventually(
        "an event", lambda: scenario.kubernetes.events(scenario.namespace, second)
    )
    assert [event["reason"] for event in events] == ["DuplicateKey"]


def test_another_kubernetes_namespace_sees_nothing(
    scenario: Scenario, kubernetes: Kubernetes
) -> None:
    elsewhere = f"{scenario.namespace}-x"
    kubernetes.core.create_namespace({"metadata": {"name": elsewhere}})
    try:
        given(Scenario(kubernetes, elsewhere, scenario._git), "k", "theirs")
        execution = ran(
            scenario,
            flow(
                "look",
                shows("{{ kv('k', errorOnMissing=false) ?? 'none' }}"),
                kv("GetKeys"),
                kv("Set", key="k", value="mine", overwrite=False),
                kv("Delete", key="k"),
            ),
        )
        (theirs,) = kubernetes.all("keyvalues", elsewhere)
    finally:
        kubernetes.core.delete_namespace(elsewhere)

    assert execution.outputs("a") == {"value": "none"}
    assert execution.outputs("b") == {"keys": []}
    assert theirs["spec"]["value"] == "theirs"


def test_a_script_can_change_no_key_whatever_it_says(scenario: Scenario) -> None:
    """Arbitrary code in a pod writes what a core task's pod would."""
    given(scenario, "k", "safe")
    effects = [{"kv": "set", "namespace": "company.team", "key": "k", "value": "forged"}]
    payload = json.dumps({"outputs": {}, "message": None, "effects": effects}) + "\n"
    message = f"penstock/1 inline result {len(payload)} 1\n{payload}"
    once = f"cat > /dev/termination-log <<'END'\n{message}END\n"
    for_ever = (
        f"cat > forged <<'END'\n{message}END\n"
        "(while :; do cat forged > /dev/termination-log; done) > /dev/null 2>&1 < /dev/null &\n"
    )
    image = {"containerImage": SHELL_IMAGE}
    execution = scenario.execution(
        scenario.flow(
            flow(
                "attack",
                {"type": SHELL, **image, "script": once, "allowFailure": True},
                {"type": SHELL, **image, "script": for_ever, "allowFailure": True},
            )
        )
    ).reaches("SUCCESS", "WARNING", "FAILED")

    assert [body["spec"]["value"] for body in pairs(scenario).values()] == ["safe"]
    for task in ("a", "b"):
        assert "effects" not in (execution.outputs(task) or {})


@pytest.mark.alone("kills the controller")
def test_a_controller_killed_at_any_time_makes_each_change_once(
    scenario: Scenario, controller: Controller
) -> None:
    chain = scenario.flow(
        flow(
            "chain",
            kv("Set", key="{{ execution.id }}", value="first", overwrite=False),
            kv("Set", key="{{ execution.id }}", value="second"),
            state("Set", namespace=True, data={"{{ execution.id }}": "done"}),
            kv("Delete", key="{{ execution.id }}", errorOnMissing=True),
            kv("Set", key="{{ execution.id }}", value="last", overwrite=False),
        )
    )
    executions = [scenario.execution(chain) for _ in range(4)]

    for _ in range(4):
        time.sleep(3)
        controller.kill()
        controller.is_ready()

    for execution in executions:
        execution.ends("SUCCESS", seconds=180)
        execution.has_one_job_for_each_attempt()
    names = {execution.name for execution in executions}
    found = {key: body["spec"]["value"] for (_, key), body in pairs(scenario).items()}
    assert found.pop("states_tasks-states_default") == dict.fromkeys(names, "done")
    assert found == dict.fromkeys(names, "last")
