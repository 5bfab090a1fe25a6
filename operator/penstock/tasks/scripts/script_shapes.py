"""The further properties of three languages: packages of Python, the shell of PowerShell, and the
permissions of Deno.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.tasks.scripts.languages import POWERSHELL_INTERPRETER
from penstock.tasks.scripts.script_task import Commands, Inline


@dataclass(frozen=True, kw_only=True)
class PythonPackages:
    """The further properties of Python tasks."""

    dependencies: list[str] = field(default_factory=list)
    """Packages that are installed with pip before the task runs."""
    python_version: str | None = None
    """The version of the default image, such as `3.12`; an image that is named brings its own."""
    dependency_cache_enabled: bool = True
    """Whether installed packages are kept for the next run of the task, and whether pip may use a
    cache of its own."""
    package_manager: str | None = None
    """No effect: pip is used."""


@dataclass(frozen=True, kw_only=True)
class PythonInline(PythonPackages, Inline):
    """One inline Python script.

    ```yaml
    id: mean
    type: io.kestra.plugin.scripts.python.Script
    dependencies: [kestra, numpy]
    script: |
      from kestra import Kestra
      import numpy
      Kestra.outputs({"mean": float(numpy.mean([3, 1, 4]))})
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


@dataclass(frozen=True, kw_only=True)
class PowerShellInline(Inline):
    """One inline PowerShell script.

    ```yaml
    id: hello
    type: io.kestra.plugin.scripts.powershell.Script
    script: |
      $outputs = @{ outputs = @{ version = "$($PSVersionTable.PSVersion)" } }
      Write-Output "::$($outputs | ConvertTo-Json -Compress)::"
    ```
    """

    interpreter: list[str] = field(default_factory=lambda: [*POWERSHELL_INTERPRETER])
    """The command line that is given the text of the task."""
    fail_fast: bool = True
    """Whether the first error ends the task (`$ErrorActionPreference = 'Stop'`)."""


@dataclass(frozen=True, kw_only=True)
class PowerShellCommands(Commands):
    """PowerShell commands, one after the other in one shell.

    ```yaml
    id: date
    type: io.kestra.plugin.scripts.powershell.Commands
    inputFiles: {main.ps1: "'hello' | Write-Output"}
    commands:
      - ./main.ps1
      - Get-Date
    ```
    """

    interpreter: list[str] = field(default_factory=lambda: [*POWERSHELL_INTERPRETER])
    """The command line that is given the text of the task."""
    fail_fast: bool = True
    """Whether the first error ends the task (`$ErrorActionPreference = 'Stop'`)."""


@dataclass(frozen=True, kw_only=True)
class DenoInline(Inline):
    """One inline script of Deno, in TypeScript.

    ```yaml
    id: typed
    type: io.kestra.plugin.scripts.deno.Script
    permissions: [--allow-env, --allow-net=api.example.com]
    script: |
      const outputs: Record<string, string> = { home: Deno.env.get("HOME") ?? "" };
      console.log(`::${JSON.stringify({ outputs })}::`);
    ```
    """

    permissions: list[str] = field(
        default_factory=lambda: ["--allow-env", "--allow-read", "--allow-write"]
    )
    """The flags of `deno run` that say what the script may do; none with an empty list."""
