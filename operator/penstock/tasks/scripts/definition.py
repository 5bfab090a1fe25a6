"""Defines the container of a script task: the user's text in the user's image, for all
languages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR
from penstock.tasks.contract.packages import Packages, install_lines, packages
from penstock.tasks.contract.task import Container, TaskFailure
from penstock.tasks.files.input_files import file_map, is_uri, patterns
from penstock.tasks.scripts.languages import POSIX, Dialect, Language, dialect_of
from penstock.tasks.scripts.old_scripts import OldScript
from penstock.tasks.scripts.placement import placement
from penstock.tasks.scripts.runners import known_runner, pull_policy, resources, runner_warnings
from penstock.tasks.scripts.script_shapes import DenoInline, PythonPackages
from penstock.tasks.scripts.script_task import Commands, Inline, ScriptTask
from penstock.tasks.scripts.script_types import ScriptType

MAX_ARGUMENT_BYTES = 96 * 1024
"""Linux takes 128 KiB in one argument or environment string; some is left for quoting."""
MAX_FILES_BYTES = 1024 * 1024 - 4096
"""What a ConfigMap holds, less a little for its metadata."""

_VERSION = re.compile(r"\d+(\.\d+){0,2}")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")

_WITHOUT_EFFECT = {
    "warningOnStdErr": "`warningOnStdErr` has no effect: the exit code alone decides",
    "targetOS": "`targetOS` has no effect in a pod",
    "targetOs": "`targetOs` has no effect in a pod",
    "packageManager": "`packageManager` has no effect: pip is used",
}


def script_warnings(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the properties that are accepted and have no effect, each with the reason."""
    for name, reason in _WITHOUT_EFFECT.items():
        if properties.get(name) is not None:
            yield name, reason
    runner = properties.get("taskRunner")
    if properties.get("pythonVersion") is not None and properties.get("containerImage"):
        yield "pythonVersion", "`pythonVersion` has no effect: `containerImage` brings its Python"
    if isinstance(runner, Mapping):
        yield from runner_warnings("taskRunner", runner)
        if known_runner(runner.get("type")) == "process":
            yield "taskRunner.type", _no_process()
    if properties.get("runner") == "PROCESS":
        yield "runner", _no_process()
    for name in ("docker", "dockerOptions"):
        if isinstance(properties.get(name), Mapping):
            yield from runner_warnings(name, properties[name])
    if isinstance(properties.get("inputFiles"), list):
        yield "inputFiles", "a list has no effect: write a map by file name"


def script_container(kind: ScriptType, given: ScriptTask | OldScript) -> Container:
    """The container that a script task runs. Raises :class:`TaskFailure` naming the property."""
    task = given.today() if isinstance(given, OldScript) else given
    runner, docker = task.task_runner, task.docker
    if runner is not None and known_runner(runner.type) is None:
        raise TaskFailure(f"property `taskRunner.type`: `{runner.type}` is not served")
    if not task.interpreter:
        raise TaskFailure("property `interpreter`: must have at least one word")
    inputs = None if isinstance(task.input_files, list) else task.input_files
    by_name = file_map("inputFiles", inputs)
    files = {name: content for name, content in by_name.items() if not is_uri(content)}
    named = (runner and runner.image) or task.container_image or (docker and docker.image)
    image = named or _image(kind.language, task)
    own = {name: value for name, value in task.env.items() if value is not None}
    env = {**kind.language.env, **own}
    kept = _packages(task, image, env)
    text = _text(kind.language, task, files, kept is not None)
    _check_env(env)
    _check_files(files)
    at = "taskRunner" if runner is not None else "docker"
    return Container(
        command=(*task.interpreter, text),
        image=image,
        programs=_programs(kind.language, task),
        env=env,
        files=files,
        fetched={name: content for name, content in by_name.items() if is_uri(content)},
        namespace_files=task.namespace_files,
        output_files=tuple(map(_below, patterns("outputFiles", task.output_files))),
        output_directory=bool(task.output_directory),
        packages=kept,
        pull_policy=pull_policy(runner, docker),
        resources=resources(at, runner if runner is not None else docker),
        placement=placement(runner),
    )


def _below(pattern: str) -> str:
    """A pattern relative to the working or the output directory, which it may name."""
    return pattern.removeprefix(f"{OUTPUT_DIR}/").removeprefix(f"{WORKING_DIR}/")


def _programs(language: Language, task: ScriptTask) -> tuple[str, ...]:
    if not isinstance(task, Inline) or not language.programs:
        return (task.interpreter[0],)
    return tuple(program.split()[0] for program in language.programs)


def _image(language: Language, task: ScriptTask) -> str:
    """The default image of a task that names none."""
    version = task.python_version if isinstance(task, PythonPackages) else None
    if version is None:
        return language.image
    if not _VERSION.fullmatch(version):
        raise TaskFailure(f"property `pythonVersion`: `{version}` is not a version such as 3.12")
    return f"python:{version}-slim"


def _text(language: Language, task: ScriptTask, files: dict[str, str], is_kept: bool) -> str:
    dialect = dialect_of(task.interpreter)
    lines = [dialect.fail_fast] if task.fail_fast and dialect is not None else []
    if dialect is POSIX:
        lines += language.setup
    if isinstance(task, PythonPackages) and task.dependencies:
        of_pip = task.dependency_cache_enabled
        lines += install_lines(task.dependencies, kept=is_kept, of_pip=of_pip)
    lines += task.before_commands
    if isinstance(task, Commands):
        lines += task.commands
    elif isinstance(task, Inline) and language.file is not None:
        files[language.file] = task.script
        flags = task.permissions if isinstance(task, DenoInline) else []
        lines.append(_run_file(language, [*flags, language.file], dialect))
    elif isinstance(task, Inline):
        lines.append(task.script)
    text = "\n".join(lines)
    if "\0" in text:
        raise TaskFailure("the text of the task has a NUL character")
    return _as_argument(dialect, text, files)


def _run_file(language: Language, words: list[str], dialect: Dialect | None) -> str:
    """The shell that runs a script's file, by `exec`: a stop signal reaches the program, not a
    shell before it."""
    given = " ".join(map(shlex.quote, words))
    if not language.programs:
        return f"./{given}"
    first = language.programs[0]
    if dialect is not POSIX:
        return f"{first} {given}"
    if len(language.programs) == 1:
        return f"exec {first} {given}"
    found = " || ".join(f"command -v {program}" for program in language.programs)
    return f'exec "$({found} || echo {first})" {given}'


def _packages(task: ScriptTask, image: str, env: Mapping[str, str]) -> Packages | None:
    if not isinstance(task, PythonPackages) or not task.dependency_cache_enabled:
        return None
    return packages(task.dependencies, image, task.python_version, task.interpreter, env)


def _as_argument(dialect: Dialect | None, text: str, files: dict[str, str]) -> str:
    if len(text.encode()) <= MAX_ARGUMENT_BYTES:
        return text
    if dialect is None:
        raise TaskFailure(
            "the text of the task is larger than 96 KiB, too large for a command line"
        )
    files[dialect.text_file] = text
    return f". ./{dialect.text_file}"


def _check_env(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if not _ENV_NAME.fullmatch(name):
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
