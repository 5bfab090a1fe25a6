"""How the secrets of an attempt reach its pod. Pure functions: no value is ever known here.

Each secret is an environment variable from a `secretKeyRef`. A token is replaced by:

- in a core task the value itself, put in by the task's own process after it has read its JSON;
- in a script's command, `env` and short files `$(VARIABLE)`, which the kubelet expands;
- where the kubelet does not look (long files) or an expression has to look at the value, a text
  that an init container of Penstock's image writes into a folder in memory, which both share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from penstock.engine.interface.secrets import SecretReference, Secrets
from penstock.kubernetes.pods.files_sidecar import FILES_CONTAINER
from penstock.kubernetes.pods.masking import MASKS_VARIABLE
from penstock.kubernetes.pods.podspec import (
    FILES,
    FIXED_ARGUMENTS,
    TERMINATION_FILE,
    JobDefaults,
    literal,
    own_container,
)
from penstock.kubernetes.pods.prelude import MASKING_PRELUDE, PRELUDE
from penstock.kubernetes.pods.script_texts import TEXTS, ScriptTexts
from penstock.kubernetes.secrets.locations import SecretPlaces
from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR
from penstock.tasks.contract.plan import SECRETS_VARIABLE, Plan
from penstock.tasks.contract.pod_folders import OWN, WORK, Paths
from penstock.tasks.contract.task import Container, TaskFailure
from penstock.tasks.pod import secret_texts
from penstock.tasks.registry.definitions import TASK_VARIABLE
from penstock.tasks.scripts.definition import MAX_ARGUMENT_BYTES, MAX_FILES_BYTES

VARIABLE = "PENSTOCK_SECRET_"
CONTAINER = "secrets"
_PLAN_FILE = "secret-texts.json"


@dataclass(frozen=True)
class PodSecrets:
    """The variables, plan and files that the pod of an attempt needs for its secrets."""

    variables: tuple[Mapping[str, Any], ...]
    """Entries of a container's `env`."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """The variable of each token that the kubelet expands."""
    plan: str | None = None
    """The plan of the texts that the init container writes; None where there are none."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The number of the plan's text that belongs into each file of the working directory."""
    beside: str | None = None
    """The plan by which a container of Penstock's own fills the tokens in its plan for files."""
    mounts: bool = True
    """Whether the pod may have a ConfigMap of its own."""

    @property
    def mounted(self) -> Mapping[str, str]:
        """The data that has to come from a ConfigMap."""
        if not self.mounts or self.plan is None or len(self.plan.encode()) <= MAX_ARGUMENT_BYTES:
            return {}
        return {_PLAN_FILE: self.plan}


def prepare(
    container: Container,
    secrets: Secrets,
    places: SecretPlaces,
    staging: Plan | None = None,
    paths: Paths = OWN,
) -> tuple[Container, PodSecrets | None]:
    """The container that the pod runs, and what it needs for its secrets. Raises ``TaskFailure``.

    ``staging`` is the plan for the pod's files, in which tokens may stand as well.
    """
    if not secrets:
        return container, None
    plan = _plan(secrets, places)
    variables = tuple(_variable(secrets, places))
    beside = _beside(plan) if staging is not None and secrets.mark in repr(staging) else None
    if container.image is None:
        return _core(container, plan), PodSecrets(variables, beside=beside)
    _refuse_elsewhere(container, secrets)
    texts = ScriptTexts(secrets, container)
    made = texts.taken_out()
    names = {token: plan["secrets"][place]["variable"] for token, place in plan["tokens"].items()}
    if not texts.texts:
        return made, PodSecrets(variables, names, beside=beside)
    plan |= {"texts": texts.texts, "words": texts.words, "message": TERMINATION_FILE}
    text = json.dumps(plan, ensure_ascii=False)
    text = text.replace(WORKING_DIR, WORK).replace(OUTPUT_DIR, paths.output)
    if len(text.encode()) > MAX_FILES_BYTES:
        raise TaskFailure("the task's texts with secrets are larger than 1 MiB in all")
    return made, PodSecrets(variables, names, text, texts.files, beside, not paths.within)


def add_to_pod(
    spec: dict[str, Any], needed: PodSecrets, defaults: JobDefaults, config_map: str
) -> None:
    """Put what the secrets need into the spec of an attempt's pod."""
    (task,) = spec["containers"]
    is_script = "args" in task
    task["env"] = [*needed.variables, *task.get("env", ())]
    if not is_script:
        if needed.beside is not None:
            task["env"].append(_beside_entry(needed.beside))
        return
    for entry in task["env"][len(needed.variables) :]:
        entry["value"] = _expanded(entry["value"], needed)
    task["args"] = [_expanded(word, needed) for word in task["args"]]
    task["command"] = [
        literal(MASKING_PRELUDE) if word == literal(PRELUDE) else word for word in task["command"]
    ]
    if needed.mounted and all(volume["name"] != "files" for volume in spec["volumes"]):
        spec["volumes"].append({"name": "files", "configMap": {"name": config_map}})
    if needed.plan is not None:
        _add_init_container(spec, task, needed, defaults)


def add_beside(pod: Mapping[str, Any], needed: PodSecrets) -> None:
    """Give the container that moves a script's files the secrets that stand in its plan."""
    if needed.beside is None:
        return
    for container in pod.get("initContainers", ()):
        if container["name"] == FILES_CONTAINER:
            entries = [*needed.variables, _beside_entry(needed.beside)]
            container["env"] = [*map(dict, entries), *container["env"]]


def beside_of(staging: Plan, secrets: Secrets, places: SecretPlaces) -> list[Mapping[str, Any]]:
    """The variables of a container of Penstock's own whose plan may have secrets in it."""
    if not secrets or secrets.mark not in repr(staging):
        return []
    beside = _beside(_plan(secrets, places))
    return [*_variable(secrets, places), _beside_entry(beside)]


def _beside_entry(plan: str) -> dict[str, str]:
    return {"name": SECRETS_VARIABLE, "value": literal(plan)}


def _beside(plan: Mapping[str, Any]) -> str:
    text = json.dumps(plan, ensure_ascii=False)
    if len(text.encode()) > MAX_ARGUMENT_BYTES:
        raise TaskFailure(
            "the secrets in the task's files, with the texts that read them, need more than 96 KiB"
        )
    return text


def _add_init_container(
    spec: dict[str, Any], task: dict[str, Any], needed: PodSecrets, defaults: JobDefaults
) -> None:
    mount = {"name": "secret-texts", "mountPath": TEXTS}
    spec["volumes"].append({"name": mount["name"], "emptyDir": {"medium": "Memory"}})
    task["volumeMounts"].append({**mount, "readOnly": True})
    task["env"].append({"name": MASKS_VARIABLE, "value": f"{TEXTS}/{secret_texts.MASKS}"})
    files = [
        word
        for name, text in needed.files.items()
        for word in ("-c", literal(name), f"{TEXTS}/{text}")
    ]
    task["args"][FIXED_ARGUMENTS:FIXED_ARGUMENTS] = files
    mounts: list[Mapping[str, Any]] = [mount]
    env = [*needed.variables, {"name": secret_texts.FOLDER_VARIABLE, "value": TEXTS}]
    if needed.mounted:
        mounts.append({"name": "files", "mountPath": FILES, "readOnly": True})
        path = f"{FILES}/{_PLAN_FILE}"
        env.append({"name": f"{SECRETS_VARIABLE}_FILE", "value": path})
    else:
        env.append({"name": SECRETS_VARIABLE, "value": literal(needed.plan or "")})
    module = "penstock.tasks.pod.secret_texts"
    spec["initContainers"] = [
        *spec.get("initContainers", ()),
        own_container(CONTAINER, ("-m", module), env, mounts, defaults),
    ]


def _plan(secrets: Secrets, places: SecretPlaces) -> dict[str, Any]:
    """The plan by which a pod fills tokens: see :mod:`penstock.tasks.pod.secret_texts`."""
    order = _order(secrets)
    return {
        "mark": secrets.mark,
        "date": secrets.date.isoformat() if secrets.date is not None else None,
        "secrets": [
            {
                "name": reference.name,
                "namespace": reference.namespace,
                "variable": f"{VARIABLE}{number}",
                "where": _where(reference, secrets, places),
            }
            for number, reference in enumerate(order, 1)
        ],
        "tokens": {token: order.index(reference) for token, reference in secrets.plain.items()},
        "deferred": {token: asdict(deferred) for token, deferred in secrets.deferred.items()},
    }


def _order(secrets: Secrets) -> list[SecretReference]:
    return [*secrets.needed, *secrets.possible]


def _where(reference: SecretReference, secrets: Secrets, places: SecretPlaces) -> str:
    place = places.of(reference, secrets.namespace)
    return f"the Secret `{place.name}` has no key `{place.key}`"


def _variable(secrets: Secrets, places: SecretPlaces) -> list[dict[str, Any]]:
    entries = []
    for number, reference in enumerate(_order(secrets), 1):
        place = places.of(reference, secrets.namespace)
        source: dict[str, Any] = {"name": place.name, "key": place.key}
        if reference not in secrets.needed:
            source["optional"] = True
        name = f"{VARIABLE}{number}"
        entries.append({"name": name, "valueFrom": {"secretKeyRef": source}})
    return entries


def _core(container: Container, plan: Mapping[str, Any]) -> Container:
    if TASK_VARIABLE not in container.env:
        return container  # a WorkingDirectory itself: its secrets stand in the plan for its files
    task = {**json.loads(container.env[TASK_VARIABLE]), "secrets": plan}
    text = json.dumps(task, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_FILES_BYTES:
        raise TaskFailure(
            "the task's properties, with what its secrets need, are larger than 1 MiB"
        )
    return replace(container, env={**container.env, TASK_VARIABLE: text})


def _refuse_elsewhere(container: Container, secrets: Secrets) -> None:
    """Refuse secrets elsewhere than in the texts of a script: all else is decided before there is a
    pod."""
    fixed = {
        name: getattr(container, name)
        for name in ("image", "fetched", "namespace_files", "output_files", "pull_policy",
                     "resources", "placement")
    }  # fmt: skip
    fixed["the names of files and variables"] = [*container.files, *container.env]
    for name, value in fixed.items():
        if secrets.mark in repr(value):
            raise TaskFailure(
                f"`secret()` can't stand in {name}: only in the task's script or commands, in the "
                "values of `env` and in the texts of `inputFiles`"
            )


def _expanded(text: str, needed: PodSecrets) -> str:
    """An escaped text, with the variables in it that the kubelet expands."""
    for token, variable in needed.tokens.items():
        text = text.replace(token, f"$({variable})")
    return text
