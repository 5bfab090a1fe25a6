"""Expressions and flows that take much CPU or memory."""

from __future__ import annotations

import threading
from typing import ClassVar

from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.ground import Ground, log, parallel
from e2e.fixtures.kubernetes import Object

_SLOW = (
    "{% for i in 1..1000 %}{% for j in 1..500 %}{% if i == -1 %}x{% endif %}"
    "{% endfor %}{% endfor %}"
)
"""Takes some 1.2 s."""
_DOUBLED = "{% for i in 1..18 %}{% set a=a~a %}{% endfor %}"
_LARGE = "{% set a='x' %}{% for i in 1..23 %}{% set a=a~a %}{% endfor %}{{ a }}"
"""A text of 8 MiB."""
ALIASES = ", ".join(
    ["&a0 [x,x,x,x,x,x,x,x,x]"] + [f"&a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)


class FlowAttack(Attack):
    """A flow, and executions of it."""

    task: ClassVar[Object] = log("x")
    inputs: ClassVar[list[Object]] = []
    annotations: ClassVar[Object] = {}

    def begin(self, ground: Ground, over: threading.Event) -> None:
        ground.flow("evil", dict(self.annotations), tasks=[self.task], inputs=self.inputs)
        ground.executions("evil")


class JqAllocates(FlowAttack):
    name = "h3-jq"
    does = "jq makes a list of 100 million"
    task = log("{{ '[]' | jq('.[100000000] = 1') }}")


class YamlNests(FlowAttack):
    name = "h3-yaml"
    does = "yaml() of 262,144 levels"
    task = log("{% set a='- ' %}" + _DOUBLED + "{{ yaml(a) }}")


class PatternGrows(FlowAttack):
    name = "h3-pattern"
    does = "a validator of 24 nested repeats"
    inputs = [
        {"id": "a", "type": "STRING", "validator": "(" * 24 + "a" + ")+" * 24, "defaults": "a"}
    ]


class AliasesGrow(FlowAttack):
    name = "h3-aliases"
    does = "an annotation of YAML aliases"
    task = log("{{ secret('X') }}")
    annotations = {"penstock.dev/secrets": f"X: [{ALIASES}]"}


class LargeTexts(FlowAttack):
    name = "h3-texts"
    does = "100 Logs of 8 MiB each"
    task = parallel(100, _LARGE)


class LongTemplate(Attack):
    name = "h3-template"
    does = "900 KiB of expressions, edited all the time"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        text = "{{ a }}" * 130_000
        ground.flow("evil", tasks=[log(text)])
        for edit in range(1_000):
            patch = {"spec": {"tasks": [log(f"{text}{edit}")]}}
            ground.kubernetes.patch("flows", ground.namespace, "evil", patch)
            if over.wait(1):
                return


class SlowExpressions(FlowAttack):
    name = "h4a-100"
    does = "100 Logs of 1.2 s of CPU each"
    task = parallel(100, _SLOW)


class ManySlowExpressions(FlowAttack):
    name = "h4a-400"
    does = "400 Logs of 1.2 s of CPU each"
    task = parallel(400, _SLOW)


class InputCycle(FlowAttack):
    name = "h4b"
    does = "8,000 inputs in a circle"
    inputs = [
        {"id": f"i{n}", "type": "STRING", "dependsOn": {"inputs": [f"i{(n + 1) % 8_000}"]}}
        for n in range(8_000)
    ]


class NestedResult(Attack):
    name = "h10"
    does = "results of 300 levels, killed meanwhile"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        deep = "[" * 300 + "]" * 300
        task = {
            "id": "run",
            "type": "io.kestra.plugin.scripts.shell.Script",
            "containerImage": "penstock.local/busybox:1",
            "script": f"""echo '::{{"outputs": {{"x": {deep}}}}}::'""",
        }
        ground.flow("evil", tasks=[task], concurrency={"limit": 2})
        ground.executions("evil", 10)
        over.wait(5)
        for number in range(10):
            patch = {"spec": {"kill": True}}
            ground.kubernetes.patch("executions", ground.namespace, f"evil-{number}", patch)


ATTACKS = (
    JqAllocates,
    YamlNests,
    PatternGrows,
    AliasesGrow,
    LargeTexts,
    LongTemplate,
    SlowExpressions,
    ManySlowExpressions,
    InputCycle,
    NestedResult,
)
