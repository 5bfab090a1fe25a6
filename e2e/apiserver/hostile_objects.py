"""Objects of every kind that a tenant may write, as somebody hostile writes them.

A tenant may edit Penstock's resources, a developer Jobs, pods, ConfigMaps and Secrets too, with our
labels, annotations and names. Statuses they may not write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from e2e.apiserver.hostile_values import (
    ANYTHING,
    EXPRESSIONS,
    PATTERNS,
    TEXTS,
    YAML,
    Values,
    chosen,
    drawn,
    right_or_odd,
    seldom,
    some_of,
)
from penstock.kubernetes.api.client import (
    CONFIG_MAPS,
    EXECUTIONS,
    FLOWS,
    GIT_SOURCES,
    JOBS,
    KEY_VALUES,
    PODS,
    SECRETS,
    TRIGGER_STATES,
    Object,
    Resource,
)
from penstock.kubernetes.api.labels import LIFT_QUARANTINE
from penstock.resources import API_VERSION

_CORE = "io.kestra.plugin.core"
NAMES = [f"h{number}" for number in range(8)]
"""Few, so that objects refer to each other, and names are used again."""
_LONG_NAME = ".".join(["a" * 62] * 4)[:250]
_NAMES = seldom(chosen(_LONG_NAME, "a.b.c", "a" * 179 + ".b", "0"), chosen(*NAMES))
_IDS = right_or_odd("a", "b", "c", "my_flow", "my-flow", "x" * 100)
_FLOW_IDS = st.sampled_from(NAMES)


@dataclass(frozen=True)
class Written:
    """An object, and the kind that it is of."""

    resource: Resource
    body: Object

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])


def _tasks(inner: Values) -> Values:
    return st.lists(inner, min_size=1, max_size=4)


_OPTIONS: Mapping[str, Values] = {
    "runIf": st.one_of(EXPRESSIONS, ANYTHING),
    "timeout": right_or_odd("PT1S", "{{ 1 }}"),
    "allowFailure": right_or_odd(True, "{{ false }}"),
    "retry": right_or_odd({"type": "constant", "interval": "PT0S", "maxAttempts": 3}),
    "taskCache": right_or_odd({"enabled": True}),
    "workerGroup": ANYTHING,
}


def _task(type: str, **properties: Values) -> Values:
    fixed = {"id": _IDS, "type": st.just(f"{_CORE}.{type}"), **properties}
    return st.fixed_dictionaries(fixed, optional=dict(_OPTIONS))


_LEAVES: Values = st.one_of(
    _task("log.Log", message=st.one_of(TEXTS, EXPRESSIONS)),
    _task("debug.Return", format=st.one_of(EXPRESSIONS, ANYTHING)),
    _task("execution.Assert", conditions=st.lists(EXPRESSIONS, max_size=3)),
    _task("execution.Labels", labels=right_or_odd({"a": "{{ flow.id }}"})),
    _task("execution.SetVariables", variables=st.dictionaries(st.text(max_size=8), ANYTHING)),
    _task("execution.Count", namespaces=right_or_odd(["company.hostile"])),
    _task("execution.PurgeExecutions", endDate=right_or_odd("2020-01-01T00:00:00Z")),
    _task("execution.Resume", executionId=right_or_odd("{{ execution.id }}", "h1")),
    _task("kv.PurgeKV", namespace=right_or_odd("company.hostile")),
    _task("trigger.Toggle", trigger=right_or_odd("t"), enabled=right_or_odd(True)),
    _task(
        "flow.Subflow",
        namespace=right_or_odd("company.hostile"),
        flowId=st.one_of(_FLOW_IDS, TEXTS),
        inputs=st.dictionaries(st.text(max_size=5), ANYTHING, max_size=2),
        wait=right_or_odd(True),
    ),
    _task("flow.Pause", delay=right_or_odd("PT0S", "PT1S")),
    st.fixed_dictionaries({"id": ANYTHING, "type": TEXTS}),
)


def _dag_tasks(task: Values) -> Values:
    return st.lists(some_of(task=task, dependsOn=st.lists(_IDS, max_size=2)), max_size=3)


TASKS: Values = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        _task("flow.Sequential", tasks=_tasks(inner)),
        _task("flow.Parallel", tasks=_tasks(inner), concurrent=right_or_odd(0, 1)),
        _task("flow.ForEach", values=right_or_odd([1], "{{ range(1, 9) }}"), tasks=_tasks(inner)),
        _task("flow.If", condition=EXPRESSIONS, then=_tasks(inner)),
        _task("flow.Switch", value=EXPRESSIONS, cases=st.dictionaries(TEXTS, _tasks(inner))),
        _task("flow.LoopUntil", condition=EXPRESSIONS, tasks=_tasks(inner)),
        _task("flow.WorkingDirectory", tasks=_tasks(inner)),
        _task("flow.Dag", tasks=_dag_tasks(inner)),
    ),
    max_leaves=6,
)  # fmt: skip
_INPUTS: Values = st.fixed_dictionaries(
    {"id": _IDS, "type": right_or_odd("STRING", "INT", "JSON", "YAML", "ARRAY", "SELECT", "DATE")},
    optional={
        "defaults": st.one_of(EXPRESSIONS, ANYTHING),
        "validator": PATTERNS,
        "expression": EXPRESSIONS,
        "values": right_or_odd(["a", "b"]),
        "itemType": right_or_odd("INT"),
        "min": ANYTHING,
        "required": right_or_odd(False),
        "dependsOn": right_or_odd({"inputs": ["a"], "condition": "{{ inputs.b }}"}),
    },
)
_TRIGGERS: Values = st.one_of(
    st.fixed_dictionaries(
        {"id": _IDS, "type": st.just(f"{_CORE}.trigger.Schedule")},
        optional={
            "cron": right_or_odd("* * * * *", "0 0 30 2 *", "*/0 * * * *", "@yearly"),
            "withSeconds": right_or_odd(True),
            "timezone": right_or_odd("UTC", "../../etc/passwd", "Europe/Berlin"),
            "backfill": ANYTHING,
            "inputs": ANYTHING,
            "conditions": ANYTHING,
            "lateMaximumDelay": ANYTHING,
        },
    ),
    st.fixed_dictionaries(
        {"id": _IDS, "type": st.just(f"{_CORE}.trigger.Flow")},
        optional={
            # Not on success: each flow would start all others for ever.
            "states": st.just(["KILLED"]),
            "conditions": ANYTHING,
            "preconditions": right_or_odd({"id": "p", "flows": [{"namespace": "a", "states": []}]}),
            "inputs": ANYTHING,
        },
    ),
    st.fixed_dictionaries({"id": _IDS, "type": TEXTS}),
)
_BODIES: Values = some_of(
    inputs=st.lists(_INPUTS, max_size=4),
    triggers=st.lists(_TRIGGERS, max_size=3),
    variables=st.dictionaries(st.text(max_size=8), st.one_of(EXPRESSIONS, ANYTHING), max_size=4),
    labels=right_or_odd({"a": "b"}, [{"key": "a", "value": "b"}]),
    errors=st.lists(TASKS, max_size=2),
    outputs=right_or_odd([{"id": "o", "type": "STRING", "value": "{{ outputs }}"}]),
    concurrency=right_or_odd({"limit": 1, "behavior": "QUEUE"}),
    sla=right_or_odd([{"id": "s", "type": "MAX_DURATION", "duration": "PT1S", "behavior": "FAIL"}]),
    checks=right_or_odd([{"condition": "{{ 1 }}", "message": "m"}]),
    pluginDefaults=right_or_odd([{"type": _CORE, "values": {"message": "{{ 1 }}"}}]),
    retry=right_or_odd({"type": "constant", "interval": "PT0S", "maxAttempts": 2}),
    revision=ANYTHING,
    unknown=ANYTHING,
)


def _cycle(count: int) -> list[Object]:
    """Inputs each of which depends on the next one, and the last on the first."""
    return [
        {"id": f"i{n}", "type": "STRING", "dependsOn": {"inputs": [f"i{(n + 1) % count}"]}}
        for n in range(count)
    ]


def _nested(levels: int) -> Object:
    task: Object = {"id": "leaf", "type": f"{_CORE}.log.Log", "message": "x"}
    for level in range(levels):
        task = {"id": f"s{level}", "type": f"{_CORE}.flow.Sequential", "tasks": [task]}
    return task


def _logs(count: int, message: str = "x") -> list[Object]:
    return [{"id": f"t{n}", "type": f"{_CORE}.log.Log", "message": message} for n in range(count)]


_LARGE: Values = chosen(
    {"tasks": _logs(1), "inputs": _cycle(1_600)},
    {"tasks": [_nested(140)]},
    {"tasks": [_nested(400)]},
    {"tasks": _logs(2_000)},
    {"tasks": _logs(1, "{{ a }}" * 30_000)},
    {"tasks": _logs(40, "{{ a }}" * 700)},
    {
        "tasks": _logs(1),
        "triggers": [
            {"id": f"t{n}", "type": f"{_CORE}.trigger.Schedule", "cron": "@yearly"}
            for n in range(400)
        ],
    },
)
_FLOW_SPECS: Values = st.builds(
    lambda id, namespace, tasks, more, large: {
        "id": id, "namespace": namespace, "tasks": tasks, **more, **large,
    },
    _FLOW_IDS,
    right_or_odd("company.hostile", "company.victim"),
    seldom(ANYTHING, _tasks(TASKS)),
    _BODIES,
    seldom(_LARGE, st.just({})),
)  # fmt: skip
_TAME_SPECS: Values = st.builds(
    lambda id, texts: {
        "id": id,
        "namespace": "company.hostile",
        "inputs": [{"id": name, "type": "JSON", "required": False} for name in "abc"],
        "tasks": [
            {"id": f"t{n}", "type": f"{_CORE}.debug.Return", "format": text}
            for n, text in enumerate(texts)
        ],
    },
    _FLOW_IDS,
    st.lists(seldom(EXPRESSIONS, chosen("x", "{{ inputs }}", "{{ outputs }}")), max_size=3),
)
"""Of flows that come to the pods of their tasks, whatever these say."""
_CONTROLS: Values = st.lists(
    st.fixed_dictionaries(
        {"id": _IDS},
        optional={
            "pause": right_or_odd(True),
            "resume": right_or_odd({"inputs": {}}),
            "restart": right_or_odd({}),
            "replay": right_or_odd({}),
            "markAs": right_or_odd({"task": "a", "state": "FAILED"}),
            "changeStatus": right_or_odd({"state": "SUCCESS"}),
            "labels": right_or_odd({"a": "b"}),
            "forceRun": right_or_odd(True),
        },
    ),
    max_size=3,
)
_EXECUTION_SPECS: Values = st.builds(
    lambda flow, more: {"flow": flow, **more},
    st.one_of(
        st.builds(lambda name: {"name": name}, _NAMES),
        st.builds(lambda id: {"namespace": "company.hostile", "id": id}, _FLOW_IDS),
        some_of(name=TEXTS, id=TEXTS, namespace=TEXTS, revision=ANYTHING),
    ),
    some_of(
        inputs=st.dictionaries(st.sampled_from(["a", "b", "c"]), ANYTHING, max_size=3),
        labels=right_or_odd({"a": "b"}),
        trigger=right_or_odd({"id": "t", "type": "x.trigger.Flow", "variables": {"a": 1}}),
        parent=right_or_odd({"execution": "h1", "taskRun": "r", "attempt": 1}),
        replay=right_or_odd({"execution": "h1"}, {"execution": "h2", "task": "a"}),
        retry=right_or_odd({"original": "h1", "attempt": 2, "firstDate": "2020-01-01T00:00:00Z"}),
        scheduleDate=right_or_odd("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
        breakpoints=right_or_odd(["a"]),
        kill=right_or_odd(True),
        controls=_CONTROLS,
    ),
)
_KEY_VALUE_SPECS: Values = st.fixed_dictionaries(
    {
        "namespace": right_or_odd("company.hostile", "company.victim"),
        "key": right_or_odd("k", "a.b", "x" * 200),
        "value": ANYTHING,
    },
    optional={"expirationDate": right_or_odd("2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z")},
)
_GIT_SOURCE_SPECS: Values = st.fixed_dictionaries(
    {"url": right_or_odd("http://127.0.0.1:9/x.git", "http://[::1]/x", "http://169.254.169.254/x")},
    optional={
        "ref": right_or_odd({"branch": "--upload-pack=id"}, {"tag": "refs/../x"}),
        "path": right_or_odd("..", "/etc"),
        "interval": right_or_odd("10s", "0ms", "9" * 30 + "s"),
        "timeout": right_or_odd("10m", "9999h", "0.000s"),
        "namespaceFiles": right_or_odd([{"namespace": "company.hostile", "path": "../.."}]),
        "suspend": right_or_odd(True),
    },
)
NOTES: Values = st.dictionaries(
    st.sampled_from(
        [
            f"penstock.dev/{word}"
            for word in (
                "secrets", "pairs", "called-by", "applied", "planned", "value", "task-cache",
                "start-within", "requestedAt", "spec-hash", "execution-name", "task-id",
            )
        ]
        + [LIFT_QUARANTINE, "penstock.dev/unknown"]
    ),
    st.one_of(YAML, TEXTS, chosen("1", "{}", "[" * 5_000, '{"key": 1e999}')),
    max_size=4,
)  # fmt: skip
"""Annotations that Penstock reads."""
_LABELS: Values = st.dictionaries(
    st.sampled_from(
        [
            f"penstock.dev/{word}"
            for word in (
                "execution", "execution-uid", "task", "task-run", "attempt", "flow", "parent-uid",
                "working-directory", "source", "digest", "trigger",
            )
        ]
    ),
    st.sampled_from(["1", "0", "true", "h1", "h2", "x" * 63, "", "A.b_c", "00"]),
    max_size=5,
)  # fmt: skip
_POD: Object = {
    "restartPolicy": "Never",
    "containers": [{"name": "task", "image": "none", "command": ["true"]}],
}


_META: Values = st.fixed_dictionaries({"name": _NAMES, "labels": _LABELS, "annotations": NOTES})


def _ours(kind: str, resource: Resource, specs: Values) -> Values:
    return _plain(API_VERSION, kind, resource, st.fixed_dictionaries({"spec": specs}))


def _plain(version: str, kind: str, resource: Resource, more: Values) -> Values:
    return st.builds(
        lambda meta, rest: Written(
            resource, {"apiVersion": version, "kind": kind, "metadata": meta, **rest}
        ),
        _META,
        more,
    )


_BACKFILLS: Values = some_of(
    start=right_or_odd("2020-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    end=right_or_odd("9999-12-31T23:59:59Z", "2020-01-01T00:00:00Z"),
    inputs=st.dictionaries(st.text(max_size=5), ANYTHING, max_size=2),
    labels=right_or_odd({"a": "{{ trigger.date }}"}, {"a": "{{ vars.none }}"}),
    paused=right_or_odd(True, False),
)
_TRIGGER_STATES: Values = st.builds(
    lambda flow, trigger, wishes: Written(
        TRIGGER_STATES,
        {
            "apiVersion": API_VERSION,
            "kind": "TriggerState",
            "metadata": {"name": f"{flow}.{trigger}", "annotations": {}},
            "spec": {"flow": flow, "trigger": trigger, **wishes},
        },
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["a", "b", "c", "t0"]),
    some_of(disabled=right_or_odd(True, False), backfill=_BACKFILLS),
)
"""They stand where those of the controller have to be, or are there in its place."""
_JOBS: Values = st.builds(
    lambda meta: {"spec": {"template": {"metadata": meta, "spec": _POD}}},
    st.fixed_dictionaries({"labels": _LABELS, "annotations": NOTES}),
)
_DATA: Values = st.dictionaries(st.sampled_from(["a", "index", "outputs.json", "value"]), TEXTS)
_KINDS: Mapping[int, Sequence[Values]] = {
    5: [_ours("Flow", FLOWS, _FLOW_SPECS), _ours("Execution", EXECUTIONS, _EXECUTION_SPECS)],
    2: [_ours("KeyValue", KEY_VALUES, _KEY_VALUE_SPECS), _ours("Flow", FLOWS, _TAME_SPECS)],
    1: [
        _ours("GitSource", GIT_SOURCES, _GIT_SOURCE_SPECS),
        _TRIGGER_STATES,
        _plain("batch/v1", "Job", JOBS, _JOBS),
        _plain("v1", "Pod", PODS, st.just({"spec": _POD})),
        _plain("v1", "ConfigMap", CONFIG_MAPS, st.fixed_dictionaries({"data": _DATA})),
        _plain("v1", "Secret", SECRETS, st.fixed_dictionaries({"stringData": _DATA})),
    ],
}
"""How much of everything, relative to each other."""


def objects(seed: int, count: int) -> Sequence[Written]:
    """At least so many objects of all kinds, always equal for one seed."""
    whole = sum(share * len(kinds) for share, kinds in _KINDS.items())
    found: list[Written] = []
    for share, kinds in _KINDS.items():
        for kind in kinds:
            found += drawn(kind, seed, max(1, count * share // whole))
    Random(seed).shuffle(found)
    return found


def _message(payload: str, kind: str = "result") -> str:
    return f"penstock/1 inline {kind} {len(payload.encode())} 1\n{payload}\n"


RESULTS: Values = st.one_of(
    chosen(
        *[
            _message(payload)
            for payload in (
                '{"outputs": {"value": ' + "[" * 900 + "]" * 900 + "}}",
                '{"outputs": {"value": 1e400}}',
                '{"outputs": {"value": NaN}}',
                '{"outputs": {"value": ' + "9" * 3_000 + "}}",
                '{"outputs": {"value": "\\ud800"}}',
                '{"outputs": []}',
                '{"outputs": {}, "effects": [{"kv": "set", "namespace": "company.victim",'
                ' "key": "k", "value": 1}]}',
                '{"outputs": {"value": "ok"}, "metrics": [{"type": "counter", "name": "a",'
                ' "value": 1e999}]}',
                '{"error": 5}',
                "[]",
                "",
            )
        ],
        *[_message('::{"outputs": {"x": [[[1]]]}}::', "lines"), "penstock/1", "penstock/1 x y z 1"],
        *["penstock/1 inline result -5 9999999999999\n", "penstock/9 inline result 1 1\n1\n"],
    ),
    TEXTS.map(lambda text: str(text)[:4_000]),
)
"""Termination messages: a script's process may write what it likes."""
