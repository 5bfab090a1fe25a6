"""The environment of a script that installs Python packages: when there is one, and its pip."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.local import packages as local_packages
from penstock.local.packages import PackageEnvironment, installs_packages
from penstock.tasks.contract.task import Container, TaskFailure


@pytest.mark.parametrize(
    "text",
    [
        "pip install x",
        "set -e\n/usr/local/bin/pip3.11 install x",
        "python3 -m pip install x",
        'subprocess.run([sys.executable, "-m", "pip", "install", "x"])',
        "uv pip install x",
        "poetry install",
    ],
)
def test_a_text_that_names_an_installer_may_install(text: str, tmp_path: Path) -> None:
    assert installs_packages(Container(("/bin/sh", "-c", text)), tmp_path)
    assert installs_packages(Container(("sh",), files={"a": text}), tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/install.sh").write_text(text)
    assert installs_packages(Container(("sh", "deep/install.sh")), tmp_path)


@pytest.mark.parametrize("text", ["echo pipeline", "print(uvloop)", "ls pips", "npm install x"])
def test_any_other_text_has_no_environment(text: str, tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/a.py").write_text("pip install x")
    (tmp_path / "notes.txt").write_text("pip install x")
    assert not installs_packages(Container(("/bin/sh", "-c", text)), tmp_path)


def test_without_python_there_is_no_environment(tmp_path: Path) -> None:
    assert PackageEnvironment.make(tmp_path, str(tmp_path)) is None


def test_a_python_that_can_not_have_one_says_what_to_install(tmp_path: Path) -> None:
    # given
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
    python.chmod(0o755)
    # then
    with pytest.raises(TaskFailure, match=r"No module named venv\. .*python3-venv"):
        PackageEnvironment.make(tmp_path, f"{tmp_path}:{os.environ['PATH']}")


@pytest.fixture
def without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageEnvironment:
    """The environment of a Python that has no pip, and no other way to get one."""
    run = local_packages._run

    def none(command: list[str], path: str) -> subprocess.CompletedProcess[str]:
        asks_for_pip = "ensurepip" in command or local_packages._HAS_PIP in command
        return run(["false"] if asks_for_pip else command, path)

    monkeypatch.setattr(local_packages, "_run", none)
    monkeypatch.setattr(local_packages, "_MAKE", local_packages._MAKE.replace("=True", "=False"))
    made = PackageEnvironment.make(tmp_path, str(Path(sys.executable).parent))
    assert made is not None
    return made


def pip(environment: PackageEnvironment) -> subprocess.CompletedProcess[str]:
    variables = environment.variables({"PATH": "/usr/bin:/bin"})
    return subprocess.run(
        ["pip", "--version"], env=variables, capture_output=True, text=True, check=False
    )


def test_penstocks_own_pip_serves_where_a_python_has_none(without_pip: PackageEnvironment) -> None:
    assert f"from {without_pip.at}" in pip(without_pip).stdout


def test_where_there_is_no_pip_at_all_it_says_how_to_get_one(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    environment = request.getfixturevalue("without_pip")
    # when
    told = pip(environment)
    # then
    assert told.returncode == 1
    assert "apt-get install python3-pip" in told.stderr


def test_a_pipe_that_an_earlier_task_left_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "left.sh")
    (tmp_path / "linked.py").symlink_to("left.sh")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/install.sh").write_text("pip install x")
    look = (
        "import sys; from pathlib import Path; from penstock.tasks.contract.task import Container; "
        "from penstock.local.packages import installs_packages; "
        "print(installs_packages(Container(('ls',)), Path(sys.argv[1])))"
    )

    done = subprocess.run(
        [sys.executable, "-c", look, str(tmp_path)], capture_output=True, text=True, timeout=30
    )

    assert done.stdout == "True\n"
