"""Scripts in each language that the cluster has an image of: both types, outputs and errors."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import indent

import pytest
import yaml

from e2e.fixtures.scenario import PYTHON_IMAGE, SHELL_IMAGE, Scenario

pytestmark = pytest.mark.cluster

IMAGE = os.environ.get("PENSTOCK_TEST_LANGUAGES_IMAGE", "penstock.local/languages:1")

SCRIPTS = {
    "node": (
        "const out = {args: process.argv.length, text: 'ü'};\n"
        "console.log(`::${JSON.stringify({outputs: out})}::`);",
        {"args": 2, "text": "ü"},
    ),
    "ruby": (
        'require "json"\nputs "::#{JSON.generate(outputs: {words: %w[a b].length})}::"',
        {"words": 2},
    ),
    "perl": (
        "use JSON::PP;\nprint '::' . encode_json({outputs => {lines => 3}}) . \"::\\n\";",
        {"lines": 3},
    ),
    "php": (
        "<?php\necho '::', json_encode(['outputs' => ['php' => 6 * 7]]), \"::\\n\";",
        {"php": 42},
    ),
    "lua": ("print('::{\"outputs\":{\"sum\":' .. 1 + 2 .. '}}::')", {"sum": 3}),
    "python": (
        'import json, sys\nprint(f\'::{json.dumps({"outputs": {"n": len(sys.argv)}})}::\')',
        {"n": 1},
    ),
    "shell": ('echo "::{\\"outputs\\":{\\"sum\\":$((1 + 2))}}::"', {"sum": 3}),
}
COMMANDS = {
    "node": "node -e 'process.exitCode = 3'",
    "ruby": "ruby -e 'exit 3'",
    "perl": "perl -e 'exit 3'",
    "php": "php -r 'exit(3);'",
    "lua": "lua -e 'os.exit(3)'",
    "python": "python -c 'raise SystemExit(3)'",
    "shell": "exit 3",
}
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "languages.yaml"
IMAGES = {"python": PYTHON_IMAGE, "shell": SHELL_IMAGE}


def test_every_language_runs_scripts_and_commands(scenario: Scenario) -> None:
    """All at once: the pods of one flow, side by side."""
    # given
    flow = scenario.flow(
        "id: languages\nnamespace: company.team\ntasks:\n"
        "  - id: all\n    type: io.kestra.plugin.core.flow.Parallel\n    tasks:\n"
        + "".join(_tasks(language) for language in SCRIPTS)
    )
    # when
    execution = scenario.execution(flow).ends("WARNING", seconds=120)
    # then
    for language, (_, values) in SCRIPTS.items():
        outputs = execution.outputs(f"{language}-script")
        assert outputs["vars"] == values, language
        failed = execution.run(f"{language}-commands")
        assert failed["attempts"][-1]["message"].startswith("exit code 3"), failed
    assert all(len(pod["spec"]["containers"]) == 1 for pod in execution.pods())


def _tasks(language: str) -> str:
    image = IMAGES.get(language, IMAGE)
    kind = f"io.kestra.plugin.scripts.{language}"
    script, _ = SCRIPTS[language]
    text = (
        f"- id: {language}-script\n  type: {kind}.Script\n  containerImage: {image}\n"
        f"  script: |\n{indent(script, '    ')}\n"
        f"- id: {language}-commands\n  type: {kind}.Commands\n  containerImage: {image}\n"
        f"  allowFailure: true\n  commands:\n    - |\n{indent(COMMANDS[language], '      ')}\n"
    )
    return indent(text, "      ")


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


def test_the_example_runs(scenario: Scenario) -> None:
    # given: one image in place of those that a cluster without a registry can't pull
    image = {"type": "io.kestra.plugin.scripts", "values": {"containerImage": IMAGE}}
    document = {**yaml.safe_load(EXAMPLE.read_text()), "pluginDefaults": [image]}
    # when
    execution = scenario.execution(scenario.flow(yaml.safe_dump(document))).ends("SUCCESS")
    # then
    assert execution.status["outputs"] == {"six": 6}
