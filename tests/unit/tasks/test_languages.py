"""The languages of script tasks: what each becomes on a command line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from penstock.flow.known_types import is_known
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.registry.definitions import container
from penstock.tasks.scripts.languages import LANGUAGES, POSIX, PWSH, Dialect, dialect_of
from penstock.tasks.scripts.script_types import SCRIPT_TYPES

DENO = "io.kestra.plugin.scripts.deno"
NODE = "io.kestra.plugin.scripts.node"
POWERSHELL = "io.kestra.plugin.scripts.powershell"
PYTHON = "io.kestra.plugin.scripts.python"


def test_every_language_has_both_types_and_kestra_knows_them() -> None:
    names = [script.name for script in SCRIPT_TYPES]
    assert len(names) == 2 * len(LANGUAGES) + 2 == len(set(names))
    assert [name for name in names if not is_known(name)] == []


@pytest.mark.parametrize(
    ("language", "image", "file", "last_line"),
    [
        ("node", "node", "script.js", "exec node script.js"),
        ("r", "r-base", "script.R", "exec Rscript script.R"),
        ("julia", "julia", "script.jl", "exec julia script.jl"),
        ("ruby", "ruby", "script.rb", "exec ruby script.rb"),
        ("go", "golang", "script.go", "exec go run script.go"),
        ("bun", "oven/bun", "script.ts", "exec bun run script.ts"),
        (
            *("deno", "denoland/deno", "script.ts"),
            "exec deno run --allow-env --allow-read --allow-write script.ts",
        ),
        ("perl", "perl", "script.pl", "exec perl script.pl"),
        ("php", "php", "script.php", "exec php script.php"),
        ("lua", "nickblah/lua", "script.lua", "exec lua script.lua"),
        ("groovy", "groovy", "script.groovy", "exec groovy script.groovy"),
    ],
)
def test_an_inline_script_is_a_file_that_its_language_runs(
    language: str, image: str, file: str, last_line: str
) -> None:
    what = container(
        f"io.kestra.plugin.scripts.{language}.Script", {"script": "1", "beforeCommands": ["a"]}
    )
    assert (what.image, what.files) == (image, {file: "1"})
    assert what.command[:2] == ("/bin/sh", "-c")
    lines = what.command[2].split("\n")
    assert (lines[0], *lines[-2:]) == ("set -e", "a", last_line)


def test_powershell_is_given_powershell() -> None:
    # when
    script = container(f"{POWERSHELL}.Script", {"script": "1", "beforeCommands": ["a"]})
    commands = container(f"{POWERSHELL}.Commands", {"commands": ["b", "c"], "failFast": False})
    # then
    pwsh = ("pwsh", "-NoProfile", "-NonInteractive", "-Command")
    assert script.command == (*pwsh, "$ErrorActionPreference = 'Stop'\na\n./script.ps1")
    assert script.files == {"script.ps1": "1"}
    assert commands.command == (*pwsh, "b\nc")
    assert commands.image == "ghcr.io/kestra-io/powershell:latest"


def test_a_long_powershell_text_is_sourced_as_a_script() -> None:
    what = container(f"{POWERSHELL}.Commands", {"commands": ["x" * 100_000]})
    assert what.command[-1] == ". ./.penstock-commands.ps1"
    assert list(what.files) == [".penstock-commands.ps1"]


@pytest.mark.parametrize(
    ("interpreter", "dialect"),
    [
        (["/bin/sh", "-c"], POSIX),
        (["bash", "-euo", "pipefail", "-c"], POSIX),
        (["/bin/bash", "-ec"], POSIX),
        (["pwsh", "-Command"], PWSH),
        (["/usr/bin/pwsh", "-c"], PWSH),
        (["pwsh", "-File"], None),
        (["pwsh", "-"], None),
        (["python3", "-c"], None),
        (["/bin/sh"], None),
    ],
)
def test_the_dialect_of_an_interpreter(interpreter: list[str], dialect: Dialect | None) -> None:
    assert dialect_of(interpreter) is dialect


def test_an_interpreter_has_at_least_one_word() -> None:
    with pytest.raises(TaskFailure, match="property `interpreter`"):
        container(f"{NODE}.Commands", {"commands": ["x"], "interpreter": []})


def test_a_script_of_deno_may_do_what_its_permissions_say() -> None:
    # given
    def last_line(**given: object) -> str:
        what = container(f"{DENO}.Script", {"script": "1", **given})
        return what.command[2].split("\n")[-1]

    # then: words, and no more than that
    only = ["--allow-net=example.com", "--allow-read=a b;c"]
    assert last_line(permissions=only) == (
        "exec deno run --allow-net=example.com '--allow-read=a b;c' script.ts"
    )
    assert last_line(permissions=[]) == "exec deno run script.ts"
    with pytest.raises(TaskFailure, match="permissions"):
        container(f"{DENO}.Commands", {"commands": ["x"], "permissions": []})


@pytest.mark.parametrize(
    ("language", "given", "wanted"),
    [
        ("bun", {"BUN_INSTALL_BIN": "/absent"}, {"BUN_INSTALL_BIN": "{home}/.bun/bin"}),
        ("bun", {"BUN_INSTALL_BIN": "/tmp"}, {"BUN_INSTALL_BIN": "/tmp"}),
        ("deno", {"DENO_DIR": "/absent"}, {"DENO_DIR": "{home}/.cache/deno"}),
        ("node", {}, {"NPM_CONFIG_PREFIX": "{home}/.npm-global"}),
        ("node", {"NPM_CONFIG_PREFIX": "/mine"}, {"NPM_CONFIG_PREFIX": "/mine"}),
        ("perl", {"PERL5LIB": "/mine"}, {"PERL5LIB": "{home}/perl5/lib/perl5:/mine"}),
        ("r", {}, {"R_LIBS_USER": "{home}/R"}),
        ("groovy", {"JAVA_OPTS": "-Xmx64m"}, {"JAVA_OPTS": "-Duser.home={home} -Xmx64m"}),
    ],
)
def test_a_language_installs_packages_where_its_user_may_write(
    language: str, given: dict[str, str], wanted: dict[str, str], tmp_path: Path
) -> None:
    # given
    what = container(f"io.kestra.plugin.scripts.{language}.Commands", {"commands": ["env"]})
    # when
    env = {"PATH": os.defpath, "HOME": str(tmp_path), **given}
    told = subprocess.run(what.command, env=env, capture_output=True, text=True, check=True).stdout
    # then
    for name, value in wanted.items():
        assert f"{name}={value.format(home=tmp_path)}" in told.split("\n")


def test_a_language_prepares_a_place_for_packages() -> None:
    what = container("io.kestra.plugin.scripts.r.Commands", {"commands": ["x"]})
    assert 'mkdir -p "$R_LIBS_USER"' in what.command[2].split("\n")


def test_the_python_version_names_the_default_image() -> None:
    given = {"script": "1", "pythonVersion": 3.12}
    assert container(f"{PYTHON}.Script", given).image == "python:3.12-slim"
    assert container(f"{PYTHON}.Script", {**given, "containerImage": "mine"}).image == "mine"
    with pytest.raises(TaskFailure, match="property `pythonVersion`: `latest`"):
        container(f"{PYTHON}.Script", {"script": "1", "pythonVersion": "latest"})


def test_pip_keeps_away_from_its_cache_where_it_shall() -> None:
    given = {"script": "1", "dependencies": ["kestra"]}
    assert "--no-cache-dir" not in container(f"{PYTHON}.Script", given).command[2]
    given["dependencyCacheEnabled"] = "false"
    assert "--no-cache-dir" in container(f"{PYTHON}.Script", given).command[2]
