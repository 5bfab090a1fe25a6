"""The properties of a script task, in one of two shapes, alike for every language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.tasks.contract.task import NamespaceFilesOption
from penstock.tasks.scripts.languages import SHELL_INTERPRETER
from penstock.tasks.scripts.runner_options import DockerOptions, Runner


@dataclass(frozen=True, kw_only=True)
class ScriptTask:
    """The properties of all script tasks.

    Outputs: `vars`, what the script printed as `::{"outputs": {…}}::`; `exitCode`; `outputFiles`,
    the URI of each file that was kept by its name.
    """

    container_image: str | None = None
    """The image in which the task runs."""
    env: dict[str, str | None] = field(default_factory=dict)
    """Environment variables; one without a value is not set."""
    before_commands: list[str] = field(default_factory=list)
    """Commands that run first, given to the same interpreter."""
    interpreter: list[str] = field(default_factory=lambda: [*SHELL_INTERPRETER])
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
    """The namespace files that the working directory gets."""
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

    ```yaml
    id: colors
    type: io.kestra.plugin.scripts.node.Script
    beforeCommands: [npm install colors]
    script: |
      const colors = require("colors");
      console.log(colors.red("hello"));
    ```

    ```yaml
    id: fit
    type: io.kestra.plugin.scripts.r.Script
    script: |
      model <- lm(mpg ~ wt, data = mtcars)
      cat(sprintf('::{"outputs":{"slope":%f}}::\n', coef(model)[["wt"]]))
    ```

    ```yaml
    id: root
    type: io.kestra.plugin.scripts.julia.Script
    script: |
      println("::{\"outputs\":{\"root\":$(sqrt(2))}}::")
    ```

    ```yaml
    id: words
    type: io.kestra.plugin.scripts.ruby.Script
    script: |
      require "json"
      puts "::#{JSON.generate(outputs: { words: %w[a b].length })}::"
    ```

    ```yaml
    id: fetch
    type: io.kestra.plugin.scripts.go.Script
    script: |
      package main

      import "fmt"

      func main() { fmt.Println(`::{"outputs":{"ok":true}}::`) }
    ```

    ```yaml
    id: quick
    type: io.kestra.plugin.scripts.bun.Script
    script: 'console.log(`::${JSON.stringify({outputs: {bun: Bun.version}})}::`);'
    ```

    ```yaml
    id: lines
    type: io.kestra.plugin.scripts.perl.Script
    script: |
      use JSON::PP;
      print '::' . encode_json({outputs => {lines => 3}}) . "::\n";
    ```

    ```yaml
    id: page
    type: io.kestra.plugin.scripts.php.Script
    script: |
      <?php
      echo '::', json_encode(['outputs' => ['php' => PHP_MAJOR_VERSION]]), "::\n";
    ```

    ```yaml
    id: small
    type: io.kestra.plugin.scripts.lua.Script
    script: print('::{"outputs":{"sum":' .. 1 + 2 .. '}}::')
    ```

    ```yaml
    id: report
    type: io.kestra.plugin.scripts.groovy.Script
    script: |
      println "::${groovy.json.JsonOutput.toJson([outputs: [ok: true]])}::"
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

    ```yaml
    id: build
    type: io.kestra.plugin.scripts.node.Commands
    inputFiles: {main.js: 'console.log("hello")'}
    commands: [node main.js]
    ```

    ```yaml
    id: model
    type: io.kestra.plugin.scripts.r.Commands
    commands: ["Rscript -e 'summary(cars)'"]
    ```

    ```yaml
    id: version
    type: io.kestra.plugin.scripts.julia.Commands
    commands: [julia --version]
    ```

    ```yaml
    id: gems
    type: io.kestra.plugin.scripts.ruby.Commands
    beforeCommands: [gem install httparty]
    commands: ["ruby -e 'require %q(httparty)'"]
    ```

    ```yaml
    id: tests
    type: io.kestra.plugin.scripts.go.Commands
    commands: [go mod init example.com/job, go vet ./...]
    ```

    ```yaml
    id: serve
    type: io.kestra.plugin.scripts.bun.Commands
    commands: [bun --version]
    ```

    ```yaml
    id: lint
    type: io.kestra.plugin.scripts.deno.Commands
    commands: [deno --version]
    ```

    ```yaml
    id: count
    type: io.kestra.plugin.scripts.perl.Commands
    commands: ["perl -e 'print 6 * 7'"]
    ```

    ```yaml
    id: info
    type: io.kestra.plugin.scripts.php.Commands
    commands: [php --version]
    ```

    ```yaml
    id: rocks
    type: io.kestra.plugin.scripts.lua.Commands
    commands: [lua -v]
    ```

    ```yaml
    id: run
    type: io.kestra.plugin.scripts.groovy.Commands
    commands: ["groovy -e 'println 1 + 1'"]
    ```
    """

    commands: list[str]
    """The commands, one after the other in one shell."""
