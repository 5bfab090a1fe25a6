"""Scripts in each language that the cluster has an image of: both types, outputs and errors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from e2e.fixtures import images
from e2e.fixtures.scenario import PYTHON_IMAGE, SHELL_IMAGE, Scenario

pytestmark = pytest.mark.cluster

LANGUAGES_IMAGE = os.environ.get("PENSTOCK_TEST_LANGUAGES_IMAGE")
TOOLCHAINS_IMAGE = os.environ.get("PENSTOCK_TEST_TOOLCHAINS_IMAGE")
_LANGUAGES = LANGUAGES_IMAGE or "penstock.local/languages:1"
_TOOLCHAINS = TOOLCHAINS_IMAGE or "penstock.local/toolchains:1"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "languages.yaml"
WHO = "grün"


@dataclass(frozen=True)
class Sample:
    """A sample of a language: a script, and perhaps a command that fails."""

    script: str
    """Reads the variable `WHO`, writes it to `kept.txt` and gives it back."""
    image: str = _LANGUAGES
    failing: str | None = None
    """A command that ends with exit code 3. The commands of all languages are run by a shell: one
    language of each image shows that it is there."""


SAMPLES = {
    "shell": Sample(
        """
        printf %s "$WHO" >kept.txt
        echo "::{\\"outputs\\":{\\"who\\":\\"$WHO\\"}}::"
        """,
        SHELL_IMAGE,
        failing="exit 3",
    ),
    "python": Sample(
        """
        import json, os, pathlib
        who = os.environ["WHO"]
        pathlib.Path("kept.txt").write_text(who)
        print(f"::{json.dumps({'outputs': {'who': who}})}::")
        """,
        PYTHON_IMAGE,
        failing="python -c 'raise SystemExit(3)'",
    ),
    "node": Sample(
        """
        const who = process.env.WHO;
        require("fs").writeFileSync("kept.txt", who);
        console.log(`::${JSON.stringify({outputs: {who}})}::`);
        """,
        failing="node -e 'process.exitCode = 3'",
    ),
    "r": Sample(
        """
        who <- Sys.getenv("WHO")
        cat(who, file = "kept.txt")
        cat(sprintf('::{"outputs":{"who":"%s"}}::', who))
        """,
    ),
    "ruby": Sample(
        """
        require "json"
        who = ENV["WHO"]
        File.write("kept.txt", who)
        puts "::#{JSON.generate(outputs: {who: who})}::"
        """,
    ),
    "go": Sample(
        """
        package main

        import "os"

        func main() {
            who := os.Getenv("WHO")
            if err := os.WriteFile("kept.txt", []byte(who), 0o644); err != nil {
                panic(err)
            }
            os.Stdout.WriteString(`::{"outputs":{"who":"` + who + `"}}::`)
        }
        """,
        _TOOLCHAINS,
    ),
    "bun": Sample(
        """
        const who: string = Bun.env.WHO!;
        await Bun.write("kept.txt", who);
        console.log(`::${JSON.stringify({outputs: {who}})}::`);
        """,
        _TOOLCHAINS,
    ),
    "deno": Sample(
        """
        const who: string = Deno.env.get("WHO")!;
        Deno.writeTextFileSync("kept.txt", who);
        console.log(`::${JSON.stringify({outputs: {who}})}::`);
        """,
        _TOOLCHAINS,
        failing="deno eval 'Deno.exit(3)'",
    ),
    "perl": Sample(
        """
        open(my $file, ">", "kept.txt") or die;
        print $file $ENV{WHO};
        print qq(::{"outputs":{"who":"$ENV{WHO}"}}::);
        """,
    ),
    "php": Sample(
        """
        <?php
        $who = getenv("WHO");
        file_put_contents("kept.txt", $who);
        echo "::", json_encode(["outputs" => ["who" => $who]]), "::";
        """,
    ),
    "lua": Sample(
        """
        local who = os.getenv("WHO")
        local file <close> = io.open("kept.txt", "w")
        file:write(who)
        print('::{"outputs":{"who":"' .. who .. '"}}::')
        """,
    ),
}
COUNT_KEPT = """echo "::{\\"outputs\\":{\\"same\\":$(grep -lx "$WHO" * | wc -l)}}::" """


@pytest.fixture(scope="module")
def languages() -> None:
    """The image of Node, Ruby, Perl, PHP, Lua and R, loaded here: nothing else needs it."""
    if LANGUAGES_IMAGE is None:
        images.load("languages")


@pytest.fixture(scope="module")
def toolchains() -> None:
    """The image of Go, Deno and Bun, loaded here as well."""
    if TOOLCHAINS_IMAGE is None:
        images.load("toolchains")


@pytest.mark.long
@pytest.mark.usefixtures("languages", "toolchains")
def test_every_language_runs_scripts_and_each_image_commands(scenario: Scenario) -> None:
    # given: all side by side, then one task that reads what they kept
    kept = {
        language: f"{{{{ outputs['{language}-script'].outputFiles['kept.txt'] }}}}"
        for language in SAMPLES
    }
    tasks = [task for language, sample in SAMPLES.items() for task in _tasks(language, sample)]
    document = {
        "id": "languages",
        "namespace": "company.team",
        "tasks": [
            {"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": tasks},
            {
                "id": "kept",
                "type": "io.kestra.plugin.scripts.shell.Commands",
                "containerImage": SHELL_IMAGE,
                "env": {"WHO": WHO},
                "inputFiles": kept,
                "commands": [COUNT_KEPT],
            },
        ],
    }
    # when
    execution = scenario.execution(scenario.flow(yaml.safe_dump(document)))
    execution.ends("WARNING", seconds=180)
    # then
    for language, sample in SAMPLES.items():
        assert execution.outputs(f"{language}-script")["vars"] == {"who": WHO}, language
        if sample.failing is None:
            continue
        failed = execution.run(f"{language}-commands")
        assert failed["attempts"][-1]["message"].startswith("exit code 3"), failed
        (pod,) = execution.pods(f"{language}-commands")
        assert len(pod["spec"]["containers"]) == 1
    assert execution.outputs("kept")["vars"] == {"same": len(SAMPLES)}


def _tasks(language: str, sample: Sample) -> list[dict[str, Any]]:
    kind = f"io.kestra.plugin.scripts.{language}"
    script = {
        "id": f"{language}-script",
        "type": f"{kind}.Script",
        "containerImage": sample.image,
        "env": {"WHO": WHO},
        "outputFiles": ["kept.txt"],
        "script": dedent(sample.script).strip(),
    }
    if sample.failing is None:
        return [script]
    commands = {
        "id": f"{language}-commands",
        "type": f"{kind}.Commands",
        "containerImage": sample.image,
        "allowFailure": True,
        "commands": [sample.failing],
    }
    return [script, commands]


def test_an_image_without_the_interpreter_fails_the_task(scenario: Scenario) -> None:
    # given
    flow = scenario.flow(f"""
        id: lacking
        namespace: company.team
        tasks:
          - id: lacking
            type: io.kestra.plugin.scripts.julia.Script
            containerImage: {SHELL_IMAGE}
            script: println("never")
    """)
    # when
    execution = scenario.execution(flow).ends("FAILED")
    # then
    (attempt,) = execution.run("lacking")["attempts"]
    assert attempt["message"] == "exit code 127 (the command was not found)"


@pytest.mark.usefixtures("languages")
def test_the_example_runs(scenario: Scenario) -> None:
    # given: one image in place of those that a cluster without a registry can't pull
    image = {"type": "io.kestra.plugin.scripts", "values": {"containerImage": _LANGUAGES}}
    document = {**yaml.safe_load(EXAMPLE.read_text()), "pluginDefaults": [image]}
    # when
    execution = scenario.execution(scenario.flow(yaml.safe_dump(document))).ends("SUCCESS")
    # then
    assert execution.status["outputs"] == {"six": 6}
