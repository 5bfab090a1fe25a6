"""Many objects, and large ones."""

from __future__ import annotations

import json
import threading

from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.ground import CORE, SYSTEM_NAMESPACE, Ground, log, made

_LEVELS = 9_000
_LARGE = 1_300_000
"""Characters of a value: close to the most that the API server takes."""


class DeepObjects(Attack):
    name = "h2"
    does = "a value, an input and a flow of 9,000 levels"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        deep = "[" * _LEVELS + "]" * _LEVELS
        specs = {
            "keyvalues": ("KeyValue", f'{{"namespace": "a.b", "key": "d", "value": {deep}}}'),
            "executions": ("Execution", f'{{"flow": {{"name": "a"}}, "inputs": {{"a": {deep}}}}}'),
            "flows": (
                "Flow",
                f'{{"id": "evil", "namespace": "a.b", "variables": {{"a": {deep}}},'
                f' "tasks": {json.dumps([log("x")])}}}',
            ),
        }
        for plural, (kind, spec) in specs.items():
            body = json.dumps(made(kind, "evil", {}))
            ground.create_text(plural, body.replace('"spec": {}', f'"spec": {spec}'))


class LargeValues(Attack):
    name = "h7"
    does = "200 values of 1.3 MB, and a new controller"
    new_controllers = 1

    def prepare(self, ground: Ground) -> None:
        spec = {"namespace": "a.b", "value": "x" * _LARGE}
        ground.create(
            "keyvalues",
            (made("KeyValue", f"large-{n}", {**spec, "key": f"k{n}"}) for n in range(200)),
        )

    def begin(self, ground: Ground, over: threading.Event) -> None:
        pods = ground.kubernetes.core.list_namespaced_pod(
            SYSTEM_NAMESPACE, label_selector="app.kubernetes.io/name=penstock"
        )
        for pod in pods.items:
            ground.kubernetes.core.delete_namespaced_pod(
                pod.metadata.name, SYSTEM_NAMESPACE, grace_period_seconds=0
            )


class ManyPods(Attack):
    name = "pods-400"
    does = "400 executions with a pod each"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        ground.flow("evil", tasks=[log("x")])
        ground.executions("evil", 400)


class ManyExecutions(Attack):
    name = "executions-2000"
    does = "2,000 executions without pods"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        task = {"id": "a", "type": f"{CORE}.execution.Labels", "labels": {"a": "b"}}
        ground.flow("evil", tasks=[task])
        ground.executions("evil", 2_000)


class ManySchedules(Attack):
    name = "schedules-1000"
    does = "1,000 schedules each second"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        task = {"id": "a", "type": f"{CORE}.execution.Labels", "labels": {"a": "b"}}
        schedule = {
            "type": f"{CORE}.trigger.Schedule",
            "cron": "* * * * * *",
            "withSeconds": True,
        }
        for flow in range(5):
            triggers = [{"id": f"t{n}", **schedule} for n in range(200)]
            ground.flow(f"evil-{flow}", tasks=[task], triggers=triggers)


ATTACKS = (DeepObjects, LargeValues, ManyPods, ManyExecutions, ManySchedules)
