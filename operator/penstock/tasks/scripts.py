"""Script tasks: the user's text in the user's image. One implementation for all languages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.tasks.contract import Container, NamespaceFilesOption, TaskFailure
from penstock.tasks.runners import (
    DockerOptions,
    Runner,
    known_runner,
    placement,
    pull_policy,
    resources,
    runner_warnings,
)
from penstock.tasks.working_files import file_map, is_uri, patterns

MAX_ARGUMENT_BYTES = 96 * 1024
"""Linux takes 128 KiB in one argument or environment string; some is left for quoting."""
MAX_FILES_BYTES = 1024 * 1024 - 4096
"""What a ConfigMap holds, less a little for its metadata."""

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_ENV_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
_COMMANDS_FILE = ".penstock-commands"
_NOT_SERVED = "files are not served on a cluster yet; they are with `penstock run`"


@dataclass(frozen=True)
class Language:
    """What differs between the languages of script tasks."""

    name: str
    image: str
    """The default image."""
    file: str | None = None
    """The file that a script is written to; None where the interpreter takes its text."""
    programs: tuple[str, ...] = ()
    """The programs that run the file: the first that the image has."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Defaults that suit a log that is read live."""


SHELL = Language("shell", "ubuntu")
PYTHON = Language(
    "python", "python:3.13-slim", "script.py", ("python", "python3"), {"PYTHONUNBUFFERED": "1"}
)


@dataclass(frozen=True, kw_only=True)
class ScriptTask:
    """What all script tasks have.

    Outputs: `vars`, what the script printed as `::{"outputs": {…}}::`; `exitCode`; `outputFiles`,
    which is empty (files are not served yet).
    """

    container_image: str | None = None
    """The image in which the task runs."""
    env: dict[str, str | None] = field(default_factory=dict)
    """Environment variables; one without a value is not set."""
    before_commands: list[str] = field(default_factory=list)
    """Shell commands that run first."""
    interpreter: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    """The command line that is given the text of the task."""
    fail_fast: bool = True
    """Whether the first failing command ends the task (`set -e`)."""
    task_runner: Runner | None = None
    """How the task runs; every type becomes a pod."""
    runner: Literal["DOCKER", "PROCESS"] | None = None
    """Deprecated: use `taskRunner`."""
    docker: DockerOptions | None = None
    """Deprecated: use `taskRunner`."""
    input_files: str | dict[str, Any] | list[Any] | None = None
    """Text, or the URI of a file, by the name that it has in the working directory."""
    output_files: str | list[str] | None = None
    """Patterns of the files to keep when the task has ended."""
    namespace_files: NamespaceFilesOption | None = None
    """The namespace files to stand in the working directory."""
    warning_on_std_err: bool | None = None
    """No effect: the exit code alone decides."""
    target_os: str | None = None
    """No effect in a pod; also written `targetOS`."""
    output_directory: bool | None = None
    """Deprecated: use `outputFiles`."""


@dataclass(frozen=True, kw_only=True)
class Inline(ScriptTask):
    r"""One inline script.

    ```yaml
    id: count
    type: io.kestra.plugin.scripts.shell.Script
    containerImage: busybox:1.36
    script: |
      total=$((1 + 2))
      echo "::{\"outputs\": {\"total\": $total}}::"
    ```
    """

    script: str
    """The script."""


@dataclass(frozen=True, kw_only=True)
class Commands(ScriptTask):
    """Shell commands, one after the other in one shell.

    ```yaml
    id: use
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: busybox:1.36
    env:
      TOTAL: "{{ outputs.count.vars.total }}"
    commands:
      - echo "the total is $TOTAL"
    ```
    """

    commands: list[str]
    """The commands, one after the other in one shell."""


@dataclass(frozen=True, kw_only=True)
class PythonPackages:
    """What Python tasks have besides."""

    dependencies: list[str] = field(default_factory=list)
    """Packages that are installed with pip before the task runs."""
    python_version: str | None = None
    """No effect: the image says which Python runs."""
    dependency_cache_enabled: bool | None = None
    """No effect: a pod starts afresh."""
    package_manager: str | None = None
    """No effect: pip is used."""


@dataclass(frozen=True, kw_only=True)
class PythonInline(PythonPackages, Inline):
    """One inline Python script.

    ```yaml
    id: mean
    type: io.kestra.plugin.scripts.python.Script
    dependencies: [numpy]
    script: |
      import json, numpy
      mean = float(numpy.mean([3, 1, 4]))
      print(f'::{json.dumps({"outputs": {"mean": mean}})}::')
    ```
    """


@dataclass(frozen=True, kw_only=True)
class PythonCommands(PythonPackages, Commands):
    """Shell commands in an image with Python.

    ```yaml
    id: report
    type: io.kestra.plugin.scripts.python.Commands
    inputFiles:
      main.py: print("hello")
    commands:
      - python main.py
    ```
    """


@dataclass(frozen=True)
class ScriptType:
    """One type of script task."""

    name: str
    task: type[ScriptTask]
    language: Language


SCRIPT_TYPES = (
    ScriptType("io.kestra.plugin.scripts.shell.Script", Inline, SHELL),
    ScriptType("io.kestra.plugin.scripts.shell.Commands", Commands, SHELL),
    ScriptType("io.kestra.plugin.scripts.python.Script", PythonInline, PYTHON),
    ScriptType("io.kestra.plugin.scripts.python.Commands", PythonCommands, PYTHON),
)

_WITHOUT_EFFECT = {
    "warningOnStdErr": "`warningOnStdErr` has no effect: the exit code alone decides",
    "targetOS": "`targetOS` has no effect in a pod",
    "targetOs": "`targetOs` has no effect in a pod",
    "pythonVersion": "`pythonVersion` has no effect: the image brings its Python",
    "dependencyCacheEnabled": "`dependencyCacheEnabled` has no effect: a pod starts afresh",
    "packageManager": "`packageManager` has no effect: pip is used",
}


def script_warnings(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is accepted and does nothing."""
    for name, reason in _WITHOUT_EFFECT.items():
        if properties.get(name) is not None:
            yield name, reason
    runner = properties.get("taskRunner")
    if isinstance(runner, Mapping):
        yield from runner_warnings("taskRunner", runner)
        if known_runner(runner.get("type")) == "process":
            yield "taskRunner.type", _no_process()
    if properties.get("runner") == "PROCESS":
        yield "runner", _no_process()
    if isinstance(properties.get("docker"), Mapping):
        yield from runner_warnings("docker", properties["docker"])
    if isinstance(properties.get("inputFiles"), list):
        yield "inputFiles", "a list has no effect: a map by file name is wanted"


def script_not_served(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a script has on this machine, and not in a pod yet."""
    if properties.get("outputFiles"):
        yield "outputFiles", _NOT_SERVED
    if properties.get("outputDirectory"):
        yield "outputDirectory", _NOT_SERVED
    option = properties.get("namespaceFiles")
    if option is not None and not (isinstance(option, Mapping) and option.get("enabled") is False):
        yield "namespaceFiles", _NOT_SERVED
    inputs = properties.get("inputFiles")
    for name, content in inputs.items() if isinstance(inputs, Mapping) else ():
        if isinstance(content, str) and is_uri(content):
            yield f"inputFiles.{name}", f"`{content}` is not fetched: {_NOT_SERVED}"


def script_container(kind: ScriptType, task: ScriptTask) -> Container:
    """What a script task runs. Raises :class:`TaskFailure` naming the property."""
    runner, docker = task.task_runner, task.docker
    if runner is not None and known_runner(runner.type) is None:
        raise TaskFailure(f"property `taskRunner.type`: `{runner.type}` is not served")
    given = None if isinstance(task.input_files, list) else task.input_files
    by_name = file_map("inputFiles", given)
    files = {name: content for name, content in by_name.items() if not is_uri(content)}
    text = _text(kind.language, task, files)
    image = (runner and runner.image) or task.container_image or (docker and docker.image)
    own = {name: value for name, value in task.env.items() if value is not None}
    env = {**kind.language.env, **own}
    _check_env(env)
    _check_files(files)
    at = "taskRunner" if runner is not None else "docker"
    return Container(
        command=(*task.interpreter, _as_argument(task.interpreter, text, files)),
        image=image or kind.language.image,
        env=env,
        files=files,
        fetched={name: content for name, content in by_name.items() if is_uri(content)},
        namespace_files=task.namespace_files,
        output_files=tuple(patterns("outputFiles", task.output_files)),
        output_directory=bool(task.output_directory),
        pull_policy=pull_policy(runner, docker),
        resources=resources(at, runner if runner is not None else docker),
        placement=placement(runner),
    )


def _text(language: Language, task: ScriptTask, files: dict[str, str]) -> str:
    is_shell = runs_shell(task.interpreter)
    lines = ["set -e"] if task.fail_fast and is_shell else []
    if isinstance(task, PythonPackages) and task.dependencies:
        lines += _install(task.dependencies)
    lines += task.before_commands
    if isinstance(task, Commands):
        lines += task.commands
    elif isinstance(task, Inline) and language.file is not None:
        files[language.file] = task.script
        lines.append(_run_file(language, is_shell))
    elif isinstance(task, Inline):
        lines.append(task.script)
    text = "\n".join(lines)
    if "\0" in text:
        raise TaskFailure("the text of the task has a NUL character")
    return text


def _run_file(language: Language, is_shell: bool) -> str:
    """`exec`, so that a stop signal reaches the program and not a shell before it."""
    first = language.programs[0]
    if not is_shell:
        return f"{first} {language.file}"
    found = " || ".join(f"command -v {program}" for program in language.programs)
    return f'exec "$({found} || echo {first})" {language.file}'


def _install(packages: list[str]) -> list[str]:
    names = " ".join(shlex.quote(package) for package in packages)
    pip = "-m pip install --quiet --disable-pip-version-check --no-warn-script-location --user"
    return [
        f'"$(command -v python || command -v python3)" {pip} -- {names} || exit 1',
        'export PATH="$PATH:${PYTHONUSERBASE:-$HOME/.local}/bin"',
    ]


def runs_shell(interpreter: Sequence[str]) -> bool:
    """Whether a command line is a POSIX shell that is given the text of a script."""
    return (
        len(interpreter) > 1
        and interpreter[0].rsplit("/", 1)[-1] in _SHELLS
        and interpreter[-1].startswith("-")
        and interpreter[-1].endswith("c")
    )


def _as_argument(interpreter: list[str], text: str, files: dict[str, str]) -> str:
    if len(text.encode()) <= MAX_ARGUMENT_BYTES:
        return text
    if not runs_shell(interpreter):
        raise TaskFailure(
            "the text of the task is larger than 96 KiB, too large for a command line"
        )
    files[_COMMANDS_FILE] = text
    return f". ./{_COMMANDS_FILE}"


def _check_env(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if not _ENV_NAME.match(name):
            raise TaskFailure(f"property `env`: `{name}` is not the name of a variable")
        if len(value.encode()) > MAX_ARGUMENT_BYTES:
            raise TaskFailure(f"property `env.{name}`: larger than 96 KiB")
        if "\0" in value:
            raise TaskFailure(f"property `env.{name}`: has a NUL character")
    if sum(len(value) for value in env.values()) > MAX_FILES_BYTES // 2:
        raise TaskFailure("property `env`: larger than 512 KiB in all")


def _check_files(files: Mapping[str, str]) -> None:
    if sum(len(content.encode()) for content in files.values()) > MAX_FILES_BYTES:
        raise TaskFailure("the script and `inputFiles` are larger than 1 MiB in all")


def _no_process() -> str:
    return "there is no worker process: the task runs in a pod of its own image"
