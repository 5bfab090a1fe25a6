"""The script tasks that Kestra had first, `io.kestra.core.tasks.scripts.…`, as script tasks of
today.

Public flows still have them. Their variables for files, `{{ outputFiles.x }}`, do not exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.tasks.scripts.runner_options import DockerOptions
from penstock.tasks.scripts.script_shapes import PythonCommands
from penstock.tasks.scripts.script_task import Commands, ScriptTask

_KESTRA_PY = '''\
"""What scripts give back: lines that are understood where they run."""

import json
import time


class Kestra:
    """Outputs and metrics of a script."""

    @staticmethod
    def _send(said):
        print("::" + json.dumps(said) + "::", flush=True)

    @staticmethod
    def outputs(values):
        Kestra._send({"outputs": values})

    @staticmethod
    def _metric(name, kind, value, tags):
        metric = {"name": name, "type": kind, "value": value, "tags": tags or {}}
        Kestra._send({"metrics": [metric]})

    @staticmethod
    def counter(name, value, tags=None):
        Kestra._metric(name, "counter", value, tags)

    @staticmethod
    def timer(name, duration, tags=None):
        if callable(duration):
            began = time.monotonic()
            duration()
            duration = time.monotonic() - began
        Kestra._metric(name, "timer", duration, tags)
'''
"""The module `kestra` that the old Python task brought along."""

_LINKS = (
    """mkdir -p bin; rm -f bin/python; printf '%s\\n' '#!/bin/sh' """
    """"exec '$(command -v python || command -v python3)' \\"\\$@\\"" >bin/python; """
    """chmod +x bin/python""",
    """printf '%s\\n' '#!/bin/sh' 'exec "${0%/*}/python" -m pip "$@"' >bin/pip; chmod +x bin/pip""",
)
"""Where the old task had the programs of its virtual environment. A link to the Python of one would
leave it: that Python looks beside the name by which it is called."""


@dataclass(frozen=True, kw_only=True)
class OldScript:
    """The properties of the old script tasks.

    Outputs: `vars`, what the script printed as `::{"outputs": {…}}::`; `exitCode`; `outputFiles`.
    """

    env: dict[str, str | None] = field(default_factory=dict)
    """Environment variables; one without a value is not set."""
    interpreter: str = "/bin/sh"
    """The program that is given the text of the task."""
    interpreter_args: list[str] = field(default_factory=lambda: ["-c"])
    """The arguments before the text."""
    exit_on_failed: bool = True
    """Whether the first failing command ends the task (`set -e`)."""
    runner: Literal["DOCKER", "PROCESS"] | None = None
    """No effect: the task runs in a pod."""
    docker_options: DockerOptions | None = None
    """The image, and limits of CPU time and memory."""
    input_files: str | dict[str, Any] | list[Any] | None = None
    """Text, or the URI of a file, by the name that it has in the working directory."""
    output_files: list[str] | None = None
    """Names of the files to keep when the task has ended."""
    outputs_files: list[str] | None = None
    """Deprecated: use `outputFiles`."""
    files: list[str] | None = None
    """Deprecated: use `outputFiles`."""
    output_dirs: list[str] | None = None
    """Names of folders of which every file is kept."""
    warning_on_std_err: bool | None = None
    """No effect: the exit code alone decides."""

    def today(self) -> ScriptTask:
        """This task, as a script task of today."""
        raise NotImplementedError

    def _shared(self) -> dict[str, Any]:
        names = [*(self.output_files or ()), *(self.outputs_files or ()), *(self.files or ())]
        return {
            "env": self.env,
            "interpreter": [self.interpreter, *self.interpreter_args],
            "fail_fast": self.exit_on_failed,
            "docker": self.docker_options,
            "input_files": self.input_files,
            "output_files": [*names, *(f"{name}/**" for name in self.output_dirs or ())],
        }


@dataclass(frozen=True, kw_only=True)
class Bash(OldScript):
    """Shell commands, as Kestra ran them first.

    ```yaml
    id: count
    type: io.kestra.core.tasks.scripts.Bash
    commands:
      - echo '::{"outputs":{"rows":3}}::'
    ```
    """

    commands: list[str]
    """The commands, one after the other in one shell."""

    def today(self) -> ScriptTask:
        return Commands(commands=self.commands, **self._shared())


@dataclass(frozen=True, kw_only=True)
class Python(OldScript):
    """A Python script, as Kestra ran it first: the file `main.py`, with a module `kestra` at hand.

    ```yaml
    id: count
    type: io.kestra.core.tasks.scripts.Python
    inputFiles:
      main.py: |
        import sys
        from kestra import Kestra
        Kestra.outputs({"arguments": sys.argv[1:]})
    args: [one, two]
    ```
    """

    commands: list[str] = field(default_factory=lambda: ["./bin/python main.py"])
    """The commands; `args` are put behind each."""
    args: list[str] = field(default_factory=list)
    """Arguments of the commands."""
    requirements: list[str] = field(default_factory=list)
    """Packages that are installed with pip before the commands run."""
    python_path: str | None = None
    """No effect: the image's Python is used."""
    virtual_env: bool = True
    """Whether `requirements` are installed."""
    package_manager: str | None = None
    """No effect: pip is used."""

    def today(self) -> ScriptTask:
        shared = self._shared()
        if isinstance(self.input_files, dict):
            shared["input_files"] = {"kestra.py": _KESTRA_PY, **self.input_files}
        return PythonCommands(
            commands=[" ".join([command, *self.args]) for command in self.commands],
            dependencies=self.requirements if self.virtual_env else [],
            before_commands=[*_LINKS],
            **shared,
        )
