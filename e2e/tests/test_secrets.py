"""Secrets reach the tasks that use them, and nothing that Penstock writes ever shows one."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.fixtures.scenario import PYTHON_IMAGE, SHELL_IMAGE, ExecutionView, FlowView, Scenario
from e2e.tests.test_logs import archived, asked
from penstock.kubernetes.observation.podstatus import container_name
from penstock.kubernetes.observation.shared_pod import attempts_in
from penstock.tasks.contract.core_types import CORE_TYPES
from penstock.tasks.contract.definition import TaskDefinition
from penstock.tasks.scripts.languages import OLD_SCRIPTS, PYTHON, SHELL
from penstock.tasks.scripts.script_types import SCRIPT_TYPES, language_of

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]

TOKEN = "hunter2-7c1e4f0b9d"
ODD = 'it\'s "odd" $(X) $$ `id` \\n <&> üñí 5d1f'
LINES = "-----BEGIN-----\nc2VjcmV0LWxpbmUtOWE4Yg==\n-----END-----\n"
VALUES = {"TOKEN": TOKEN, "ODD": ODD, "LINES": LINES}


class Requests:
    """An HTTP server that remembers what it was asked."""

    def __init__(self, host: str) -> None:
        self.seen: list[dict[str, str]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append({"path": self.path, **dict(self.headers.items())})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(str(self.headers.get("Authorization")).encode())

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def requests(kubernetes: Kubernetes) -> Iterator[Requests]:
    server = Requests(address_for_pods(kubernetes))
    yield server
    server.close()


def give(scenario: Scenario, name: str = "penstock-secrets", **values: str) -> None:
    """Make a Secret, as `kubectl create secret generic` does."""
    body = {"metadata": {"name": name}, "stringData": values}
    scenario.kubernetes.core.create_namespaced_secret(scenario.namespace, body)


def flow(scenario: Scenario, tasks: list[dict[str, Any]], **more: Any) -> FlowView:
    document = {"id": "secrets", "namespace": "company.team", "tasks": tasks, **more}
    return scenario.flow(json.dumps(document))


def script(id: str, text: str, **properties: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "io.kestra.plugin.scripts.shell.Script",
        "containerImage": SHELL_IMAGE,
        "script": text,
        **properties,
    }


def sha(text: str) -> str:
    """The output of a script for a text, so that a test can tell which text it had."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_request_has_a_secret_in_its_header_and_address(
    scenario: Scenario, requests: Requests
) -> None:
    # given
    give(scenario, **VALUES)
    request = {
        "id": "ask",
        "type": "io.kestra.plugin.core.http.Request",
        "uri": f"{requests.url}/{{{{ secret('TOKEN') | upper }}}}",
        "headers": {
            "Authorization": "Bearer {{ secret('TOKEN') }}",
            "X-Basic": "Basic {{ ('user:' ~ secret('TOKEN')) | base64encode }}",
        },
    }
    # when
    execution = scenario.execution(flow(scenario, [request])).ends("SUCCESS")
    # then
    (seen,) = requests.seen
    assert seen["path"] == f"/{TOKEN.upper()}"
    assert seen["Authorization"] == f"Bearer {TOKEN}"
    assert seen["X-Basic"] == f"Basic {base64.b64encode(f'user:{TOKEN}'.encode()).decode()}"
    assert execution.outputs("ask")["body"] == "Bearer ******"


def test_a_script_has_secrets_in_its_text_and_environment(scenario: Scenario) -> None:
    # given
    give(scenario, **VALUES)
    text = """
sum() { sha256sum | cut -c 1-16; }
token=$(printf %s '{{ secret('TOKEN') }}' | sum)
odd=$(printf %s "$ODD" | sum)
upper=$(printf %s '{{ secret('TOKEN') | upper }}' | sum)
encoded=$(printf %s "$ENCODED" | sum)
lines=$(cat lines | sum)
sub=$(echo '$(TOKEN) $$' | cut -c 1-8)
give() { printf '::{"outputs": {"%s": "%s"}}::\\n' "$1" "$2"; }
give token "$token"; give odd "$odd"; give upper "$upper"
give encoded "$encoded"; give lines "$lines"; give sub "$sub"
"""
    plain = script("plain", text.replace("{{ secret('TOKEN') | upper }}", "x"))
    plain |= {"env": {"ODD": "{{ secret('ODD') }}", "ENCODED": "x"}}
    both = script("both", text)
    both["env"] = {"ODD": "{{ secret('ODD') }}", "ENCODED": "{{ secret('ODD') | base64encode }}"}
    long = script("long", "# padding\n" * 12_000 + text)
    long["env"] = both["env"]
    for task in (plain, both, long):
        task["inputFiles"] = {"lines": "{{ secret('LINES') }}"}
    # when
    execution = scenario.execution(flow(scenario, [plain, both, long])).ends("SUCCESS")
    # then
    wanted = {
        "token": sha(TOKEN),
        "odd": sha(ODD),
        "upper": sha(TOKEN.upper()),
        "encoded": sha(base64.b64encode(ODD.encode()).decode()),
        "lines": sha(LINES),
        "sub": "$(TOKEN)",
    }
    assert execution.outputs("both")["vars"] == wanted
    assert execution.outputs("long")["vars"] == wanted
    assert execution.outputs("plain")["vars"] == wanted | {"upper": sha("x"), "encoded": sha("x")}
    (pod,) = execution.pods("plain")
    assert len(pod["spec"]["containers"]) == 1
    assert not pod["spec"].get("initContainers")


def test_the_files_of_a_working_directory_have_secrets(scenario: Scenario) -> None:
    # given
    give(scenario, TOKEN=TOKEN, ODD=ODD)
    told = (
        'echo "::{\\"outputs\\": {\\"sha\\": \\"$(sha256sum < NAME | cut -c1-16)\\"}}::"; cat NAME'
    )
    together = {
        "id": "together",
        "type": "io.kestra.plugin.core.flow.WorkingDirectory",
        "inputFiles": {
            "plain": "{{ secret('TOKEN') }}",
            "encoded": "{{ secret('ODD') | base64encode }}",
        },
        "tasks": [
            script("first", told.replace("NAME", "plain")),
            script("second", told.replace("NAME", "encoded")),
        ],
    }
    # when
    execution = scenario.execution(flow(scenario, [together])).ends("SUCCESS")
    # then
    encoded = base64.b64encode(ODD.encode()).decode()
    assert execution.outputs("first")["vars"] == {"sha": sha(TOKEN)}
    assert execution.outputs("second")["vars"] == {"sha": sha(encoded)}
    said = execution.log("first")
    assert "******" in said
    assert TOKEN not in said


def test_a_secret_stands_where_the_flow_or_the_settings_say(scenario: Scenario) -> None:
    # given
    give(scenario, "databases", **{"main.password": TOKEN})
    view = flow(scenario, [script("a", "echo '{{ secret('DB') }}' | sha256sum | cut -c 1-16")])
    annotation = {"penstock.dev/secrets": '{"DB": "databases/main.password"}'}
    scenario.kubernetes.patch(
        "flows", scenario.namespace, view.name, {"metadata": {"annotations": annotation}}
    )
    # then
    execution = scenario.execution(view).ends("SUCCESS")
    (pod,) = execution.pods()
    log = scenario.kubernetes.log(scenario.namespace, pod["metadata"]["name"])
    assert log.strip() == sha(f"{TOKEN}\n")


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, ["Secret `penstock-secrets` is not there"]), ({"OTHER": "x"}, ["has no key `TOKEN`"])],
    ids=["no-secret", "no-key"],
)
def test_a_missing_secret_fails_the_task_at_once(
    scenario: Scenario, given: dict[str, str], words: list[str]
) -> None:
    # given
    if given:
        give(scenario, **given)
    tasks = [
        script("plain", "echo {{ secret('TOKEN') }}", allowFailure=True),
        script("deferred", "echo {{ secret('TOKEN') | upper }}", allowFailure=True),
        {"id": "core", "type": "io.kestra.plugin.core.debug.Return",
         "format": "{{ secret('TOKEN') }}"},
    ]  # fmt: skip
    # when
    execution = scenario.execution(flow(scenario, tasks)).ends("FAILED", seconds=40)
    # then
    for task in ("plain", "deferred", "core"):
        (attempt,) = execution.run(task)["attempts"]
        assert attempt["reason"] == "SecretMissing"
        assert all(word in attempt["message"] for word in words), attempt["message"]
        assert "penstock.dev/secrets" in attempt["message"]


def test_the_controller_decides_nothing_by_a_secret(scenario: Scenario) -> None:
    # given
    give(scenario, **VALUES)
    decide = {
        "id": "decide",
        "type": "io.kestra.plugin.core.flow.If",
        "condition": "{{ secret('TOKEN') == 'x' }}",
        "then": [{"id": "a", "type": "io.kestra.plugin.core.debug.Return", "format": "x"}],
    }
    # when
    execution = scenario.execution(flow(scenario, [decide])).ends("FAILED")
    # then
    assert "can't be read here" in execution.run("decide")["message"]
    assert "let a script decide" in execution.run("decide")["message"]


@pytest.mark.parametrize("verb", ["get", "list", "watch", "update", "patch", "delete"])
def test_the_controller_has_no_right_to_read_secrets(verb: str) -> None:
    account = "system:serviceaccount:penstock-system:penstock"
    answer = subprocess.run(
        ["kubectl", "auth", "can-i", verb, "secrets", "--all-namespaces", f"--as={account}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() == "no"


INPUT = [{"id": "password", "type": "SECRET"}]


@pytest.mark.parametrize(
    "value",
    [{"secretKeyRef": {"name": "penstock-secrets", "key": "ODD"}}, "{{ secret('ODD') }}", ODD],
    ids=["reference", "secret", "text"],
)
def test_an_input_of_type_secret_reaches_the_tasks_and_no_status(
    scenario: Scenario, value: Any
) -> None:
    # given
    give(scenario, **VALUES)
    text = 'printf %s "$V" | sha256sum | cut -c 1-16; echo "$V"'
    tasks = [
        script("a", text, env={"V": "{{ inputs.password }}"}),
        script("b", text, env={"V": "{{ inputs.password | upper }}"}),
        {
            "id": "c",
            "type": "io.kestra.plugin.core.debug.Return",
            "format": "<{{ inputs.password }}>",
        },
    ]
    view = flow(scenario, tasks, inputs=INPUT)
    # when
    execution = scenario.execution(view, inputs={"password": value}).ends("SUCCESS")
    # then
    kubernetes, namespace = scenario.kubernetes, scenario.namespace
    logs = {
        task: kubernetes.log(namespace, execution.pods(task)[0]["metadata"]["name"])
        for task in ("a", "b")
    }
    assert logs == {"a": f"{sha(ODD)}\n******\n", "b": f"{sha(ODD.upper())}\n{ODD.upper()}\n"}
    assert execution.outputs("c") == {"value": "<******>"}
    written = [execution.body, kubernetes.jobs(namespace), kubernetes.pods(namespace)]
    text = json.dumps(written, ensure_ascii=False)
    for form in (json.dumps(ODD)[1:-1], json.dumps(ODD, ensure_ascii=False)[1:-1], "üñí 5d1f"):
        assert form not in text, around(text, form)


def test_the_example_runs(scenario: Scenario) -> None:
    # given
    give(scenario, GREETING_KEY="open-sesame")
    text = (ROOT / "examples" / "secrets.yaml").read_text()
    # when
    execution = scenario.execution(scenario.flow(text.replace("busybox:1.36", SHELL_IMAGE))).ends(
        "SUCCESS"
    )
    # then
    length = len(base64.b64encode(b"user:open-sesame"))
    wanted = {"sum": sha("open-sesame")[:8], "length": length}
    assert execution.outputs("sign")["vars"] == wanted
    assert execution.status["outputs"] == {"told": f"{wanted['sum']}, never shown: ******"}


@pytest.mark.long
def test_nothing_that_penstock_writes_shows_a_secret(
    scenario: Scenario, controller: Controller
) -> None:
    """Every type of task, with a secret in each of its texts."""
    # given
    give(scenario, **VALUES)
    tasks = [every_text(core, template) for core in CORE_TYPES for template in TEMPLATES]
    for kind in SCRIPT_TYPES:
        templates = TEMPLATES if language_of(kind.name) in (SHELL, PYTHON) else TEMPLATES[:1]
        tasks += [leaking(kind.name, template) for template in templates]
    numbered = [{"id": f"t{number}", "allowFailure": True, **task}
                for number, task in enumerate(tasks)]  # fmt: skip
    together = {
        "id": "all",
        "type": "io.kestra.plugin.core.flow.Parallel",
        "concurrent": 8,
        "tasks": numbered,
    }
    # when
    execution = scenario.execution(flow(scenario, [together]))
    execution.reaches("SUCCESS", "WARNING", "FAILED", seconds=400)
    # then
    assert len(execution.status["taskRuns"]) == len(tasks) + 1
    pods = [own for pod in execution.pods() for own in attempts_in(pod) if ended(own)]
    kept = asked(archived(execution, len(pods)))
    assert "******" in kept
    written = "\n".join([kept, *everything(scenario, execution, controller)])
    for form in (TOKEN, json.dumps(ODD)[1:-1], "c2VjcmV0LWxpbmUtOWE4Yg", "üñí 5d1f"):
        assert form not in written, around(written, form)
    assert "******" in written


CHILD = {
    "id": "child",
    "namespace": "company.team",
    "inputs": [{"id": "key", "type": "SECRET"}, {"id": "file", "type": "STRING", "defaults": "-"}],
    "tasks": [
        script(
            "tell",
            """printf '::{"outputs": {"sum": "%s"}}::\\n' """
            """"$(printf %s "$V" | sha256sum | cut -c 1-16)"; echo "$V" """,
            env={"V": "{{ inputs.key }}"},
        )
    ],
    "outputs": [{"id": "sum", "type": "STRING", "value": "{{ outputs.tell.vars.sum }}"}],
}
"""Tells by its output which secret it was given."""
GATE = {
    "id": "gate",
    "type": "io.kestra.plugin.core.flow.Pause",
    "onResume": [{"id": "key", "type": "SECRET"}, {"id": "note", "type": "STRING"}],
}


def subflow(id: str, key: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "io.kestra.plugin.core.flow.Subflow",
        "namespace": "company.team",
        "flowId": "child",
        "inputs": {"key": key},
        **more,
    }


def summed(id: str) -> dict[str, Any]:
    return {"id": id, "type": "STRING", "value": f"{{{{ outputs.{id}.outputs.sum }}}}"}


def applied(scenario: Scenario, name: str, **spec: Any) -> ExecutionView:
    """An Execution as `kubectl apply` makes it."""
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Execution",
        "metadata": {"name": name, "namespace": scenario.namespace},
        "spec": spec,
    }
    command = ["kubectl", "apply", "-f", "-"]
    subprocess.run(command, input=json.dumps(body), text=True, check=True, capture_output=True)
    return ExecutionView(scenario, name)


def test_no_text_of_a_secret_stays_where_people_and_tasks_give_it(
    scenario: Scenario, controller: Controller
) -> None:
    """Inputs, what a pause asks for, and what goes on to other executions."""
    # given
    give(scenario, **VALUES)
    texts = {name: f"hunter3-{name}-4c1b" for name in ("input", "answer", "refused", "replay")}
    scenario.flow(json.dumps(CHILD))
    waits = {
        "id": "waits",
        "namespace": "company.team",
        "tasks": [
            GATE | {"onResume": GATE["onResume"][:1]},
            subflow("given", "{{ outputs.gate.onResume.key }}"),
        ],
        "outputs": [summed("given")],
    }
    waiting = scenario.execution(scenario.flow(json.dumps(waits))).reaches("PAUSED")
    resume = {
        "id": "resume",
        "type": "io.kestra.plugin.core.execution.Resume",
        "executionId": waiting.name,
        "inputs": {"key": "{{ secret('TOKEN') }}"},
    }
    items = script("items", "printf 'a\nb\n' > items.txt", outputFiles=["items.txt"])
    each = subflow("each", "{{ secret('TOKEN') }}")
    each["type"] = "io.kestra.plugin.core.flow.ForEachItem"
    each["items"] = "{{ outputs.items.outputFiles['items.txt'] }}"
    each["inputs"]["file"] = "{{ taskrun.items }}"
    handing = {
        "secret": "{{ secret('TOKEN') }}",
        "input": "{{ inputs.password }}",
        "answer": "{{ outputs.gate.onResume.key }}",
    }
    children = [subflow(id, key) for id, key in handing.items()]
    view = flow(
        scenario,
        [GATE, *children, items, each, resume],
        inputs=[{"id": "password", "type": "SECRET"}, {"id": "n", "type": "INT", "defaults": 1}],
        outputs=[summed(id) for id in handing],
    )
    # when
    execution = applied(
        scenario, "applied", flow={"name": view.name}, inputs={"password": texts["input"], "n": 2}
    ).reaches("PAUSED")
    execution.is_refused(resume={"inputs": {"key": texts["refused"]}})
    scenario.eventually("it is hidden", lambda: not shown(scenario, texts.values()))
    execution.is_told(resume={"inputs": {"key": texts["answer"], "note": "n"}, "by": "ada"})
    execution.ends("SUCCESS", seconds=120)
    waiting.ends("SUCCESS")
    execution.is_told(replay={"task": "resume", "inputs": {"password": texts["replay"]}})
    # then
    sums = {"secret": TOKEN, "input": texts["input"], "answer": texts["answer"]}
    assert execution.status["outputs"] == {id: sha(text) for id, text in sums.items()}
    assert waiting.status["outputs"] == {"given": sha(TOKEN)}
    assert execution.outputs("each_items")["iterations"]["SUCCESS"] == 2
    scenario.eventually("nothing shows a text", lambda: not shown(scenario, texts.values()))
    spec = execution.body["spec"]
    assert spec["inputs"]["n"] == 2
    assert spec["inputs"]["password"] == execution.status["inputs"]["password"]
    assert spec["controls"][1]["resume"]["inputs"]["note"] == "n"
    assert spec["controls"][1]["resume"]["by"] == "ada"
    written = "\n".join(everything(scenario, execution, controller))
    for text in (*texts.values(), TOKEN):
        assert text not in written, around(written, text)


def shown(scenario: Scenario, texts: Iterable[str]) -> bool:
    bodies = json.dumps(scenario.kubernetes.all("executions", scenario.namespace))
    return any(text in bodies for text in texts)


def test_a_child_that_declares_no_secret_is_given_none(scenario: Scenario) -> None:
    # given
    give(scenario, **VALUES)
    child = CHILD | {"inputs": [{"id": "key", "type": "STRING"}]}
    scenario.flow(json.dumps(child))
    tasks = [
        subflow("other", "{{ secret('TOKEN') }}", allowFailure=True),
        subflow("beside", "Bearer {{ secret('TOKEN') }}"),
    ]
    # when
    execution = scenario.execution(flow(scenario, tasks)).ends("FAILED")
    # then
    (attempt,) = execution.run("other")["attempts"]
    assert attempt["reason"] == "InvalidInputs"
    assert "is of type STRING: declare it with the type SECRET" in attempt["message"]
    assert "can be given a secret only as it is" in execution.run("beside")["message"]


TEMPLATES = [
    "x {{ secret('TOKEN') }} {{ secret('ODD') }} {{ secret('LINES') }}",
    "{{ secret('ODD') | trim }} {{ secret('TOKEN') }} {{ secret('LINES') | trim }}",
]


def every_text(core: TaskDefinition, template: str) -> dict[str, Any]:
    """A task of that type with a template wherever a text may stand."""
    properties: dict[str, Any] = {}
    made = core.load()
    hints = get_type_hints(made)
    for item in fields(made):
        name = item.name.rstrip("_").split("_")
        key = name[0] + "".join(word.capitalize() for word in name[1:])
        members = get_args(hints[item.name]) or (hints[item.name],)
        required = item.default is MISSING and item.default_factory is MISSING
        if hints[item.name] in (str, Any) or str in members:
            properties[key] = template
        elif "dict" in str(hints[item.name]) and "list[dict" not in str(hints[item.name]):
            properties[key] = {"a": template}
        elif required:
            properties[key] = {"duration": "PT0S", "metrics": [{"type": "counter", "name": template,
                               "value": 1}]}.get(key, [template])  # fmt: skip
    return {"type": core.name, **properties, **FIXED.get(core.name, {})}


FIXED: dict[str, dict[str, Any]] = {
    "io.kestra.plugin.core.http.Request": {"uri": "http://127.0.0.1:1/{{ secret('TOKEN') }}"},
    "io.kestra.plugin.core.http.Download": {"uri": "http://127.0.0.1:1/{{ secret('TOKEN') }}"},
    "io.kestra.plugin.core.execution.Fail": {"condition": "true"},
}
"""What would keep a task from getting anywhere."""


def leaking(name: str, template: str) -> dict[str, Any]:
    """A script that prints its secrets in every way that it has."""
    is_python = ".python." in name
    shell = f"cat <<'END'\n{template}\nEND\nprintf '%s\\n' \"$V\" >&2\ncat file\nenv\n"
    shell += 'echo \'::{"outputs": {"v": "{{ secret(\'TOKEN\') }}"}}::\'\n'
    shell += f"[ {len(name)} -gt 0 ] && exit 3\n"
    python = (
        "import json, os, sys\n"
        f"print(r'''{template}''')\n"
        "print(os.environ['V'], file=sys.stderr)\n"
        "print('::' + json.dumps({'outputs': {'v': os.environ['V']}}, ensure_ascii=False) + '::')\n"
        "raise ValueError(os.environ['V'])\n"
    )
    if name in OLD_SCRIPTS:
        image = {"dockerOptions": {"image": PYTHON_IMAGE if "Python" in name else SHELL_IMAGE}}
        files = {"file": template, "main.py": python}
        commands = ["python main.py"] if "Python" in name else [shell]
        return {"type": name, **image, "env": {"V": template}, "inputFiles": files,
                "commands": commands}  # fmt: skip
    text = {"commands": [shell]} if name.endswith("Commands") else {
        "script": python if is_python else shell
    }  # fmt: skip
    return {
        "type": name,
        "containerImage": PYTHON_IMAGE if is_python else SHELL_IMAGE,
        "env": {"V": template},
        "inputFiles": {"file": template},
        **text,
    }


def everything(
    scenario: Scenario, execution: ExecutionView, controller: Controller
) -> Iterator[str]:
    """All that can be read of a namespace without the right to read Secrets."""
    kubernetes, namespace = scenario.kubernetes, scenario.namespace
    for plural in ("executions", "flows", "keyvalues"):
        yield json.dumps(kubernetes.all(plural, namespace), ensure_ascii=False)
    for bodies in (
        kubernetes.jobs(namespace),
        kubernetes.pods(namespace),
        kubernetes.config_maps(namespace),
        kubernetes.revisions(namespace),
    ):
        yield json.dumps(bodies, ensure_ascii=False)
    for run in execution.status["taskRuns"]:
        if "outputsRef" in run:
            yield json.dumps(execution.outputs(run["taskId"]), ensure_ascii=False)
    events = kubernetes.core.list_namespaced_event(namespace).items
    yield str(events)
    for pod in kubernetes.pods(namespace):
        name = pod["metadata"]["name"]
        kinds = ("initContainers", "containers", "ephemeralContainers")
        for container in (item for kind in kinds for item in pod["spec"].get(kind, ())):
            yield kubernetes.core.read_namespaced_pod_log(
                name, namespace, container=container["name"]
            )
    yield controller.log()


def ended(pod: dict[str, Any]) -> bool:
    """Whether the task's own container came to run, so that there is a log of it."""
    states = pod["status"].get("containerStatuses", [])
    own = container_name(pod)
    return any(item["name"] == own and item["state"].get("terminated") for item in states)


def around(text: str, form: str) -> str:
    at = text.index(form)
    return text[max(at - 300, 0) : at + 300]
