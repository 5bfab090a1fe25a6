"""The sidecar of a script's files, against a storage service that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from penstock.storage.execution import NamespaceFiles
from penstock.tasks.contract.framing import decode_result, parse_marker
from penstock.tasks.contract.plan import Plan, SharedDirectory, plan_of
from penstock.tasks.contract.pod_folders import KEPT_MARK, PodFolders
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import NamespaceFilesOption
from penstock.tasks.pod.staging import Staging
from penstock.tasks.remote.storage import GRANT_VARIABLE, URL_VARIABLE, Remote
from tests.fixtures.storageservice import GRANT, Running, running

ORIGIN = Origin("company.team", "flow", "run-1", "make", "tr1")
OWN = "kestra:///company/team/flow/executions/run-1/tasks/make/tr1/"
NAMES = ["a.txt", "with space & ünïcode/日本 $(x).bin", "-rf", "a/b/c.csv"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "storage") as service:
        yield service


class Pod:
    """A pod's folders, and the container for files in a thread."""

    def __init__(self, base: Path, service: Running, **grant: Any) -> None:
        base.mkdir(parents=True)
        self.folders = PodFolders(base)
        self.remote = service.client(GRANT, **grant)
        self._thread: Thread | None = None

    def start(self, plan: Plan) -> None:
        staging = Staging(plan_of(plan.to_json()), self.folders, lambda: self.remote)
        self._thread = Thread(target=staging.run, daemon=True)
        self._thread.start()

    def staged(self, plan: Plan) -> Path:
        """The working directory, with all that the plan puts there."""
        self.start(plan)
        self.until("staged")
        return self.folders.work

    def until(self, name: str) -> str:
        """Wait for the text that was told under a name."""
        deadline = time.monotonic() + 20
        while not self.folders.said(name):
            assert time.monotonic() < deadline
            assert name == "failed" or not self.folders.said("failed"), self.failure()
            time.sleep(0.01)
        return (self.folders.run / name).read_text()

    def end(self, code: int = 0) -> dict[str, Any]:
        """The script ends: what was kept."""
        (self.folders.run / "done").write_text(f"{code}\n")
        line = self.until("kept")
        assert line.startswith(KEPT_MARK)
        kept: dict[str, Any] = json.loads(line.removeprefix(KEPT_MARK))
        return kept

    def failure(self) -> str:
        marker = parse_marker((self.folders.run / "failed").read_text())
        assert marker is not None
        assert marker.form == "inline"
        result = decode_result(marker.payload)
        assert result is not None
        assert result.message is not None
        return result.message

    def fails(self, code: int | None = None) -> str:
        if code is not None:
            (self.folders.run / "done").write_text(f"{code}\n")
        self.until("failed")
        return self.failure()


@pytest.fixture
def pod(tmp_path: Path, service: Running) -> Pod:
    return Pod(tmp_path / "pod", service)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_task_keeps_is_what_the_next_one_finds(
    pod: Pod, service: Running, tmp_path: Path, name: str
) -> None:
    # given
    content = os.urandom(70_000)
    work = pod.staged(Plan(ORIGIN, output_files=["**"]))
    (work / name).parent.mkdir(parents=True, exist_ok=True)
    (work / name).write_bytes(content)
    # when
    kept = pod.end()
    uri = kept["files"][name]
    after = Pod(tmp_path / "next", service, task="use", task_run="tr2")
    found = after.staged(Plan(ORIGIN, fetched={name: uri}, beside={"fetched/0/x": uri}))
    # then
    assert kept == {"files": {name: uri}, "notes": []}
    assert uri.startswith(OWN)
    assert (found / name).read_bytes() == content
    assert (after.folders.base / "fetched/0/x").read_bytes() == content


def test_what_is_to_be_kept_may_stand_in_the_output_directory(pod: Pod) -> None:
    # given
    work = pod.staged(Plan(ORIGIN, output_files=["a.txt", "b/*.csv"]))
    (pod.folders.output / "a.txt").write_text("a")
    (pod.folders.output / "unasked.txt").write_text("no")
    (work / "b").mkdir()
    (work / "b/c.csv").write_text("c")
    # then
    assert pod.end() == {
        "files": {"a.txt": f"{OWN}a.txt", "b/c.csv": f"{OWN}b/c.csv"},
        "notes": [],
    }


def test_all_of_an_output_directory_that_is_named_is_kept(pod: Pod) -> None:
    # given
    pod.staged(Plan(ORIGIN, output_files=["a.txt"], output_directory=True))
    for name in ("a.txt", "b.txt"):
        (pod.folders.output / name).write_text(name)
    # then
    kept = pod.end()
    assert (sorted(kept["files"]), kept["notes"]) == (["a.txt", "b.txt"], [])


def test_a_link_in_the_output_directory_leads_nowhere(pod: Pod) -> None:
    # given
    pod.staged(Plan(ORIGIN, output_files=["*"]))
    (pod.folders.output / "passwd").symlink_to("/etc/passwd")
    # then
    assert pod.end()["files"] == {}


def test_namespace_files_stand_there_before_the_inputs(pod: Pod, service: Running) -> None:
    # given
    files = NamespaceFiles(service.storage.of("team"), "company.team")
    for path in ("scripts/a.py", "b.txt", "c.md"):
        files.put(path, BytesIO(f"namespace {path}".encode()))
    # when
    work = pod.staged(
        Plan(
            ORIGIN,
            namespace_files=NamespaceFilesOption(exclude=["*.md"]),
            fetched={"b.txt": "nsfile:///c.md"},
        )
    )
    # then
    found = {str(file.relative_to(work)): file.read_text() for file in work.rglob("*.*")}
    assert found == {"scripts/a.py": "namespace scripts/a.py", "b.txt": "namespace c.md"}


def test_a_missing_input_is_named(pod: Pod) -> None:
    pod.start(Plan(ORIGIN, fetched={"in.csv": f"{OWN}none.csv"}))
    assert pod.fails() == f"The file '{OWN}none.csv' does not exist"


def test_a_file_of_another_execution_is_refused(pod: Pod) -> None:
    uri = "kestra:///company/team/flow/executions/run-2/tasks/make/tr1/a"
    pod.start(Plan(ORIGIN, fetched={"a": uri}))
    assert "didn't belong to the current execution" in pod.fails()


def test_a_file_that_is_asked_for_by_its_name_has_to_be_there(pod: Pod) -> None:
    # given
    work = pod.staged(Plan(ORIGIN, output_files=["made.txt", "missing.txt", "*.csv"]))
    (work / "made.txt").touch()
    # then
    assert pod.fails(0) == (
        "property `outputFiles`: the task made no file `missing.txt` in its working directory"
    )


def test_a_pattern_may_match_nothing(pod: Pod) -> None:
    pod.staged(Plan(ORIGIN, output_files=["*.csv"]))
    assert pod.end() == {
        "files": {},
        "notes": ["property `outputFiles`: no file matches `*.csv`"],
    }


def test_a_failed_script_keeps_what_it_made(pod: Pod) -> None:
    # given
    work = pod.staged(Plan(ORIGIN, output_files=["log.txt", "missing.txt"]))
    (work / "log.txt").write_text("why")
    # then
    assert pod.end(3) == {
        "files": {"log.txt": f"{OWN}log.txt"},
        "notes": ["property `outputFiles`: the task made no file `missing.txt`"],
    }


def test_the_output_directory_is_kept_as_a_whole(pod: Pod) -> None:
    pod.staged(Plan(ORIGIN, output_directory=True))
    (pod.folders.output / "deep").mkdir()
    (pod.folders.output / "deep/file").write_text("x")
    assert pod.end()["files"] == {"deep/file": f"{OWN}deep/file"}


def test_links_within_the_directory_are_followed_and_no_others(pod: Pod) -> None:
    # given
    work = pod.staged(Plan(ORIGIN, output_files=["*"]))
    (work / "real").write_text("x")
    (work / "near").symlink_to("real")
    (work / "far").symlink_to("/proc/self/environ")
    (work / "up").symlink_to("../run/staged")
    # then
    assert sorted(pod.end()["files"]) == ["near", "real"]


def test_a_pipe_is_not_waited_for(pod: Pod) -> None:
    work = pod.staged(Plan(ORIGIN, output_files=["*"]))
    os.mkfifo(work / "pipe")
    assert pod.end()["files"] == {}


def test_a_file_that_is_still_written_to_fails_the_task(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    work = pod.staged(Plan(ORIGIN, output_files=["growing"]))
    (work / "growing").write_text("a")
    put = pod.remote.files.put

    def grows(name: str, source: Any) -> str:
        with (work / name).open("a") as file:
            file.write("b")
        return put(name, source)

    monkeypatch.setattr(type(pod.remote.files), "put", lambda files, *given: grows(*given))
    # then
    assert pod.fails(0) == "`growing` changed while it was uploaded"


def test_a_file_that_can_not_be_read_is_named(pod: Pod) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every file")
    work = pod.staged(Plan(ORIGIN, output_files=["*"]))
    (work / "mine").touch(0)
    assert pod.fails(0) == "`mine`: Permission denied"


def test_a_start_after_the_files_are_in_place_leaves_them(pod: Pod) -> None:
    # given
    plan = Plan(ORIGIN, output_files=["*"])
    work = pod.staged(plan)
    (work / "made").write_text("x")
    # when
    pod.start(plan)
    # then
    assert list(pod.end()["files"]) == ["made"]


def test_an_unfinished_start_is_begun_anew(pod: Pod) -> None:
    # given
    pod.folders.make()
    (pod.folders.work / "half").touch()
    # then
    work = pod.staged(Plan(ORIGIN))
    assert list(work.iterdir()) == []


def test_a_container_that_is_killed_again_and_again_fails_the_task(pod: Pod) -> None:
    pod.folders.make()
    (pod.folders.run / "starts").write_bytes(b"....")
    pod.start(Plan(ORIGIN))
    assert pod.fails() == "the container that moves the task's files was killed 4 times"


def test_no_storage_is_told(tmp_path: Path) -> None:
    folders = PodFolders(tmp_path)
    Staging(Plan(ORIGIN), folders, lambda: None).run()
    assert "there is none" in (folders.run / "failed").read_text()


def test_a_long_failure_fits_a_termination_message(tmp_path: Path) -> None:
    folders = PodFolders(tmp_path)

    def broken() -> Remote:
        raise OSError("é" * 10_000)

    Staging(Plan(ORIGIN), folders, broken).run()
    assert len((folders.run / "failed").read_bytes()) < 4096


class Chain:
    """The attempts of a WorkingDirectory, a pod each."""

    def __init__(self, at: Path, service: Running, **properties: Any) -> None:
        self._at = at
        self._service = service
        self._properties = properties
        self.left: list[str] = []

    def run(self, script: Callable[[Path], object], code: int = 0) -> Path:
        number = len(self.left)
        pod = Pod(self._at / f"pod-{number}", self._service)
        name = f".penstock/directory-{number}.tar"
        shared = SharedDirectory("tr1", list(self.left), name, properties=self._properties)
        work = pod.staged(Plan(ORIGIN, shared=shared))
        script(work)
        pod.end(code)
        self.left.insert(0, f"{OWN}{name}")
        return work


def test_a_shared_directory_goes_from_task_to_task(tmp_path: Path, service: Running) -> None:
    # given
    chain = Chain(tmp_path, service, inputFiles={"in/a.txt": "hello"})

    def first(work: Path) -> None:
        assert (work / "in/a.txt").read_text() == "hello"
        (work / "in/a.txt").unlink()
        (work / "run.sh").write_bytes(b"\x00\xff")
        (work / "run.sh").chmod(0o750)
        (work / "empty").mkdir(0o700)
        (work / "link").symlink_to("/usr/bin/python3")
        (work / "closed").mkdir()
        (work / "closed/file").write_text("x")
        (work / "closed").chmod(0o555)

    # when
    chain.run(first)
    found = chain.run(lambda work: None)
    # then
    assert sorted(path.name for path in found.rglob("*")) == [
        "closed", "empty", "file", "in", "link", "run.sh",
    ]  # fmt: skip
    assert (found / "run.sh").read_bytes() == b"\x00\xff"
    assert (found / "run.sh").stat().st_mode & 0o777 == 0o750
    assert (found / "closed").stat().st_mode & 0o777 == 0o555
    assert os.readlink(found / "link") == "/usr/bin/python3"


def test_a_retry_finds_what_the_failed_attempt_left(tmp_path: Path, service: Running) -> None:
    chain = Chain(tmp_path, service)
    chain.run(lambda work: (work / "half").touch(), code=1)
    assert (chain.run(lambda work: None) / "half").exists()


def test_an_attempt_that_was_killed_leaves_the_directory_as_it_was(
    tmp_path: Path, service: Running
) -> None:
    chain = Chain(tmp_path, service)
    chain.run(lambda work: (work / "before").touch())
    chain.left.insert(0, f"{OWN}.penstock/directory-9.tar")
    assert (chain.run(lambda work: None) / "before").exists()


def test_memory_is_bounded(tmp_path: Path, service: Running) -> None:
    """The real process, with a file that its memory could not hold."""
    # given
    size = 60 * 1024 * 1024
    folders = PodFolders(tmp_path / "pod")
    folders.base.mkdir()
    program = (
        "import sys; from pathlib import Path; from penstock.tasks.pod import staging as s;"
        "plan = s.read_plan();"
        "s.Staging(plan, s.PodFolders(Path(sys.argv[1])),"
        " lambda: s.Remote.from_environment(plan.origin)).run();"
        "print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    )
    plan = Plan(ORIGIN, output_files=["*"])
    service.client(GRANT)
    environment = {
        **os.environ,
        "PENSTOCK_STAGING": plan.to_json(),
        URL_VARIABLE: service.url,
        GRANT_VARIABLE: GRANT.token(service.key),
    }
    # when
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folders.base)],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not folders.said("staged"):
        assert process.poll() is None, "the process ended before its files were in place"
        time.sleep(0.01)
    with (folders.work / "large").open("wb") as file:
        file.truncate(size)
    (folders.run / "done").write_text("0\n")
    out, _ = process.communicate(timeout=60)
    # then
    assert (folders.run / "kept").exists()
    assert int(out) < 40 * 1024, f"{out} KiB"


def test_a_pod_without_a_plan_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock.tasks.pod.staging"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "there is no plan\n")
