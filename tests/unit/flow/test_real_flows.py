"""What people write: the shapes and the mistakes of public flows, each with its verdict.

The parts are named after what a flow is looked at for. A flow stands here as its author would write
it; `id` and `namespace` are left out where they do not matter.
"""

from __future__ import annotations

import copy
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.flow.loading import SourceDocument, load_document
from penstock.flow.problems import InvalidFlow, Problem
from penstock.types import flow_parser

HEAD = "id: real\nnamespace: company.team\n"
LOG = "tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: hi}]\n"
NOT_CARRIED = "type_not_carried"


def verdict(text: str) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Problems and warnings of a flow."""
    whole = textwrap.dedent(text)
    if "id:" not in {line.split(" ")[0] for line in whole.splitlines()}:
        whole = HEAD + whole
    try:
        return (), flow_parser().parse(load_document(whole)).warnings
    except InvalidFlow as refused:
        return refused.problems, refused.warnings


def check_accepted(text: str) -> None:
    """Check that a flow is accepted, but for types that are not served."""
    problems, _ = verdict(text)
    assert [str(problem) for problem in problems if problem.code != NOT_CARRIED] == []


def check_refused(text: str, code: str, line: int, words: str) -> None:
    """A flow is refused for one thing, at one line."""
    problems, _ = verdict(text)
    found = [(problem.code, problem.line) for problem in problems if problem.code != NOT_CARRIED]
    assert found == [(code, line)], [str(problem) for problem in problems]
    assert any(words in str(problem) for problem in problems), [str(item) for item in problems]


# --- The flow and its lists -----------------------------------------------------------------------

FLOWS = {
    "properties that are there and empty": LOG
    + "description:\nlabels:\ninputs:\nvariables:\ntriggers:\nerrors:\nfinally:\n"
    "outputs:\npluginDefaults:\nconcurrency:\nretry:\nafterExecution:\n",
    "empty lists and maps": LOG
    + "inputs: []\ntriggers: []\nerrors: []\nfinally: []\nafterExecution: []\noutputs: []\n"
    "variables: {}\nlabels: {}\npluginDefaults: []\nsla: []\nchecks: []\n",
    "labels as a list": LOG + "labels: [{key: env, value: prod}, {key: n, value: 1}]\n",
    "labels of any scalar": LOG + "labels: {a: 1, b: 1.5, c: true, d: x, e: 2024-01-01}\n",
    "a label without a value": LOG + "labels: {team: , env: prod}\n",
    "a read-only label": LOG + "labels: {system.readOnly: true}\n",
    "variables of any shape": LOG
    + "variables:\n  n: 1\n  list: [1, a]\n  map: {x: {y: z}}\n  empty:\n"
    "  expr: \"{{ inputs.x ?? 'y' }}\"\n  date: 2024-01-01\n",
    "concurrency": LOG + "concurrency: {limit: 1, behavior: QUEUE}\n",
    "concurrency with text for a number": LOG + 'concurrency: {limit: "2", behavior: CANCEL}\n',
    "a revision": LOG + "revision: 3\n",
    "a revision, deleted and source, as the API gives them": LOG + "revision: 1\ndeleted: false\n",
    "disabled": LOG + "disabled: true\n",
    "disabled in quotes": LOG + 'disabled: "true"\n',
    "description at the end, of many lines": LOG + "description: |\n  # Title\n  {{ x }}\n",
    "metadata of blueprints": LOG + "extend: {title: x, tags: [y]}\n",
    "sla": LOG
    + "sla:\n  - {id: s, type: MAX_DURATION, duration: PT1H, behavior: FAIL, labels: {a: b}}\n",
    "checks": LOG + 'checks:\n  - {condition: "{{ inputs.n > 1 }}", message: no, style: ERROR, '
    "behavior: BLOCK_EXECUTION}\n",
    "a retry of the flow": LOG
    + "retry: {type: constant, interval: PT5M, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}\n",
    "taskDefaults": LOG
    + "taskDefaults:\n  - type: io.kestra.core.tasks.log.Log\n    values: {level: DEBUG}\n",
    "defaults with expressions by prefix": LOG
    + "pluginDefaults:\n  - type: io.kestra.plugin.gcp\n    values:\n"
    '      serviceAccount: "{{ kv(\'S\') }}"\n      projectId: "{{ task.id }}"\n',
    "forced defaults": LOG
    + "pluginDefaults:\n  - {type: io.kestra.plugin.core.log.Log, forced: true, "
    "values: {level: WARN}}\n",
    "tasks at the end of everything": LOG
    + "errors:\n  - {id: e, type: io.kestra.plugin.core.log.Log, message: e}\n"
    "finally:\n  - {id: f, type: io.kestra.plugin.core.log.Log, message: f}\n"
    "afterExecution:\n  - {id: g, type: io.kestra.plugin.core.log.Log, message: g}\n",
    "CRLF line ends": (LOG + "labels:\n  a: b\n").replace("\n", "\r\n"),
    "emoji and accents": LOG + "description: Đây là luồng ✅ à l'été\n",
    "dots in an id": "id: My.Flow-1_x\nnamespace: a-b.c_d.1\n" + LOG,
    "numbers for text": "id: 3\nnamespace: a\ndescription: 4\n" + LOG,
    "defaults by the prefix of everything": LOG
    + "pluginDefaults:\n  - {type: io.kestra.plugin.core, values: {timeout: PT1M}}\n"
    "triggers:\n  - {id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: '@daily'}\n",
    "yes, no and on are text": LOG + "labels: {a: yes, b: no, on: off}\n",
}


@pytest.mark.parametrize("text", FLOWS.values(), ids=FLOWS)
def test_flows(text: str) -> None:
    check_accepted(text)


# --- Inputs and outputs ---------------------------------------------------------------------------

INPUTS = [
    "{id: a, type: STRING}",
    "{name: old, type: STRING}",
    "{id: a, type: STRING, defaults: 3}",
    "{id: a, type: STRING, defaults: 2024-01-01, required: false}",
    "{id: a, type: STRING, defaults: '', description: x, displayName: A}",
    "{id: a, type: STRING, defaults: null}",
    "{id: a, type: STRING, validator: '^[a-z]+$'}",
    "{id: a, type: STRING, prefill: x, required: false}",
    "{id: a, type: INT, defaults: '3', min: 1, max: '10'}",
    "{id: a, type: INT, defaults: '{{ 1 + 2 }}'}",
    "{id: a, type: FLOAT, defaults: 1}",
    "{id: a, type: BOOLEAN, defaults: false}",
    "{id: a, type: BOOL, defaults: 'true'}",
    "{id: a, type: DATE, defaults: 2024-01-01, after: 2020-01-01}",
    "{id: a, type: DATETIME, defaults: '2024-01-01T00:00:00Z'}",
    "{id: a, type: DATETIME, defaults: '{{ now() }}', required: true}",
    "{id: a, type: TIME, defaults: '10:00:00'}",
    "{id: a, type: DURATION, defaults: PT5M, min: PT1M}",
    "{id: a, type: JSON, defaults: '{\"a\": 1}'}",
    "{id: a, type: JSON, defaults: {a: [1]}}",
    "{id: a, type: YAML, defaults: 'a: 1'}",
    "{id: a, type: URI, defaults: 'https://example.com'}",
    "{id: a, type: EMAIL, required: false}",
    "{id: a, type: SECRET, defaults: x}",
    "{id: a, type: FILE}",
    "{id: a, type: FILE, defaults: 'nsfile:///a.csv', allowedFileExtensions: ['.csv']}",
    "{id: a, type: FILE, extension: .csv, accept: '.csv'}",
    "{id: a, type: SELECT, values: [a, b], defaults: a}",
    "{id: a, type: SELECT, values: [1, true, 2.5], allowCustomValue: true}",
    "{id: a, type: SELECT, expression: \"{{ kv('x') }}\"}",
    "{id: a, type: SELECT, values: [a], isRadio: true, autoSelectFirst: true}",
    "{id: a, type: MULTISELECT, values: [a, b], itemType: STRING, defaults: [a]}",
    "{id: a, type: MULTISELECT, options: [a, b]}",
    "{id: a, type: ENUM, values: [a]}",
    "{id: a, type: ARRAY, itemType: STRING, defaults: [a, b]}",
    "{id: a, type: ARRAY, itemType: INT, defaults: '[1, 2]'}",
    "{id: a.b, type: STRING}",
    "{id: a, type: STRING, dependsOn: {inputs: [], condition: '{{ true }}'}}",
]


@pytest.mark.parametrize("declared", INPUTS)
def test_inputs(declared: str) -> None:
    check_accepted(f"inputs:\n  - {declared}\n{LOG}")


@pytest.mark.parametrize(
    "declared",
    [
        "{id: a, type: STRING, value: '{{ outputs.a.value }}'}",
        "{id: a, value: x}",
        "{id: a, type: JSON, value: '{{ outputs.a }}', displayName: A, description: x}",
        "{id: a, type: FILE, value: '{{ outputs.a.uri }}', required: false}",
        "{id: a, type: BOOLEAN, value: true}",
        "{id: a-b.c, type: INT, value: 3}",
        "{id: a, type: JSON, value: {a: '{{ 1 }}'}}",
    ],
)
def test_outputs(declared: str) -> None:
    check_accepted(f"{LOG}outputs:\n  - {declared}\n")


# --- Tasks ----------------------------------------------------------------------------------------

TASKS = {
    "every shared property": """
        description: x
        retry: {type: constant, interval: PT1S, maxAttempt: 3, maxDuration: PT1H,
                warningOnRetry: true, behavior: RETRY_FAILED_TASK}
        timeout: PT5M
        disabled: false
        runIf: "{{ inputs.x == 'y' }}"
        allowFailure: true
        allowWarning: false
        logLevel: INFO
        logToFile: false
        """,
    "expressions for values": """
        timeout: "{{ vars.timeout }}"
        runIf: "{{ true }}"
        """,
    "shared properties that are empty": "retry:\n        timeout:\n        runIf:\n        when:\n",
    "runIf without quotes": "runIf: true",
    "the name of 2.0": "when: \"{{ inputs.x }}\"",
    "booleans in quotes": 'disabled: "false"\n        allowFailure: "true"',
    "exponential": "retry: {type: exponential, interval: PT1S, maxInterval: PT1M, maxAttempts: 5}",
    "exponential with a factor":
        "retry: {type: exponential, interval: PT1S, maxInterval: PT1M, delayFactor: 1.5}",
    "random": "retry: {type: random, minInterval: PT1S, maxInterval: PT1M, maxDuration: PT1H}",
    "attempts as text": 'retry: {type: constant, interval: PT1S, maxAttempts: "3"}',
    "an interval in seconds": "retry: {type: constant, interval: 30}",
    "a cache": "taskCache: {enabled: true, ttl: PT1H}",
    "assets": "assets: {inputs: [{id: a}], outputs: [{id: b, type: x}]}",
}  # fmt: skip


@pytest.mark.parametrize("more", TASKS.values(), ids=TASKS)
def test_tasks(more: str) -> None:
    check_accepted(f"""
    tasks:
      - id: a
        type: io.kestra.plugin.core.log.Log
        message: hi
        {more}
    """)


CORE = {
    "Log of a list": "{type: log.Log, message: [a, '{{ b }}'], level: WARN}",
    "Log of a number": "{type: log.Log, message: 3}",
    "Log with a level as an expression": "{type: log.Log, message: a, level: '{{ vars.l }}'}",
    "Return of nothing": "{type: debug.Return}",
    "Return of a number": "{type: debug.Return, format: 3}",
    "Return of text in many lines": "{type: debug.Return, format: \"a\\nb {{ c | jq('.x') }}\"}",
    "Echo": "{type: debug.Echo, format: x, level: INFO}",
    "OutputValues": "{type: output.OutputValues, values: {a: '{{ 1 }}', b: {c: [1, true]}}}",
    "Sleep": "{type: flow.Sleep, duration: PT1S}",
    "Sleep for an expression": "{type: flow.Sleep, duration: '{{ vars.d }}'}",
    "Fail": "{type: execution.Fail}",
    "Fail on a condition": "{type: execution.Fail, condition: '{{ true }}', errorMessage: no}",
    "Assert": "{type: execution.Assert, conditions: ['{{ 1 == 1 }}', 'true'], errorMessage: no}",
    "Exit": "{type: execution.Exit, state: WARNING}",
    "Labels as a map": "{type: execution.Labels, labels: {a: '{{ 1 }}', b: 2}}",
    "Labels as a list": "{type: execution.Labels, labels: [{key: a, value: b}]}",
    "Labels as text": "{type: execution.Labels, labels: '{{ inputs.labels }}'}",
    "SetVariables": "{type: execution.SetVariables, variables: {a: 1}, overwrite: false}",
    "UnsetVariables": "{type: execution.UnsetVariables, variables: [a], ignoreMissing: true}",
}


@pytest.mark.parametrize("task", CORE.values(), ids=CORE)
def test_core_tasks(task: str) -> None:
    full = task.replace("{type: ", "{id: a, type: io.kestra.plugin.core.", 1)
    check_accepted(f"tasks:\n  - {full}\n")


FLOWABLES = {
    "Sequential": "{type: Sequential, tasks: [L], errors: [M], finally: [N]}",
    "Parallel": "{type: Parallel, concurrent: 2, tasks: [L, M]}",
    "Parallel without errors": "{type: Parallel, tasks: [L], errors: , finally: []}",
    "Dag": "{type: Dag, tasks: [{task: L}, {task: M, dependsOn: [l]}], concurrent: 1}",
    "Dag with empty dependencies": "{type: Dag, tasks: [{task: L, dependsOn: }, "
    "{task: M, dependsOn: []}]}",
    "ForEach of text": '{type: ForEach, values: \'["a", "b"]\', tasks: [L]}',
    "ForEach of a list": "{type: ForEach, values: [1, a, {b: c}], concurrencyLimit: 0, tasks: [L]}",
    "ForEach of an expression": "{type: ForEach, values: '{{ inputs.x }}', tasks: [L]}",
    "EachSequential": "{type: EachSequential, value: ['{{ a }}', b], tasks: [L]}",
    "EachParallel": "{type: EachParallel, value: '{{ a }}', concurrent: 2, tasks: [L]}",
    "If": "{type: If, condition: '{{ a == b }}', then: [L], else: [M]}",
    "If without else": "{type: If, condition: '{{ a is defined }}', then: [L], else: }",
    "If with a boolean": "{type: If, condition: true, then: [L]}",
    "Switch": "{type: Switch, value: '{{ a }}', cases: {x: [L], y: [M]}, defaults: [N]}",
    "Switch by booleans": "{type: Switch, value: '{{ a }}', cases: {true: [L], false: [M]}}",
    "Switch by numbers": "{type: Switch, value: 3, cases: {1: [L], 2.5: [M]}}",
    "AllowFailure": "{type: AllowFailure, tasks: [L]}",
    "a retry on a flowable": "{type: Sequential, retry: {type: constant, interval: PT1S}, "
    "tasks: [L]}",
    "runIf and timeout on a flowable": "{type: Sequential, runIf: '{{ a }}', timeout: PT1M, "
    "disabled: true, allowFailure: true, tasks: [L]}",
    "in each other": "{type: Parallel, tasks: [{id: s, type: P.Sequential, tasks: [{id: i, "
    "type: P.If, condition: 'true', then: [{id: f, type: P.ForEach, values: [1], tasks: [L]}]}]}]}",
}


@pytest.mark.parametrize("task", FLOWABLES.values(), ids=FLOWABLES)
def test_flowable_tasks(task: str) -> None:
    full = task.replace("{type: ", "{id: a, type: P.", 1)
    full = full.replace("P.", "io.kestra.plugin.core.flow.")
    for letter in "LMN":
        log = f"{{id: {letter.lower()}, type: io.kestra.plugin.core.log.Log, message: hi}}"
        for before, after in (("[", ","), ("[", "]"), (" ", "]"), (" ", "}"), (" ", ",")):
            full = full.replace(f"{before}{letter}{after}", f"{before}{log}{after}")
    check_accepted(f"tasks:\n  - {full}\n")


# --- Script tasks ---------------------------------------------------------------------------------

SCRIPTS = {
    "inline": "script: |\n      print(1)",
    "before commands": "beforeCommands: [pip install pandas, 'echo {{ inputs.x }}']\n    script: a",
    "one before command as an expression": "beforeCommands: '{{ vars.c }}'\n    script: a",
    "a container": "containerImage: python:3.11-slim\n    script: a",
    "an image of an expression": "containerImage: '{{ outputs.build.imageId }}'\n    script: a",
    "docker": "taskRunner: {type: io.kestra.plugin.scripts.runner.docker.Docker}\n    script: a",
    "docker with everything": """taskRunner:
      type: io.kestra.plugin.scripts.runner.docker.Docker
      image: python:3.11
      pullPolicy: NEVER
      networkMode: host
      volumes: ["/tmp:/tmp"]
      user: root
      entryPoint: [""]
      extraHosts: [a:1.2.3.4]
      cpu: {cpus: 2}
      memory: {memory: 512MB}
      credentials: {registry: r, username: u, password: "{{ secret('P') }}"}
    script: a""",
    "docker with limits as text": "taskRunner: {type: io.kestra.plugin.scripts.runner.docker.Docker"
    ", cpu: {cpus: '0.5'}, memory: {memory: 1GB}}\n    script: a",
    "process": "taskRunner: {type: io.kestra.plugin.core.runner.Process}\n    script: a",
    "the old runner": "runner: DOCKER\n    docker: {image: python:3, pullPolicy: IF_NOT_PRESENT}\n"
    "    script: a",
    "the old process": "runner: PROCESS\n    script: a",
    "env": "env: {A: x, B: '{{ inputs.b }}', C: 3, D: true, E: }\n    script: a",
    "input files as a map": "inputFiles: {a.py: 'print(1)', b.csv: '{{ outputs.a.uri }}'}\n"
    "    script: a",
    "input files as an expression": "inputFiles: '{{ outputs.a.outputFiles }}'\n    script: a",
    "input files as a list": "inputFiles: [a.py]\n    script: a",
    "output files": "outputFiles: ['*.csv', 'data/**', '{{ inputs.f }}']\n    script: a",
    "one output file": "outputFiles: a.csv\n    script: a",
    "namespace files": "namespaceFiles: {enabled: true, include: [a.py], exclude: [b.py]}\n"
    "    script: a",
    "namespace files of 1.x": "namespaceFiles: {enabled: '{{ true }}', namespaces: [a.b], "
    "ifExists: OVERWRITE, folderPerNamespace: false}\n    script: a",
    "warningOnStdErr": "warningOnStdErr: false\n    script: a",
    "dependencies": "dependencies: [pandas, 'requests>=2']\n    script: a",
    "a Python version": "pythonVersion: '3.12'\n    dependencies: [x]\n    script: a",
    "a Python version as a number": "pythonVersion: 3.12\n    script: a",
    "packages and caches": "dependencyCacheEnabled: false\n    packageManager: UV\n    script: a",
    "interpreter": "interpreter: [/bin/bash, -c]\n    failFast: false\n    targetOS: LINUX\n"
    "    script: a",
    "a worker selector": "script: a\n    workerSelector: {tags: [gpu]}",
    "lists that are empty": "beforeCommands: []\n    outputFiles: []\n    inputFiles: {}\n"
    "    env: {}\n    script: a",
    "lists that are null": "beforeCommands:\n    outputFiles:\n    inputFiles:\n    env:\n"
    "    taskRunner:\n    script: a",
}


@pytest.mark.parametrize("more", SCRIPTS.values(), ids=SCRIPTS)
def test_script_tasks(more: str) -> None:
    check_accepted(
        f"tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.python.Script\n    {more}\n"
    )


@pytest.mark.parametrize(
    "more",
    [
        "commands: [a, b]",
        "commands:\n      - |\n        a\n        b",
        "commands: '{{ vars.commands }}'",
        "commands: ['{{ a }}', 3]",
    ],
)
def test_lists_of_commands(more: str) -> None:
    for kind in ("shell", "python"):
        check_accepted(
            f"tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.{kind}.Commands\n    {more}\n"
        )


# --- Triggers -------------------------------------------------------------------------------------

TRIGGERS = {
    "a schedule": '{type: Schedule, cron: "0 9 * * 1-5"}',
    "nicknames": '{type: Schedule, cron: "@daily"}',
    "a schedule with everything": '{type: Schedule, cron: "*/5 * * * *", timezone: Europe/Paris, '
    "inputs: {a: 1}, recoverMissedSchedules: NONE, lateMaximumDelay: PT1H, disabled: true, "
    "description: x, labels: {a: b}, stopAfter: [FAILED], allowConcurrent: true}",
    "conditions": '{type: Schedule, cron: "0 9 * * *", conditions: ['
    "{type: io.kestra.plugin.core.condition.DayWeekInMonth, date: '{{ trigger.date }}', "
    "dayOfWeek: MONDAY, dayInMonth: FIRST}]}",
    "old conditions": '{type: Schedule, cron: "0 9 * * *", conditions: [{type: '
    "io.kestra.core.models.conditions.types.DayWeekCondition, dayOfWeek: MONDAY}]}",
    "a condition in a condition": '{type: Schedule, cron: "0 9 * * *", conditions: [{type: '
    "io.kestra.plugin.core.condition.Not, conditions: [{type: "
    "io.kestra.plugin.core.condition.Weekend}]}]}",
    "an old schedule": '{type: io.kestra.core.models.triggers.types.Schedule, cron: "0 9 * * *"}',
    "a webhook": "{type: Webhook, key: abc}",
    "a webhook that answers": "{type: Webhook, key: '{{ secret(\"K\") }}', wait: true, "
    "returnOutputs: true, responseContentType: text/plain}",
    "a flow trigger": "{type: Flow, inputs: {a: '{{ trigger.executionId }}'}, conditions: [{type: "
    "io.kestra.plugin.core.condition.ExecutionFlow, namespace: a, flowId: b}, {type: "
    "io.kestra.plugin.core.condition.ExecutionStatus, in: [SUCCESS]}]}",
    "preconditions": "{type: Flow, preconditions: {id: p, flows: [{namespace: a, flowId: b, "
    "states: [SUCCESS]}]}}",
    "conditions by name": "{type: Flow, conditions: [{type: "
    "io.kestra.plugin.core.condition.MultipleCondition, id: m, window: P1D, conditions: {a: {type: "
    "io.kestra.plugin.core.condition.ExecutionFlow, namespace: a, flowId: b}}}]}",
    "a trigger of 2.0": "{type: Flow, mode: ALL, dependsOn: [{flowId: a, namespace: b}]}",
    "a trigger of a plugin": "{type: io.kestra.plugin.aws.s3.Trigger, on: CREATE, "
    "action: NONE, bucket: b}",
    "a realtime trigger": "{type: io.kestra.plugin.kafka.RealtimeTrigger, topic: t, groupId: g, "
    "properties: {bootstrap.servers: kafka}}",
    "somebody's own trigger": "{type: com.company.plugins.Trigger, x: 1}",
}


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_triggers(trigger: str) -> None:
    full = trigger.replace("{type: ", "{id: t, type: io.kestra.plugin.core.trigger.", 1)
    full = full.replace("io.kestra.plugin.core.trigger.io.", "io.")
    full = full.replace("io.kestra.plugin.core.trigger.com.", "com.")
    assert verdict(f"{LOG}triggers:\n  - {full}\n")[0] == ()


# --- What is wrong --------------------------------------------------------------------------------

TYPES = {
    # Types of public flows that do not exist, with what their authors meant.
    "io.kestra.plugin.core.http.Http": "`io.kestra.plugin.core.http` has Download, Request",
    "io.kestra.plugin.scripts.http.Request": "`io.kestra.plugin.core.http.Request`",
    "io.kestra.plugin.scripts.shell.BashScript": "`io.kestra.plugin.scripts.shell.Script`",
    "io.kestra.plugin.scripts.shells.Commands": "`io.kestra.plugin.scripts.shell.Commands`",
    "io.kestra.core.tasks.scripts.Shell": "`io.kestra.plugin.scripts.shell.Script`",
    "io.kestra.plugin.core.scripts.Shell": "`io.kestra.plugin.scripts.shell.Script`",
    "io.kestra.plugin.core.scripts.Script": "",
    "io.kestra.plugin.core.flow.Fail": "`io.kestra.plugin.core.execution.Fail`",
    "io.kestra.plugin.jdbc.jdbc.postgres.Query": "`io.kestra.plugin.jdbc.postgresql.Query`",
    "io.kestra.plugin.dbt.tasks.DbtRun": "`io.kestra.plugin.dbt.cli.Run`",
    "io.kestra.plugin.fs.s3.Upload": "`io.kestra.plugin.aws.s3.Upload`",
    # Slips of the pen.
    "io.kestra.plugin.core.log.Logg": "`io.kestra.plugin.core.log.Log`",
    "io.kestra.plugin.script.python.Script": "`io.kestra.plugin.scripts.python.Script`",
    "io.kestra.plugin.scripts.python.Scirpt": "`io.kestra.plugin.scripts.python.Script`",
    "io.kestra.plugin.scripts.bash.Commands": "`io.kestra.plugin.scripts.shell.Commands`",
    "io.kestra.plugin.gcp.bigqury.Query": "`io.kestra.plugin.gcp.bigquery.Query`",
    "io.kestra.plugin.postgresql.Query": "`io.kestra.plugin.jdbc.postgresql.Query`",
    "io.kestra.plugin.log.Log": "`io.kestra.plugin.core.log.Log`",
    "com.kestra.plugin.core.log.Log": "`io.kestra.plugin.core.log.Log`",
    "Log": "`io.kestra.plugin.core.log.Log`",
    "io.kestra.plugin.core.flow.Foreach2": "`io.kestra.plugin.core.flow.ForEach`",
    # Right names in the wrong place.
    "io.kestra.plugin.core.trigger.Schedule": "is a trigger, not a task",
    "io.kestra.plugin.core.condition.Weekend": "is a condition, not a task",
    "io.kestra.plugin.core.runner.Process": "is a task runner, not a task",
}


@pytest.mark.parametrize("kind", TYPES)
def test_types_that_do_not_exist(kind: str) -> None:
    check_refused(f"tasks:\n  - id: a\n    type: {kind}\n", "unknown_type", 5, TYPES[kind])


@pytest.mark.parametrize(
    "kind",
    [
        "io.kestra.core.tasks.scripts.Node",
        "io.kestra.plugin.jdbc.postgresql.CopyIn",
        "io.kestra.plugin.jdbc.mysql.Query",
        "io.kestra.plugin.gcp.gcs.Upload",
        "io.kestra.plugin.gcp.bigquery.LoadFromGcs",
        "io.kestra.plugin.aws.s3.Download",
        "io.kestra.plugin.dbt.cli.DbtCLI",
        "io.kestra.plugin.scripts.jbang.Commands",
        "io.kestra.plugin.notifications.slack.SlackIncomingWebhook",
        "io.kestra.plugin.slack.notifications.SlackIncomingWebhook",
        "io.kestra.plugin.fs.ssh.Command",
        "io.kestra.plugin.docker.Run",
        "io.kestra.plugin.serdes.csv.CsvWriter",
        "io.kestra.plugin.ai.agent.AIAgent",
        "io.kestra.plugin.ee.flow.HumanTask",
        # Not listed, and plausible: a package that is known, a service, a company's own.
        "io.kestra.plugin.gcp.bigquery.SomethingNew",
        "io.kestra.plugin.aws.newservice.Run",
        "io.kestra.plugin.jdbc.newdatabase.Query",
        "io.kestra.plugin.newservice.issues.Create",
        "io.kestra.plugin.some.product.Thing",
        "com.company.plugins.Report",
        # Plausible, and near to a listed one: still no mistake.
        "io.kestra.plugin.gcp.gcs.Uploads",
    ],
)
def test_types_that_are_only_not_carried(kind: str) -> None:
    problems, _ = verdict(f"tasks:\n  - id: a\n    type: {kind}\n")
    assert [problem.code for problem in problems] == [NOT_CARRIED]
    assert problems[0].line == 5


REFUSED = {
    # Invented properties of public flows.
    "a name of the flow": (LOG + "name: x\n", "unknown_property", 4, "`name`"),
    "a schedule of the flow": (LOG + "schedule: x\n", "unknown_property", 4, "`schedule`"),
    "a slip in description": (LOG + "desciption: x\n", "unknown_property", 4, "`description`"),
    "pluginsDefaults": (LOG + "pluginsDefaults: []\n", "unknown_property", 4, "`pluginDefaults`"),
    "a key of concurrency": (
        LOG + "concurrency:\n  limit: 1\n  key: x\n", "unknown_property", 6, "`key`",
    ),
    "default of an input": (
        LOG + "inputs:\n  - id: a\n    type: STRING\n    default: x\n",
        "unknown_property", 7, "did you mean `defaults`?",
    ),
    "a lower-case type": (
        LOG + "inputs:\n  - id: a\n    type: string\n", "literal_error", 6, "`string`",
    ),
    "an input without type": (LOG + "inputs:\n  - id: a\n", "missing", 5, "type"),
    "an ARRAY of ARRAYs": (
        LOG + "inputs:\n  - {id: a, type: ARRAY, itemType: ARRAY}\n", "rule", 5, "`ARRAY`",
    ),
    "a pattern that is none": (
        LOG + "inputs:\n  - {id: a, type: STRING, validator: '['}\n", "rule", 5, "[",
    ),
    "an input that depends on nothing": (
        LOG + "inputs:\n  - id: a\n    type: STRING\n    dependsOn:\n      inputs: [b]\n",
        "unknown_input", 8, "non-existent input 'b'",
    ),
    "the same id twice": (
        "tasks:\n  - {id: a, type: io.kestra.plugin.jdbc.mysql.Query}\n"
        "  - {id: a, type: io.kestra.plugin.core.log.Log, message: x}\n",
        "duplicate_id", 5, "Duplicate task id with name [a]",
    ),
    "the same id in a handler": (
        LOG + "errors:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: x}\n",
        "duplicate_id", 5, "Duplicate task id",
    ),
    "an expression in an id": (
        "tasks:\n  - id: 'avg_{{ item.value }}'\n    type: io.kestra.plugin.core.debug.Return\n",
        "string_pattern_mismatch", 4, "avg_",
    ),
    "a placeholder for a namespace": (
        "id: a\nnamespace: ${var.ns}\n" + LOG, "string_pattern_mismatch", 2, "${var.ns}",
    ),
    "dependsOn outside of a Dag": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    commands: [x]\n    dependsOn: [b]\n",
        "unknown_property", 7, "`dependsOn`",
    ),
    "requirements": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.python.Script\n"
        "    script: x\n    requirements: [b]\n",
        "unknown_property", 7, "`requirements`",
    ),
    "envs": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.python.Script\n"
        "    script: x\n    envs: {A: b}\n",
        "unknown_property", 7, "did you mean `env`?",
    ),
    "a script without a script": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.python.Script\n",
        "missing", 4, "script",
    ),
    "a retry of no type": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.core.debug.Return\n"
        "    retry:\n      maxAttempts: 3\n",
        "union_tag_not_found", 6, "missing required property `type`",
    ),
    "initialDelay": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.core.debug.Return\n    retry:\n"
        "      type: exponential\n      interval: PT1S\n      maxInterval: PT1M\n"
        "      initialDelay: PT1S\n",
        "unknown_property", 10, "`initialDelay`",
    ),
    "a Subflow that calls its own flow": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.core.flow.Subflow\n"
        "    namespace: company.team\n    flowId: real\n",
        "recursive", 7, "Recursive call to flow [company.team.real]",
    ),
    "a trigger that does not exist": (
        LOG + "triggers:\n  - id: t\n    type: io.kestra.core.trigger.Schedule\n",
        "unknown_type", 6, "did you mean `io.kestra.plugin.core.trigger.Schedule`?",
    ),
    "a webhook in the package of http": (
        LOG + "triggers:\n  - id: t\n    type: io.kestra.plugin.core.http.Webhook\n",
        "unknown_type", 6, "did you mean `io.kestra.plugin.core.trigger.Webhook`?",
    ),
    "a trigger with its names exchanged": (
        LOG + "triggers:\n  - id: t\n    type: io.kestra.plugin.core.flow.Trigger\n",
        "unknown_type", 6, "did you mean `io.kestra.plugin.core.trigger.Flow`?",
    ),
    "a task among the triggers": (
        LOG + "triggers:\n  - id: t\n    type: io.kestra.plugin.core.log.Log\n",
        "unknown_type", 6, "is a task, not a trigger",
    ),
    "a condition that does not exist": (
        LOG + "triggers:\n  - id: t\n    type: io.kestra.plugin.core.trigger.Webhook\n"
        "    key: k\n    conditions:\n      - type: io.kestra.plugin.core.condition.Weekends\n",
        "unknown_type", 9, "did you mean `io.kestra.plugin.core.condition.Weekend`?",
    ),
    "a task runner that does not exist": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    commands: [x]\n    taskRunner:\n      type: io.kestra.plugin.core.runner.Proces\n",
        "unknown_type", 8, "did you mean `io.kestra.plugin.core.runner.Process`?",
    ),
    "a provider that does not exist": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.ai.agent.AIAgent\n"
        "    provider:\n      type: io.kestra.plugin.ai.providers.OpenAI\n",
        "unknown_type", 7, "did you mean `io.kestra.plugin.ai.provider.OpenAI`?",
    ),
    # Text that is no YAML, or not the YAML that its author thinks it is.
    "an expression without quotes": (
        LOG + "outputs:\n  - id: a\n    value: {{ outputs.a.value }}\n", "yaml", 6, "quotes",
    ),
    "three quotes": (
        LOG + 'description: """\n  x\n  """\n', "yaml", 4, "write text of several lines after `|`",
    ),
    "a star": (LOG + "variables:\n  user: **\n", "yaml", 5, "YAML"),
    "a property twice": (LOG + "disabled: true\ndisabled: false\n", "yaml", 5, "duplicate key"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    text, code, line, words = REFUSED[name]
    try:
        check_refused(text, code, line, words)
    except InvalidFlow as refused:
        (problem,) = refused.problems
        assert (problem.code, problem.line) == (code, line), str(problem)
        assert words in str(problem)


def test_a_type_that_is_not_carried_hides_nothing_else() -> None:
    problems, _ = verdict("""\
        id: real
        namespace: company.team
        tasks:
          - id: a
            type: io.kestra.plugin.jdbc.mysql.Query
            retry: {type: constant}
          - id: a
            type: io.kestra.plugin.core.log.Log
            mesage: x
        triggers:
          - id: t
            type: io.kestra.plugin.core.trigger.Scedule
        outputs:
          - {id: o, value: x}
          - {id: o, value: y}
    """)
    assert [(problem.line, problem.code) for problem in problems] == [
        (5, "type_not_carried"),
        (6, "missing"),
        (7, "missing"),
        (7, "duplicate_id"),
        (9, "unknown_property"),
        (12, "unknown_type"),
        (15, "duplicate_id"),
    ]


# --- What is told and refuses nothing -------------------------------------------------------------

WARNED = {
    "an old type": (
        "tasks: [{id: a, type: io.kestra.core.tasks.log.Log, message: x}]\n",
        "deprecated", "write `io.kestra.plugin.core.log.Log`",
    ),
    "an old trigger": (
        LOG + "triggers: [{id: t, type: io.kestra.core.models.triggers.types.Webhook, key: k}]\n",
        "deprecated", "write `io.kestra.plugin.core.trigger.Webhook`",
    ),
    "an old condition": (
        LOG + "triggers: [{id: t, type: io.kestra.plugin.core.trigger.Webhook, key: k, conditions: "
        "[{type: io.kestra.plugin.core.condition.ExpressionCondition, expression: x}]}]\n",
        "deprecated", "write `io.kestra.plugin.core.condition.Expression`",
    ),
    "taskDefaults": (LOG + "taskDefaults: []\n", "deprecated", "write `pluginDefaults`"),
    "a default for an old type": (
        LOG + "pluginDefaults: [{type: io.kestra.core.tasks.log.Log, values: {level: WARN}}]\n",
        "deprecated", "write `io.kestra.plugin.core.log.Log`",
    ),
    "the name of an input": (
        LOG + "inputs: [{name: a, type: STRING}]\n", "deprecated", "write `id`",
    ),
    "an old loop": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.core.flow.EachSequential\n    value: [1]\n"
        "    tasks: [{id: b, type: io.kestra.plugin.core.debug.Return}]\n",
        "deprecated", "use ForEach",
    ),
    "a timeout in words": (
        "tasks: [{id: a, type: io.kestra.plugin.core.debug.Return, timeout: 5m}]\n",
        "duration", "`5m` is not an ISO-8601 duration",
    ),
    "an expression that can't be read": (
        "tasks: [{id: a, type: io.kestra.plugin.core.debug.Return, format: '{{ a + }}'}]\n",
        "expression", "tasks[0].format",
    ),
    "Jinja's filter": (
        "tasks: [{id: a, type: io.kestra.plugin.core.debug.Return, format: '{{ a | tojson }}'}]\n",
        "expression", "toJson",
    ),
    "the shell's length of a variable": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.shell.Script\n"
        "    script: echo ${#NAME}\n",
        "expression", "tasks[0].script: a comment `{#` is not closed by `#}`; "
        "write `{% raw %}${#NAME}{% endraw %}`",
    ),
    "text between two of the shell's braces": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.shell.Script\n"
        "    env: {PAIR: 'a${#X} and ${Y#}'}\n    script: echo $PAIR\n",
        "expression", "tasks[0].env.PAIR: `{#X} and ${Y#}` is a comment",
    ),
    "Go's template in a command": (
        "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    commands: [\"docker ps --format '{{.Names}}'\"]\n",
        "expression", "commands[0]",
    ),
    "a file that is none": (
        LOG + "inputs: [{id: a, type: FILE, defaults: data.csv}]\n", "no_effect", "`data.csv`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNED)
def test_what_is_a_warning(name: str) -> None:
    text, code, words = WARNED[name]
    problems, warnings = verdict(text)
    assert problems == ()
    assert any(
        warning.code == code and words in str(warning) and warning.line for warning in warnings
    ), [str(warning) for warning in warnings]


# --- Anything at all ------------------------------------------------------------------------------

WHOLE = load_document("""\
id: whole
namespace: company.team
labels: [{key: a, value: b}]
inputs: [{id: i, type: SELECT, values: [a], dependsOn: {inputs: [i]}}]
variables: {v: "{{ inputs.i }}"}
concurrency: {limit: 1}
pluginDefaults: [{type: io.kestra.plugin, forced: true, values: {timeout: PT1M}}]
tasks:
  - id: s
    type: io.kestra.plugin.core.flow.Dag
    tasks: [{task: {id: t, type: io.kestra.plugin.core.log.Log, message: [a]}, dependsOn: []}]
  - id: p
    type: io.kestra.plugin.scripts.python.Script
    script: x
    taskRunner: {type: io.kestra.plugin.scripts.runner.docker.Docker, cpu: {cpus: 1}}
    retry: {type: constant, interval: PT1S}
    inputFiles: {a: b}
  - {id: a, type: io.kestra.plugin.ai.agent.AIAgent, provider: {type: io.kestra.x}, tools: [1]}
errors: [{id: e, type: io.kestra.plugin.core.flow.Subflow, namespace: a, flowId: b}]
triggers:
  - {id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily", conditions: [{type: x}]}
outputs: [{id: o, type: STRING, value: x}]
""")
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("{{ x"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "type", "tasks", "values"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(data=st.data())
def test_whatever_stands_somewhere_a_flow_is_read_or_refused(data: st.DataObject) -> None:
    value = copy.deepcopy(WHOLE.value)
    place = data.draw(st.sampled_from([place for place in WHOLE.lines if place]))
    holder = value
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = data.draw(ODD)

    told: tuple[Problem, ...] = ()
    try:
        flow_parser().parse(SourceDocument(value, WHOLE.lines))
    except InvalidFlow as refused:
        told = refused.problems
    assert all(problem.message and problem.line for problem in told)
