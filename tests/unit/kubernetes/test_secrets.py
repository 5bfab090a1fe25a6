"""Secrets of an attempt: from the flow's text to what its pod has, with the real programs of both
ends and a pretended kubelet between them."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import KeepSecrets, StartAttempt, Step
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.expressions import Expressions, Host
from penstock.kubernetes.jobs.job import JobDefaults, JobObjects, Owner, build_job
from penstock.kubernetes.pods.files_sidecar import CLOSING, PodStorage
from penstock.kubernetes.pods.podspec import literal
from penstock.kubernetes.pods.prelude import FILES_PRELUDES, MASKING_PRELUDE
from penstock.kubernetes.secrets.locations import SecretKey, SecretPlaces
from penstock.resources.execution import ExecutionSpec, FlowReference, State
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.plan import plan_of
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.pod.secret_texts import SecretTexts
from penstock.tasks.registry.definitions import container
from penstock.types import expressions
from tests.fixtures import flows
from tests.fixtures.engine import IDENTITY
from tests.fixtures.kubelet import Kubelet, MissingSecret, Secrets, environment
from tests.fixtures.world import START

RETURN = "io.kestra.plugin.core.debug.Return"
OWNER = Owner("flow-abc", "team", "11111111-2222-3333-4444-555555555555")
VALUES = {
    "TOKEN": "s3cr3t-t0ken",
    "ODD": 'it\'s "odd" $(TOKEN) $$ `id` \\n {{ 1 + 1 }} <&> üñí',
    "DASHES": "--rm -rf",
    "LINES": "first secret line\nsecond secret line\n",
    "JSON": '{"user": "ada-the-user", "password": "pass word\\"x"}',
    "BASE64": "aGVsbG8gd29ybGQ=",
    "PROD": "production",
}
SECRETS = {"penstock-secrets": VALUES, "other": {"key.one": "from-another"}}
VARIABLES = {
    "greeting": "Hello {{ secret('TOKEN') }}",
    "shout": "{{ secret('TOKEN') | upper }}",
    "name": "Ada",
    "items": ["a", "b"],
    "key": "TOKEN",
}
SHELLS = {
    name: words
    for name, words in {
        "dash": ("dash",),
        "bash": ("bash", "--posix"),
        "busybox": ("busybox", "sh"),
    }.items()
    if shutil.which(name)
}


def started(
    properties: Mapping[str, Any], type_name: str = RETURN, extra: str = ""
) -> StartAttempt:
    """The start that the engine asks for, of a task with these properties."""
    step = decided({"id": "hello", "type": type_name, **properties}, extra)
    (start,) = [item for item in step.actions if isinstance(item, StartAttempt)]
    return start


def decided(task: Mapping[str, Any], extra: str = "", **inputs: Any) -> Step:
    """The first step of a flow with one task."""
    flow = flows.flow(
        f"id: flow\nnamespace: company.team\nvariables: {json.dumps(VARIABLES)}\n{extra}"
        f"tasks: {json.dumps([task])}\n"
    )
    spec = ExecutionSpec(flow=FlowReference(name="flow"), inputs=inputs)
    return Engine(flow, expressions()).begin(IDENTITY, spec, START)


STORAGE = PodStorage(ExecutionPlace("company.team", "flow", "run"), {"PENSTOCK_STORAGE_GRANT": "g"})


class Around:
    """The execution and the key-value pairs that the controller tells a task."""

    origin = Origin("company.team", "flow", "run", "a", "tr1")

    def snapshot(self, use: PairUse) -> dict[str, Any]:
        raise AssertionError("no task here has to do with key-value pairs")


def build(start: StartAttempt, places: SecretPlaces | None = None) -> JobObjects:
    what = container(start.task.type, start.properties, Around())
    return build_job(start, OWNER, what, JobDefaults(image="penstock:1"), STORAGE, places)


def secret(key: str, namespace: str | None = None, subkey: str | None = None) -> str:
    return VALUES[key] if subkey is None else str(json.loads(VALUES[key])[subkey])


def as_kestra(template: str) -> Any:
    """The value of a template where the secrets are known."""
    host = Host(now=lambda: START, functions={"secret": secret})
    variables = {"vars": VARIABLES, "flow": {"namespace": "company.team"}}
    return Expressions().render(template, variables, host)


PLAIN = [
    "{{ secret('TOKEN') }}",
    "Bearer {{ secret('TOKEN') }}!",
    "{{ secret('TOKEN') }}{{ secret('ODD') }}{{ secret('TOKEN') }}",
    "{{ secret(key='ODD') }}",
    "{{ secret('TOKEN', namespace='company.team') }}",
    "{{ 'Bearer ' ~ secret('TOKEN') }}",
    "{{ render(vars.greeting) }}",
    "{% set token = secret('TOKEN') %}{{ token }} and {{ token }}",
    "{{ vars.name == 'Ada' ? secret('TOKEN') : secret('ODD') }}",
    "{{ vars.none ?? secret('TOKEN') }}",
    "{% for item in vars.items %}{{ item }}={{ secret('TOKEN') }};{% endfor %}",
    "{% if vars.name is defined %}{{ secret('LINES') }}{% endif %}",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(secret('TOKEN')) }}",
    "{{ secret('LINES') }}",
    "{{ secret('DASHES') }} {{ 'a' | upper }}",
]
DEFERRED = [
    "{{ secret('TOKEN') | base64encode }}",
    "Basic {{ ('user:' ~ secret('TOKEN')) | base64encode }}",
    "{{ secret('TOKEN') | upper }} {{ secret('ODD') }}",
    "{{ secret('TOKEN') | length }}",
    "{{ secret('PROD') == 'production' ? 'yes' : 'no' }}",
    "{% if secret('PROD') == 'production' %}{{ vars.name }}{% else %}none{% endif %}",
    "{% set x = secret('PROD') %}{{ x }}{{ x == 'production' }}",
    "{% set y = 'is ' ~ secret('PROD') %}{{ y }}{{ y == 'is production' }}",
    "{{ secret('JSON', subkey='password') }}",
    "{{ fromJson(secret('JSON')).user }}",
    "{{ secret('BASE64') | base64decode }}",
    "{{ [secret('TOKEN'), 'b'] | sort | join(',') }}",
    "{{ [secret('ODD')] }}",
    "{{ {'a': secret('ODD')} | toJson }}",
    "{{ secret('TOKEN') | default('none') }}",
    "{{ secret('TOKEN') | abbreviate(8) }}",
    "{{ secret('TOKEN') | replace({'t': 'T'}) }}",
    "{{ secret('TOKEN') | substringBefore('-') }}",
    "{{ render(vars.shout) }}",
    "{{ render(vars.greeting) | lower }}",
    "{{ secret('TOKEN') contains 's3' }}",
    "{{ secret('TOKEN') is empty }}",
    "{% filter upper %}{{ secret('TOKEN') }}{% endfilter %}",
    "{% for part in secret('TOKEN') | split('-') %}{{ part }};{% endfor %}",
    "{{ now() | date('yyyy') }} {{ secret('TOKEN') | upper }}",
]


def filled(objects: JobObjects, further: Secrets | None = None) -> Mapping[str, Any]:
    """The properties with which a core task runs."""
    (task,) = objects.job["spec"]["template"]["spec"]["containers"]
    env = environment(task, {**SECRETS, **(further or {})})
    text = env.get("PENSTOCK_TASK") or (objects.config_map or {})["data"]["task.json"]
    described = json.loads(text)
    found: Mapping[str, Any] = SecretTexts(described["secrets"], env).filled(
        described["properties"]
    )
    return found


@pytest.mark.parametrize("template", PLAIN + DEFERRED)
def test_a_core_task_has_the_text_that_kestra_would_render(template: str) -> None:
    assert filled(build(started({"format": template})))["format"] == as_kestra(template)


@pytest.mark.parametrize("template", PLAIN)
def test_a_plain_use_needs_no_rendering_in_the_pod(template: str) -> None:
    assert not started({"format": template}).secrets.deferred


@pytest.mark.parametrize("template", DEFERRED)
def test_what_looks_at_a_secret_is_deferred(template: str) -> None:
    assert len(started({"format": template}).secrets.deferred) == 1


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "templates", [PLAIN, DEFERRED, PLAIN + DEFERRED], ids=["plain", "deferred", "both"]
)
def test_a_script_has_the_texts_that_kestra_would_render(
    shell: str, templates: list[str], tmp_path: Path
) -> None:
    # given
    variables = {f"V{number}": template for number, template in enumerate(templates)}
    lines = [f"cat <<'END' >>\"$OUT\"\n{template}\nEND" for template in templates]
    lines += [f'printf "%s" "${name}" >>"$OUT"' for name in variables]
    start = scripted("\n".join(lines), env={"OUT": str(tmp_path / "out"), **variables})
    # when
    ran = Kubelet(tmp_path, SECRETS, SHELLS[shell]).run(build(start))
    # then
    assert ran.code == 0, ran.out
    rendered = [as_kestra(template) for template in templates]
    wanted = "".join(f"{text}\n" for text in rendered) + "".join(rendered)
    assert (tmp_path / "out").read_text() == wanted


def scripted(script: str, **properties: Any) -> StartAttempt:
    given = {"containerImage": "busybox", "interpreter": ["/bin/sh", "-c"], **properties}
    return started({**given, "script": script}, "io.kestra.plugin.scripts.shell.Script")


def test_what_a_script_itself_writes_with_dollars_survives(tmp_path: Path) -> None:
    # given
    script = """
        x=$(echo sub) y=$((1 + 2)) z='$(PENSTOCK_SECRET_1) $$(A) $' w=$$
        same=$([ $w = $$ ] && echo same)
        printf '%s|' "$x" "$y" "$z" '{{ secret('TOKEN') }}' '$$' "$same" >"$OUT"
    """
    # when
    ran = Kubelet(tmp_path, SECRETS).run(build(scripted(script, env={"OUT": f"{tmp_path}/out"})))
    # then
    assert ran.code == 0, ran.out
    wanted = "sub|3|$(PENSTOCK_SECRET_1) $$(A) $|s3cr3t-t0ken|$$|same|"
    assert (tmp_path / "out").read_text() == wanted


@pytest.mark.parametrize("template", ["{{ secret('ODD') }}", "{{ secret('ODD') | upper }}"])
def test_a_long_script_and_its_files_have_secrets_too(template: str, tmp_path: Path) -> None:
    # given
    padding = "# padding\n" * 12_000
    script = f'{padding}cat one two >"$OUT"\ncat <<\'END\' >>"$OUT"\n{template}\nEND\n'
    start = scripted(
        script,
        env={"OUT": f"{tmp_path}/out"},
        inputFiles={"one": f"1 {template}\n", "two": "2 plain\n"},
    )
    objects = build(start)
    # when
    ran = Kubelet(tmp_path, SECRETS).run(objects)
    # then
    assert ran.code == 0, ran.out
    value = as_kestra(template)
    assert (tmp_path / "out").read_text() == f"1 {value}\n2 plain\n{value}\n"
    assert objects.config_map is not None


def test_the_words_of_another_interpreter_may_be_rendered_in_the_pod(tmp_path: Path) -> None:
    # given
    start = scripted(
        "ignored\n{{ secret('ODD') | upper }}\n\n",
        interpreter=["/bin/sh", "-c", 'printf "%s|" "$@" >"$OUT"', "{{ secret('TOKEN') }}"],
        env={"OUT": f"{tmp_path}/out", "B": "{{ secret('LINES') | upper }}"},
        failFast=False,
    )
    # when
    ran = Kubelet(tmp_path, SECRETS).run(build(start))
    # then
    assert ran.code == 0, ran.out
    assert (tmp_path / "out").read_text() == f"ignored\n{VALUES['ODD'].upper()}\n\n|"


def test_the_pod_has_one_container_where_the_kubelet_can_do_it() -> None:
    spec = build(scripted("echo {{ secret('TOKEN') }}")).job["spec"]["template"]["spec"]
    assert len(spec["containers"]) == 1
    assert "initContainers" not in spec
    assert spec["containers"][0]["env"][0] == {
        "name": "PENSTOCK_SECRET_1",
        "valueFrom": {"secretKeyRef": {"name": "penstock-secrets", "key": "TOKEN"}},
    }


def test_the_init_container_is_restricted_and_its_texts_stay_in_memory() -> None:
    spec = build(scripted("echo {{ secret('TOKEN') | upper }}")).job["spec"]["template"]["spec"]
    (init,) = spec["initContainers"]
    assert (init["name"], init["image"]) == ("secrets", "penstock:1")
    assert init["securityContext"]["readOnlyRootFilesystem"] is True
    assert init["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "secret-texts", "emptyDir": {"medium": "Memory"}} in spec["volumes"]
    (mount,) = (
        item for item in spec["containers"][0]["volumeMounts"] if item["name"] == "secret-texts"
    )
    assert mount["readOnly"] is True


def test_a_secret_that_may_be_read_need_not_be_there(tmp_path: Path) -> None:
    # given
    template = "{{ secret('PROD') == 'production' ? 'one' : secret('NONE') }}"
    # then
    assert filled(build(started({"format": template})))["format"] == "one"
    with pytest.raises(TaskFailure, match="`penstock-secrets` has no key `NONE`"):
        filled(build(started({"format": template.replace("'production'", "'x'")})))
    with pytest.raises(MissingSecret):
        filled(build(started({"format": "{{ secret('NONE') }}"})))


def test_a_name_that_is_not_written_out_is_known_when_it_is_asked_for_first() -> None:
    start = started({"format": "{{ secret(vars.key) | upper }}"})
    assert filled(build(start))["format"] == "S3CR3T-T0KEN"


def in_directory(task: Mapping[str, Any]) -> StartAttempt:
    """The first task of a WorkingDirectory with secrets in its files."""
    files = {"a.txt": "{{ secret('TOKEN') }}", "b.txt": "{{ secret('ODD') | base64encode }}"}
    directory = {
        "type": "io.kestra.plugin.core.flow.WorkingDirectory",
        "inputFiles": files,
        "tasks": [{"id": "inner", **task}],
    }
    step = decided({"id": "task", **directory})
    (start,) = (action for action in step.actions if isinstance(action, StartAttempt))
    return start


@pytest.mark.parametrize(
    "task",
    [
        {"type": "io.kestra.plugin.scripts.shell.Commands", "commands": ["cat a.txt"]},
        {
            "type": "io.kestra.plugin.scripts.shell.Commands",
            "commands": ["echo {{ secret('PROD') }}", "echo {{ secret('TOKEN') | upper }}"],
        },
        {"type": "io.kestra.plugin.core.storage.LocalFiles", "outputs": ["a.txt"]},
    ],
)
def test_the_files_of_a_working_directory_may_have_secrets(task: Mapping[str, Any]) -> None:
    # when
    job = build(in_directory(task)).job
    # then
    pod = job["spec"]["template"]["spec"]
    own = [item for item in pod.get("initContainers", ()) if item["name"] == "files"]
    container = (own or pod["containers"])[0]
    given = {item["name"]: item for item in container["env"]}
    plan = plan_of(given["PENSTOCK_STAGING"]["value"].replace("$$", "$"))
    text = given.get("PENSTOCK_SECRET_TEXTS", {}).get("value") or json.dumps(
        json.loads(given["PENSTOCK_TASK"]["value"].replace("$$", "$"))["secrets"]
    )
    values = {
        name: VALUES[item["valueFrom"]["secretKeyRef"]["key"]]
        for name, item in given.items()
        if "valueFrom" in item
    }
    filled = plan.filled(SecretTexts(json.loads(text.replace("$$", "$")), values).filled)
    assert filled.shared is not None
    assert filled.shared.properties["inputFiles"] == {
        "a.txt": VALUES["TOKEN"],
        "b.txt": base64.b64encode(VALUES["ODD"].encode()).decode(),
    }
    assert all(value not in json.dumps(job) for value in (VALUES["TOKEN"], VALUES["ODD"]))


def test_the_end_of_such_a_directory_has_them_too() -> None:
    closing = in_directory({"type": "io.kestra.plugin.core.log.Log", "message": "x"})
    start = replace(closing, task=WorkingDirectory.model_construct(id="task", type="w", tasks=[]))
    what = CLOSING
    job = build_job(start, OWNER, what, JobDefaults(image="penstock:1"), STORAGE, None).job
    (container,) = job["spec"]["template"]["spec"]["containers"]
    names = [item["name"] for item in container["env"]]
    assert {"PENSTOCK_SECRET_TEXTS", "PENSTOCK_SECRET_1", "PENSTOCK_STAGING"} <= set(names)


def test_a_script_with_secrets_and_files_has_both_containers_and_both_preludes() -> None:
    script = "echo {{ secret('TOKEN') | upper }} {{ secret('TOKEN') }} > a.txt"
    pod = build(scripted(script, outputFiles=["a.txt"])).job["spec"]["template"]["spec"]
    (task,) = pod["containers"]
    assert [made["name"] for made in pod["initContainers"]] == ["secrets", "files"]
    assert task["command"][2] == literal(FILES_PRELUDES[MASKING_PRELUDE])
    assert "PENSTOCK_STORAGE_GRANT" not in {entry["name"] for entry in task["env"]}
    files = pod["initContainers"][1]
    assert not any(entry["name"].startswith("PENSTOCK_SECRET") for entry in files["env"])


@pytest.mark.parametrize(
    ("properties", "place"),
    [
        ({"containerImage": "{{ secret('TOKEN') }}"}, "image"),
        ({"inputFiles": {"{{ secret('TOKEN') }}": "x"}}, "names of files"),
        ({"env": {"{{ secret('TOKEN') }}": "x"}}, "env"),
        ({"outputFiles": ["{{ secret('TOKEN') }}"]}, "output_files"),
    ],
)
def test_what_is_decided_before_there_is_a_pod_takes_no_secret(
    properties: Mapping[str, Any], place: str
) -> None:
    with pytest.raises(TaskFailure, match=place):
        build(scripted("echo", **properties))


@pytest.mark.parametrize(
    "task",
    [
        {"type": RETURN, "format": "x", "runIf": "{{ secret('TOKEN') == 'x' }}"},
        {"type": "io.kestra.plugin.core.flow.If", "condition": "{{ secret('TOKEN') }}", "then": [
            {"id": "b", "type": RETURN, "format": "x"}]},
        {"type": "io.kestra.plugin.core.flow.Switch", "value": "{{ secret('TOKEN') }}",
         "defaults": [{"id": "b", "type": RETURN, "format": "x"}]},
        {"type": "io.kestra.plugin.core.flow.ForEach", "values": "{{ secret('TOKEN') }}",
         "tasks": [{"id": "b", "type": RETURN, "format": "x"}]},
        {"type": "io.kestra.plugin.core.flow.Subflow", "namespace": "company.team",
         "flowId": "{{ secret('TOKEN') }}"},
        {"type": RETURN, "format": "x", "timeout": "{{ secret('TOKEN') }}"},
        {"type": "io.kestra.plugin.core.execution.Labels",
         "labels": {"a": "{{ secret('TOKEN') }}"}},
        {"type": "io.kestra.plugin.core.execution.SetVariables",
         "variables": {"a": "{{ secret('TOKEN') }}"}},
    ],
    ids=lambda task: str(task["type"]).rpartition(".")[2],
)  # fmt: skip
def test_what_the_controller_decides_takes_no_secret(task: Mapping[str, Any]) -> None:
    # when
    step = decided({"id": "a", **task})
    # then
    assert step.status.state is State.FAILED
    (run,) = step.status.task_runs
    said = f"{run.message} {[attempt.message for attempt in run.attempts]}"
    assert "a secret can't be read here" in said
    assert "let a script decide" in said
    assert not [item for item in step.actions if isinstance(item, StartAttempt)]


def test_the_flows_outputs_take_no_secret() -> None:
    extra = "outputs: [{id: o, type: STRING, value: \"{{ secret('TOKEN') }}\"}]\n"
    step = decided({"id": "a", "type": RETURN, "format": "x", "disabled": True}, extra)
    assert step.status.state is State.FAILED
    assert "can't be read here" in str(step.status.message)


def test_a_decision_that_is_made_twice_gives_the_same_tokens() -> None:
    template = "{{ secret('TOKEN') }} {{ uuid() }}"
    properties = {"format": template}
    assert started(properties).properties == started(properties).properties
    assert started(properties).secrets == started(properties).secrets


def test_too_much_beside_a_secret_is_refused_with_what_to_do() -> None:
    extra = f"labels: {{a: {'x' * 300_000}}}\n"
    task = {"id": "a", "type": RETURN, "format": "{{ labels.a ~ secret('TOKEN') | upper }}"}
    step = decided(task, extra)
    assert "larger than 256 KiB" in str(step.status.task_runs[0].message)


PLACES = SecretPlaces(mapped={"TOKEN": SecretKey("other", "key.one")})


def test_a_secret_may_be_mapped() -> None:
    made = build(started({"format": "{{ secret('TOKEN') }}"}), PLACES)
    assert filled(made)["format"] == "from-another"


def test_the_annotation_of_a_flow_comes_first() -> None:
    places = PLACES.with_annotation("TOKEN: penstock-secrets/PROD\nx.y/TOKEN: other/key.one")
    template = "{{ secret('TOKEN') }} {{ secret('TOKEN', namespace='x.y') }}"
    made = build(started({"format": template}), places)
    assert filled(made)["format"] == "production from-another"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ secret('no key') }}", ["`no key`", "penstock.dev/secrets"]),
        ("{{ secret('../x') }}", ["`../x`", "penstock.dev/secrets"]),
        ("{{ secret('A', namespace='x.y') }}", ["x.y/A", "penstock.dev/secrets"]),
    ],
)
def test_a_secret_without_a_place_is_refused_with_what_to_do(
    template: str, words: list[str]
) -> None:
    with pytest.raises(TaskFailure) as failure:
        build(started({"format": template}))
    assert all(word in str(failure.value) for word in words), str(failure.value)


@pytest.mark.parametrize(
    "text", ["[]", "A: b", "A: b/c/d", "A: UPPER/c", "A: {b: c}", "{", "A: b/ "]
)
def test_a_bad_annotation_is_refused(text: str) -> None:
    with pytest.raises(TaskFailure, match=r"penstock\.dev/secrets"):
        SecretPlaces().with_annotation(text)


def test_an_annotation_that_grows_without_bound_is_refused_in_a_few_words() -> None:
    bomb = "X: &a0 [x]"
    for level in range(1, 40):
        bomb = f"X: &a{level} [{bomb.removeprefix('X: ')}, {', '.join([f'*a{level - 1}'] * 9)}]"
    long = "A: " + "x" * 100_000
    for text in (bomb, long):
        with pytest.raises(TaskFailure) as failure:
            SecretPlaces().with_annotation(text)
        assert len(str(failure.value)) < 1_000


@pytest.mark.parametrize("name", VALUES)
def test_nothing_of_a_core_task_shows_a_secret(name: str, tmp_path: Path) -> None:
    # given
    template = f"<{{{{ secret('{name}') }}}}>"
    secrets = {"penstock-secrets": VALUES}
    # when
    returned = Kubelet(tmp_path, secrets).run(build(started({"format": template})))
    logged = Kubelet(tmp_path, secrets).run(
        build(started({"message": template, "level": "ERROR"}, "io.kestra.plugin.core.log.Log"))
    )
    failed = Kubelet(tmp_path, secrets).run(
        build(started({"errorMessage": template}, "io.kestra.plugin.core.execution.Fail"))
    )
    # then
    assert json.loads(returned.payload)["outputs"]["value"].startswith("<******")
    assert "******" in logged.out
    for ran in (returned, logged, failed):
        for line in VALUES[name].splitlines():
            assert line not in ran.out + ran.message
            assert json.dumps(line)[1:-1] not in ran.out + ran.message


def test_a_text_that_can_not_be_rendered_fails_the_script_before_it_runs(tmp_path: Path) -> None:
    # given
    start = scripted(f"touch {tmp_path}/ran; echo {{{{ fromJson(secret('ODD')).x }}}}")
    # when
    ran = Kubelet(tmp_path, SECRETS).run(build(start))
    # then
    assert ran.code == 1
    assert "fromJson" in json.loads(ran.payload)["message"]
    pieces = [VALUES["ODD"][at : at + 6] for at in range(len(VALUES["ODD"]) - 5)]
    assert not [piece for piece in pieces if piece in ran.out + ran.message]
    assert not (tmp_path / "ran").exists()


def test_a_task_without_secrets_is_as_it_was() -> None:
    start = started({"format": "x {{ vars.name }}"})
    assert not start.secrets
    (task,) = build(start).job["spec"]["template"]["spec"]["containers"]
    (entry,) = task["env"]
    told = json.loads(entry["value"])
    assert (entry["name"], told.keys()) == ("PENSTOCK_TASK", {"type", "properties", "origin"})
    assert told["properties"] == {"format": "x Ada"}


INPUTS = "inputs: [{id: key, type: SECRET}, {id: other, type: STRING, required: false}]\n"


def given(value: Any, inputs: str = INPUTS, **task: Any) -> Step:
    """The first step of a flow that is given an input of type SECRET."""
    return decided({"id": "hello", "type": RETURN, **task}, inputs, key=value)


@pytest.mark.parametrize(
    "template",
    ["Bearer {{ inputs.key }}", "{{ inputs.key | upper }}", "{{ inputs.other ?? inputs.key }}"],
)
def test_an_input_of_type_secret_is_kept_in_a_secret_of_the_execution(template: str) -> None:
    # when
    step = given(VALUES["ODD"], format=template)
    # then
    kept, start = step.actions
    assert isinstance(kept, KeepSecrets) and isinstance(start, StartAttempt)
    assert kept.values == {"key": VALUES["ODD"]}
    assert VALUES["ODD"] not in step.status.model_dump_json() + repr(step.actions)
    host, variables = Host(), {"inputs": {"key": VALUES["ODD"], "other": None}}
    wanted = Expressions().render(template, variables, host)
    assert filled(build(start), {kept.name: kept.values})["format"] == wanted
    assert VALUES["ODD"] not in json.dumps(build(start).job, ensure_ascii=False)


@pytest.mark.parametrize(
    ("value", "secret", "key"),
    [
        ({"secretKeyRef": {"name": "other", "key": "key.one"}}, "other", "key.one"),
        ("{{ secret('TOKEN') }}", "penstock-secrets", "TOKEN"),
    ],
)
def test_an_input_of_type_secret_may_name_one(value: Any, secret: str, key: str) -> None:
    # when
    step = given(value, format="{{ inputs.key }}")
    # then
    (start,) = step.actions
    assert isinstance(start, StartAttempt)
    assert filled(build(start))["format"] == SECRETS[secret][key]


def test_the_default_of_an_input_may_be_a_secret() -> None:
    inputs = """inputs: [{id: key, type: SECRET, defaults: "{{ secret('TOKEN') }}"}]\n"""
    (start,) = given(None, inputs, format="{{ inputs.key }}").actions
    assert isinstance(start, StartAttempt)
    assert filled(build(start))["format"] == VALUES["TOKEN"]


@pytest.mark.parametrize(
    "task",
    [
        {"format": "x", "runIf": "{{ inputs.key == 'x' }}"},
        {"format": "x", "runIf": "{{ inputs.key }}"},
        {"format": "x", "timeout": "{{ inputs.key }}"},
    ],
)
def test_nothing_is_decided_by_an_input_of_type_secret(task: dict[str, Any]) -> None:
    step = given("hunter2-x", **task)
    assert step.status.state is State.FAILED
    text = step.status.model_dump_json()
    assert "can't be read here" in text
    assert "hunter2" not in text


def test_the_default_of_another_input_can_not_take_it() -> None:
    inputs = """inputs:
  - {id: key, type: SECRET}
  - {id: other, type: STRING, defaults: "{{ inputs.key }}"}
"""
    step = given("hunter2-x", inputs, format="x")
    text = step.status.model_dump_json()
    assert step.status.state is State.FAILED
    assert "can't be read here" in text
    assert "hunter2" not in text
