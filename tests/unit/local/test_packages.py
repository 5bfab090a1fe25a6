"""Packages that a task installs on this machine are its own: nobody's Python is changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from penstock.resources.execution import State
from tests.unit.local.conftest import Hall, Try

DEBIAN = Path("/usr/bin/python3")


def wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel with one module that has a version."""
    folder.mkdir(exist_ok=True)
    at = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    texts = {
        f"{name}.py": f"version = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(at, "w") as archive:
        for path, text in {**texts, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return at


class Person:
    """Somebody's Python, with packages of their own."""

    def __init__(self, name: str, python: Path, path: str, home: Path, packages: list[Path]):
        self.name = name
        self.python = python
        self.path = path
        self._watched = [home / ".local", *packages]

    def packages(self) -> list[str]:
        """All that is installed for them, but for what Python compiles by itself."""
        return sorted(
            f"{path} {path.stat().st_size}"
            for folder in self._watched
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )


@pytest.fixture(params=["in a virtual environment", "Debian's"])
def person(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Person]:
    """A person who has probe 1 and a further package; the index has probe 2."""
    old, index, home = tmp_path / "old", tmp_path / "index", tmp_path / "me"
    home.mkdir()
    wheel(index, "probe", "2.0")
    if request.param == "Debian's":
        if not list(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED")):
            pytest.skip("the system's Python is none that refuses pip")
        python, folder = DEBIAN, DEBIAN.parent
        packages = [*Path("/usr/local/lib").glob("python3*"), Path("/usr/lib/python3")]
    else:
        at = tmp_path / "mine"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", at], check=True)
        python, folder = at / "bin/python", at / "bin"
        (site,) = at.glob("lib/*/site-packages")
        for item in (wheel(old, "probe", "1.0"), wheel(old, "mine", "7.0")):
            zipfile.ZipFile(item).extractall(site)
        packages = [at]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is not None:
        (tmp_path / "tools").mkdir()
        (tmp_path / "tools/uv").symlink_to(uv)
    path = f"{folder}:{tmp_path / 'tools'}:/usr/bin:/bin"
    settings = {
        "PATH": path,
        "HOME": str(home),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_CACHE_DIR": str(tmp_path / "cache"),
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(index),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    someone = Person(request.param, python, path, home, packages)
    before = someone.packages()
    yield someone
    assert someone.packages() == before


Runs = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def said(try_: Try, hall: Hall) -> Runs:
    """Runs a flow to its end; what its tasks printed."""

    async def run(text: str, state: State = State.SUCCESS) -> list[str]:
        status = await try_(text).run()
        lines = [line for _, line in hall.seen[0].lines]
        assert status.state is state, lines
        return lines

    return run


def commands(*lines: str) -> str:
    """A flow whose task runs these lines, then says which probe there is."""
    listed = "".join(f"      - {line}\n" for line in lines)
    return f"""
tasks:
  - id: install
    type: io.kestra.plugin.scripts.shell.Commands
    commands:
{listed}      - python -c 'import probe; print("probe", probe.version)'
"""


@pytest.mark.parametrize(
    "line",
    [
        "pip install --quiet probe==2.0",
        "pip3 install --quiet --user probe==2.0",
        "python -m pip install --quiet --break-system-packages probe==2.0",
        "python3 -c 'import subprocess, sys; "
        'subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "probe==2.0"])\'',
    ],
)
async def test_pip_installs_for_the_task_alone(person: Person, said: Runs, line: str) -> None:
    assert "probe 2.0" in await said(commands(f"|\n        {line}"))


@pytest.mark.parametrize("option", ["", "--system "])
async def test_uv_installs_for_the_task_alone(person: Person, said: Runs, option: str) -> None:
    if shutil.which("uv") is None:
        pytest.skip("there is no uv")
    assert "probe 2.0" in await said(commands(f"uv pip install --quiet {option}probe==2.0"))


async def test_dependencies_are_there(person: Person, said: Runs) -> None:
    flow = """
tasks:
  - id: install
    type: io.kestra.plugin.scripts.python.Script
    dependencies: [probe==2.0]
    beforeCommands: [python -c "import probe"]
    script: |
      import probe
      print("probe", probe.version)
"""
    assert "probe 2.0" in await said(flow)


async def test_requirements_of_the_first_python_task_are_there(person: Person, said: Runs) -> None:
    flow = """
tasks:
  - id: install
    type: io.kestra.core.tasks.scripts.Python
    requirements: [probe==2.0]
    commands: [./bin/pip uninstall --yes --quiet mine, ./bin/python main.py]
    inputFiles:
      main.py: import probe; print("probe", probe.version)
"""
    assert "probe 2.0" in await said(flow)


async def test_what_a_file_installs_is_for_the_task_alone(person: Person, said: Runs) -> None:
    flow = """
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.WorkingDirectory
    inputFiles:
      install/all.sh: pip install --quiet probe==2.0
    tasks:
      - id: install
        type: io.kestra.plugin.scripts.shell.Commands
        commands:
          - sh install/all.sh
          - python -c 'import probe; print("probe", probe.version)'
"""
    assert "probe 2.0" in await said(flow)


async def test_a_persons_own_packages_stay_in_sight(person: Person, said: Runs) -> None:
    if person.name == "Debian's":
        pytest.skip("it has no package of the test's")
    flow = """
tasks:
  - id: look
    type: io.kestra.plugin.scripts.python.Script
    beforeCommands:
      - pip uninstall --yes probe
      - pip install --quiet mine
    script: |
      import mine, probe
      print("mine", mine.version, "probe", probe.version)
"""
    assert "mine 7.0 probe 1.0" in await said(flow)


async def test_a_pip_that_is_called_by_its_path_changes_nothing(person: Person, said: Runs) -> None:
    if person.name != "Debian's":
        pytest.skip("it has no pip of its own")
    line = f"{person.python} -m pip install --break-system-packages probe==2.0"
    lines = await said(commands(line), State.FAILED)
    assert any("virtualenv" in text for text in lines)


async def test_without_packages_there_is_no_environment(person: Person, said: Runs) -> None:
    flow = """
tasks:
  - id: plain
    type: io.kestra.plugin.scripts.python.Script
    script: |
      import os, sys
      print("prefix", sys.prefix, os.environ.get("VIRTUAL_ENV"))
"""
    (line,) = await said(flow)
    assert line == f"prefix {person.python.parent.parent} None"


async def test_only_where_packages_come_from_is_taken_over(
    person: Person, said: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # given a person whose pip installs elsewhere
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    monkeypatch.setenv("PIP_PREFIX", str(tmp_path / "prefix"))
    # when
    lines = await said(commands("pip install --quiet probe==2.0"))
    # then
    assert "probe 2.0" in lines
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "prefix").exists()


async def test_npm_and_gem_install_into_the_home_of_the_attempt(said: Runs) -> None:
    flow = """
tasks:
  - id: where
    type: io.kestra.plugin.scripts.shell.Commands
    commands:
      - case "$NPM_CONFIG_PREFIX $GEM_HOME" in "$HOME/"*" $HOME/"*) echo at home;; esac
      - mkdir -p "$GEM_HOME/bin"; printf '#!/bin/sh\\necho tool\\n' >"$GEM_HOME/bin/some-tool"
      - chmod +x "$GEM_HOME/bin/some-tool"; some-tool
"""
    lines = await said(flow)
    assert lines == ["at home", "tool"]
