"""The packages of a Python task, kept from attempt to attempt: what the script and the container
for files do together, against a storage service that runs.

Only pip is not the real one: it lets a package be there and counts, without an index.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from penstock.storage.errors import StorageError
from penstock.tasks.contract.packages import PACKAGES_VARIABLE
from penstock.tasks.contract.plan import Plan
from penstock.tasks.pod import package_cache
from penstock.tasks.registry.definitions import container
from tests.fixtures.storageservice import GRANT, Running, running
from tests.unit.tasks.test_staging import ORIGIN, Pod

PYTHON = "io.kestra.plugin.scripts.python.Commands"
ENTRY = "/company/team/flow/cache/packages-make.tar"

PIP = """\
#!/bin/sh
if [ "$1" = -c ]; then echo "$TAG"; exit; fi
echo "$@" >>"$PIPS"
mkdir -p "$PYTHONUSERBASE/lib" && echo half >"$PYTHONUSERBASE/lib/package"
[ -z "$NO_INDEX" ] || exit 1
echo installed >"$PYTHONUSERBASE/lib/package"
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "storage") as service:
        yield service


class Attempts:
    """Attempts of a task with dependencies, a pod each."""

    def __init__(self, at: Path, service: Running) -> None:
        self._at = at
        self._service = service
        self._pods = 0
        self.flow = "flow"
        self.notes: list[str] = []
        self.warnings = ""
        self.installed: list[str] = []
        (at / "bin").mkdir()
        (at / "bin/python").write_text(PIP)
        (at / "bin/python").chmod(0o755)

    def run(
        self, *commands: str, tag: str = "cpython-313", index: bool = True, **properties: Any
    ) -> int:
        """The exit code of the script; whether pip ran is in ``installed`` then."""
        self._pods += 1
        at = self._at / f"pod-{self._pods}"
        place = replace(GRANT.place, flow=self.flow, execution=f"run-{self._pods}")
        pod = Pod(at, self._service, place=place)
        what = container(PYTHON, {"dependencies": ["package"], "commands": commands, **properties})
        key = what.packages.key(str) if what.packages is not None else None
        pod.staged(Plan(ORIGIN, packages=key or ""))
        self.warnings = pod.until("staged")
        (at / "home").mkdir()
        environment = {
            "PATH": f"{self._at}/bin:/usr/bin:/bin", "HOME": f"{at}/home", "TAG": tag,
            "PIPS": f"{at}/pips", "NO_INDEX": "" if index else "1",
            **({PACKAGES_VARIABLE: f"{at}/packages"} if key else {}),
        }  # fmt: skip
        done = subprocess.run(what.command, cwd=at / "work", env=environment, timeout=30)
        self.notes = pod.end(done.returncode)["notes"]
        pips = at / "pips"
        self.installed = pips.read_text().splitlines() if pips.exists() else []
        return done.returncode


@pytest.fixture
def attempts(tmp_path: Path, service: Running) -> Attempts:
    return Attempts(tmp_path, service)


USE = 'test "$(cat ~/.local/lib/package)" = installed'


def test_what_was_installed_is_there_the_next_time(attempts: Attempts) -> None:
    # when
    assert attempts.run(USE) == 0
    assert len(attempts.installed) == 1
    # then
    assert attempts.run(USE, 'test "$PYTHONUSERBASE/lib" -ef ~/.local/lib', index=False) == 0
    assert (attempts.installed, attempts.notes, attempts.warnings) == ([], [], "")


def test_nothing_of_a_script_is_kept_with_its_packages(attempts: Attempts) -> None:
    assert attempts.run("echo mine >~/.local/lib/package; touch ~/.local/more") == 0
    assert attempts.run(USE, "test ! -e ~/.local/more", index=False) == 0


def test_a_failed_script_has_installed_its_packages_all_the_same(attempts: Attempts) -> None:
    assert attempts.run("exit 3") == 3
    assert attempts.run(USE, index=False) == 0


def test_an_unfinished_installation_is_not_kept(attempts: Attempts) -> None:
    assert attempts.run(USE, index=False) == 1
    assert attempts.run(USE) == 0
    assert len(attempts.installed) == 1


@pytest.mark.parametrize(
    "properties",
    [
        {"dependencies": ["package", "other"]},
        {"containerImage": "mine"},
        {"pythonVersion": "3.12"},
        {"interpreter": ["/bin/bash", "-c"]},
        {"env": {"PIP_INDEX_URL": "https://elsewhere"}},
    ],
)
def test_other_packages_replace_those_that_are_kept(
    attempts: Attempts, service: Running, properties: dict[str, Any]
) -> None:
    attempts.run(USE)
    assert attempts.run(USE, index=False, **properties) == 1
    assert attempts.run(USE, **properties) == 0
    assert attempts.run(USE, index=False, **properties) == 0
    assert attempts.run(USE, index=False) == 1
    assert list(service.storage.of("team").list("/")) == [ENTRY]


def test_what_does_not_matter_to_pip_does_not_matter() -> None:
    first = container(PYTHON, {"dependencies": ["b", "a"], "commands": ["x"]})
    second = container(PYTHON, {"dependencies": ["a", "b"], "commands": ["y"], "env": {"A": "x"}})
    assert first.packages is not None
    assert second.packages is not None
    assert first.packages.key(str) == second.packages.key(str)


def test_another_python_behind_the_same_image_installs_anew(attempts: Attempts) -> None:
    attempts.run(USE)
    assert attempts.run(USE, tag="cpython-314") == 0
    assert len(attempts.installed) == 1
    assert attempts.run(USE, tag="cpython-314", index=False) == 0


@pytest.mark.parametrize("other", ["other", "FLOW", "flow_"])
def test_another_flow_installs_for_itself(attempts: Attempts, other: str) -> None:
    attempts.run(USE)
    attempts.flow = other
    assert attempts.run(USE, index=False) == 1


def test_no_name_leads_into_another_flow(service: Running) -> None:
    place = replace(GRANT.place, flow="mine")
    for name in ("../../flow/cache/packages-make", "/flow/cache/packages-make", "..", "%2e%2e/a"):
        with suppress(StorageError):
            service.client(place=place).caches.put(name, BytesIO(b"x"))
    found = list(service.storage.of("team").list("/"))
    assert found
    assert all(path.startswith("/company/team/mine/cache/") for path in found)


def test_after_a_week_it_is_installed_anew(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts.run(USE)
    monkeypatch.setattr(package_cache, "KEPT_SECONDS", 0)
    attempts.run(USE)
    assert len(attempts.installed) == 1


@pytest.mark.parametrize("cut", ["all", "key", "archive", "foreign"])
def test_what_is_damaged_is_told_and_installed_anew(
    attempts: Attempts, service: Running, cut: str
) -> None:
    # given
    attempts.run(USE)
    storage = service.storage.of("team")
    with storage.open(ENTRY) as file:
        whole = file.read()
    first, _, _ = whole.partition(b"\n")
    damaged = {
        "all": b"",
        "key": b"\xff" * 500,
        "archive": whole[: len(first) + 700],
        "foreign": first + b"\n" + b"no archive" * 1000,
    }
    storage.put(ENTRY, BytesIO(damaged[cut]))
    # when
    assert attempts.run(USE) == 0
    # then
    assert len(attempts.installed) == 1
    assert attempts.warnings.startswith("WARN the kept packages can't be used")
    assert attempts.run(USE, index=False) == 0


def test_what_can_not_be_kept_is_told_and_fails_nothing(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_cache, "LARGEST_BYTES", 3)
    assert attempts.run(USE) == 0
    (note,) = attempts.notes
    assert note.startswith("the packages are not kept for the next run: they have 0.0 GiB")


def test_a_storage_that_is_slow_holds_up_the_end_for_a_while_only(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    over = Event()
    monkeypatch.setattr(package_cache, "LAST_SECONDS", 0.1)
    monkeypatch.setattr(
        "penstock.tasks.remote.storage.RemoteCaches.put", lambda *given: over.wait(30)
    )
    # when
    code = attempts.run(USE)
    over.set()
    # then
    assert code == 0
    assert attempts.notes == [
        "the packages are not kept for the next run: the storage took longer than 0 s for them"
    ]


@pytest.mark.parametrize(
    "properties",
    [
        {"dependencyCacheEnabled": False},
        {"dependencies": []},
        {"dependencies": ["./mine"]},
        {"dependencies": ["mine-1.0.whl"]},
        {"dependencies": ["mine @ file:///penstock/work/mine"]},
        {"dependencies": ["git+https://host/mine@main"]},
        {"env": {"PYTHONUSERBASE": "/a/volume"}},
        {"env": {"PIP_CONSTRAINT": "constraints.txt"}},
    ],
)
def test_what_is_not_kept(properties: dict[str, Any]) -> None:
    given = {"dependencies": ["package"], "commands": ["x"], **properties}
    what = container(PYTHON, given)
    assert what.packages is None
    assert PACKAGES_VARIABLE not in what.command[-1]


@pytest.mark.parametrize(
    "name",
    [
        "numpy", "numpy==2.3.1", "kestra[all]>=1,<2", "a; python_version < '3.12'",
        "a @ https://host/a-1.0-py3-none-any.whl",
    ],
)  # fmt: skip
def test_what_is_kept(name: str) -> None:
    assert container(PYTHON, {"dependencies": [name], "commands": ["x"]}).packages is not None


def test_a_secret_is_no_part_of_what_is_kept() -> None:
    def told(text: str) -> str:
        return text.replace("(secret:1:1)", "secret('TOKEN')").replace(
            "(secret:2:1)", "secret('TOKEN')"
        )

    def key(token: str, **properties: Any) -> str | None:
        given = {"dependencies": ["package"], "commands": ["x"], **properties}
        made = container(PYTHON, given).packages
        assert made is not None
        return made.key(told)

    assert key("", dependencies=["a @ https://me:(secret:1:1)@host/a.whl"]) is None
    urls = [{"PIP_INDEX_URL": f"https://me:(secret:{run}:1)@host"} for run in (1, 2)]
    first, second = (key("", env=env) for env in urls)
    assert first == second != key("")


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_without_a_place_for_them_packages_are_just_installed(tmp_path: Path, shell: str) -> None:
    # given
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    strict = [shell, "-uec"]
    given = {"dependencies": ["package"], "commands": ["echo then"], "interpreter": strict}
    # when
    done = subprocess.run(
        container(PYTHON, given).command,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # then
    installs, then = done.stdout.splitlines()
    assert installs == "-m pip install --quiet --no-warn-script-location --user -- package"
    assert then == "then"
