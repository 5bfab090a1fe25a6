"""The prelude, run for real in every shell that this machine has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.kubernetes.pods.prelude import FILES_PRELUDES, PRELUDE
from penstock.tasks.contract.framing import (
    INLINE_VARIABLE,
    MAX_BYTES,
    MAX_INLINE_BYTES,
    Marker,
    parse_marker,
)

SHELLS = [
    shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])
]


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: bytes
    message: str

    @property
    def marker(self) -> Marker:
        marker = parse_marker(self.message)
        assert marker is not None, self.message
        return marker

    @property
    def payload(self) -> str:
        marker = self.marker
        found = marker.payload
        if marker.form != "inline":
            found = marker.payload_in(self.out.decode(errors="replace")) or ""
        return found


class Pod:
    """A pretended pod: its base directory and its termination message."""

    prelude = PRELUDE

    def __init__(self, shell: Sequence[str], at: Path) -> None:
        self.shell, self.base = shell, at / "base"
        self.message = at / "termination-log"
        self.message.touch()

    def start(
        self,
        command: Sequence[str],
        files: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                shutil.which(self.shell[0]) or "",
                *self.shell[1:],
                "-c",
                self.prelude,
                "penstock",
                str(self.base),
                str(self.message),
                str(self.base / "run"),
                *files,
                "--",
                *command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )

    def end(self, process: subprocess.Popen[bytes]) -> Ended:
        out, err = process.communicate(timeout=20)
        return Ended(process.returncode, out, err, self.message.read_text(errors="replace"))

    def run(
        self,
        script: str,
        *,
        files: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        interpreter: Sequence[str] = ("/bin/sh", "-c"),
    ) -> Ended:
        return self.end(self.start([*interpreter, script], files, env))


@pytest.fixture(params=SHELLS, ids=" ".join)
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(request.param, tmp_path)


def test_nothing_is_added_to_a_plain_script(pod: Pod) -> None:
    # when
    ended = pod.run("echo hello; echo trouble >&2")
    # then
    assert (ended.code, ended.out, ended.err) == (0, b"hello\n", b"trouble\n")
    assert ended.marker == Marker("inline", "lines")


@pytest.mark.parametrize("code", [0, 1, 2, 42, 126, 127, 128, 143, 255])
def test_the_exit_code_is_kept(pod: Pod, code: int) -> None:
    assert pod.run(f"exit {code}").code == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "ABRT", "USR1"])
def test_a_signal_becomes_128_and_its_number(pod: Pod, name: str) -> None:
    # when
    ended = pod.run(f"kill -{name} $$; sleep 5")
    # then
    assert ended.code == 128 + signal.Signals[f"SIG{name}"]
    assert ended.err == b""


def test_a_missing_interpreter_is_127(pod: Pod) -> None:
    ended = pod.run("x", interpreter=("/no/such/interpreter",))
    assert ended.code == 127
    assert b"not found" in ended.err or b"No such file" in ended.err


def test_lines_of_both_streams_are_captured(pod: Pod) -> None:
    # when
    ended = pod.run(
        """echo '::{"outputs":{"a":1}}::'; echo 'x ::{"outputs":{"b":2}}:: y' >&2; echo no"""
    )
    # then
    assert ended.out == b'::{"outputs":{"a":1}}::\nno\n'
    assert ended.err == b'x ::{"outputs":{"b":2}}:: y\n'
    assert ended.payload == '::{"outputs":{"a":1}}::\nx ::{"outputs":{"b":2}}:: y\n'


def test_binary_output_without_a_line_end_passes_unchanged(pod: Pod) -> None:
    # given
    data = bytes(range(256)) * 300
    (pod.base.parent / "data").write_bytes(data)
    # when
    ended = pod.run(f"cat {pod.base.parent}/data; printf end >&2")
    # then
    assert (ended.out, ended.err) == (data, b"end")


def test_a_last_line_without_a_line_end_is_captured(pod: Pod) -> None:
    ended = pod.run("""printf '::{"outputs":{"a":1}}::'""")
    assert ended.out == b'::{"outputs":{"a":1}}::'
    assert ended.payload == '::{"outputs":{"a":1}}::\n'


def test_output_comes_while_the_script_runs(pod: Pod) -> None:
    # given
    process = pod.start(["/bin/sh", "-c", "printf now; exec sleep 60"])
    # when
    began = time.monotonic()
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 10)
    # then
    assert first == b"now"
    assert time.monotonic() - began < 20
    process.send_signal(signal.SIGTERM)
    pod.end(process)


def test_values_survive_30_megabytes_of_output(pod: Pod) -> None:
    """Three times as much as a kubelet keeps of a log."""
    # when
    ended = pod.run(
        """echo '::{"outputs":{"n":7}}::'; yes 0123456789012345678901234567890 |
            head -c 30000000"""
    )
    # then
    assert ended.code == 0
    assert len(ended.out) == 30_000_000 + 24
    assert ended.payload == '::{"outputs":{"n":7}}::\n'


@pytest.mark.parametrize("size", [MAX_INLINE_BYTES - 100, MAX_INLINE_BYTES, 50_000, 1_000_000])
def test_values_of_any_size_come_back(pod: Pod, tmp_path: Path, size: int) -> None:
    # given
    env = without_the_long_wait(tmp_path)
    line = f"::{json.dumps({'outputs': {'text': 'é' * (size // 2)}}, ensure_ascii=False)}::"
    # when
    ended = pod.run(
        "cat value",
        files=["-f", "value", line] if size < 90_000 else self_made(pod, line),
        env=env,
    )
    # then
    assert ended.marker.form == ("inline" if len(line.encode()) < MAX_INLINE_BYTES else "framed")
    assert ended.payload == line + "\n"
    assert len(ended.message.encode()) <= 4096


@pytest.mark.parametrize(("written", "waits"), [(100_000, False), (9_000_000, True)])
def test_long_values_wait_for_the_log_to_be_moved_away(
    pod: Pod, tmp_path: Path, written: int, waits: bool
) -> None:
    if pod.shell[0] == "busybox":
        pytest.skip("busybox finds its own applets whatever the PATH is")
    # given
    env = without_the_long_wait(tmp_path)
    line = f"::{json.dumps({'outputs': {'text': 'x' * 50_000}})}::"
    # when
    ended = pod.run(
        f"head -c {written} /dev/zero; echo; cat value",
        files=["-f", "value", line],
        env=env,
    )
    # then
    assert ended.payload == line + "\n"
    assert ("11" in (tmp_path / "slept").read_text().split()) is waits


def without_the_long_wait(folder: Path) -> dict[str, str]:
    """An environment in which `sleep 11` ends at once; `slept` in the folder has every sleep.
    Busybox sleeps all the same: it finds its own."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "sleep").write_text(
        f"""#!/bin/sh
        echo "$1" >>{folder}/slept
        [ "$1" = 11 ] || exec {shutil.which("sleep")} "$1"
        """
    )
    (tools / "sleep").chmod(0o755)
    (folder / "slept").touch()  # what ends at once sleeps for nothing
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


def self_made(pod: Pod, text: str) -> list[str]:
    source = pod.base.parent / "source"
    source.write_text(text)
    return ["-c", "value", str(source)]


def test_too_large_values_are_told_of(pod: Pod) -> None:
    # when
    ended = pod.run("cat value", files=self_made(pod, "::{" + "x" * (MAX_BYTES + 1) + "}::"))
    # then
    assert (ended.code, ended.marker.form) == (0, "oversized")


def test_endless_values_do_not_fill_the_disk(pod: Pod) -> None:
    # when
    ended = pod.run("""yes '::{"outputs":{"a":1}}::' | head -c 20000000""")
    # then
    assert ended.marker.form == "oversized"
    assert len(ended.out) == 20_000_000
    assert sum(file.stat().st_size for file in (pod.base / "run").iterdir()) < 3 * MAX_BYTES


def test_one_endless_line_passes(pod: Pod) -> None:
    # when
    ended = pod.run("""head -c 12000000 /dev/zero; echo; echo '::{"outputs":{"a":1}}::'""")
    # then
    assert len(ended.out) == 12_000_000 + 1 + 24
    assert ended.payload == '::{"outputs":{"a":1}}::\n'


def test_a_process_left_behind_is_waited_for_but_not_long(pod: Pod) -> None:
    # when
    began = time.monotonic()
    process = pod.start(
        ["/bin/sh", "-c", """(sleep 0.5; echo late; sleep 30) & echo '::{"outputs":{"a":1}}::'"""]
    )
    assert process.wait(timeout=25) == 0
    # then
    assert 1.5 < time.monotonic() - began < 20
    marker = parse_marker(pod.message.read_text())
    assert marker is not None
    assert marker.payload == '::{"outputs":{"a":1}}::\n'
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 1000).startswith(b'::{"outputs":{"a":1}}::\n')


def test_termination_reaches_the_command_at_once(pod: Pod) -> None:
    # given
    script = """trap 'echo "::{\\"outputs\\":{\\"a\\":1}}::"; exit 7' TERM
        echo ready; while :; do sleep 0.05; done"""
    process = pod.start(["/bin/sh", "-c", script])
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    # when
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = pod.end(process)
    # then
    assert time.monotonic() - began < 20
    assert ended.code == 7
    assert ended.payload == '::{"outputs":{"a":1}}::\n'


def heard_as_in_a_container(number: signal.Signals) -> None:
    """Tests that were begun in the background ignore some signals, and so would their children."""
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_any_stop_signal_of_an_image_ends_the_command(pod: Pod, number: signal.Signals) -> None:
    # given
    heard_as_in_a_container(number)
    process = pod.start(["/bin/sh", "-c", "echo ready; exec sleep 20"])
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    # when
    process.send_signal(number)
    # then
    assert pod.end(process).code == 143


def test_a_command_that_ignores_termination_goes_on(pod: Pod) -> None:
    # given
    process = pod.start(["/bin/sh", "-c", "trap '' TERM; echo ready; sleep 1; exit 9"])
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    # when
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    # then
    assert pod.end(process).code == 9


@pytest.mark.parametrize("missing", ["tee", "grep", "mkfifo", "wc", "sleep", "head", "cat"])
def test_a_bare_image_runs_the_command_plainly(pod: Pod, tmp_path: Path, missing: str) -> None:
    # given
    if pod.shell[0] == "busybox":
        pytest.skip("busybox finds its own applets whatever the PATH is")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in {"mkdir", "tee", "grep", "mkfifo", "wc", "sleep", "head", "cat"} - {missing}:
        (tools / tool).symlink_to(shutil.which(tool) or "")
    # when
    ended = pod.run("""echo '::{"outputs":{"a":1}}::'; exit 3""", env={"PATH": str(tools)})
    # then
    assert (ended.code, ended.out, ended.err) == (3, b'::{"outputs":{"a":1}}::\n', b"")
    assert ended.marker.form == "unfiltered"
    assert ended.payload == '::{"outputs":{"a":1}}::\n'


HOSTILE = (
    "$(touch pwned) `touch pwned` \"' ; touch pwned & \\ \n-e -n %s %d ${HOME} $$ * ~ \t$(NAME)"
)


def test_text_of_the_user_is_never_evaluated(pod: Pod) -> None:
    # when
    ended = pod.run(
        'printf %s "$HOSTILE"; cat "./-x"',
        files=["-f", "-x", HOSTILE, "-f", "a/b c/$(touch pwned)", HOSTILE],
        env={"HOSTILE": HOSTILE},
    )
    # then
    assert ended.out.decode() == HOSTILE * 2
    assert (pod.base / "work/a/b c/$(touch pwned)").read_text() == HOSTILE
    assert not list(pod.base.rglob("pwned"))


def test_the_arguments_arrive_one_by_one(pod: Pod) -> None:
    process = pod.start(["printf", "[%s]", "", "a b", "--", "$x", "'"])
    assert pod.end(process).out == b"[][a b][--][$x][']"


def test_the_environment_is_the_users_own(pod: Pod) -> None:
    ended = pod.run("env; set | grep -c penstock_ || :", env={"LC_ALL": "C.UTF-8"})
    assert b"__penstock" not in ended.out
    assert b"LC_ALL=C.UTF-8\n" in ended.out


def test_the_work_directory_is_the_current_one(pod: Pod) -> None:
    assert pod.run("pwd").out.decode().strip() == str(pod.base / "work")


def test_an_unwritable_message_file_changes_nothing_else(pod: Pod) -> None:
    # given
    pod.message.unlink()
    pod.message.mkdir()
    # when
    process = pod.start(["/bin/sh", "-c", "echo fine; exit 4"])
    out, err = process.communicate(timeout=20)
    # then
    assert (process.returncode, out, err) == (4, b"fine\n", b"")


def test_messages_for_the_log_are_no_values(pod: Pod) -> None:
    # given: more messages than values may have bytes
    message = '::{"logs": [{"level": "INFO", "message": "' + "x" * 1000 + '"}]}::'
    count = MAX_BYTES // 1000 + 100
    script = f"""
        i=0; while [ $i -lt {count} ]; do echo '{message}'; i=$((i+1)); done
        echo '::{{"outputs":{{"a":1}}}}::'
    """
    # when
    ended = pod.run(script)
    # then
    assert ended.out.count(b'"logs"') == count
    assert (ended.marker.form, ended.payload) == ("inline", '::{"outputs":{"a":1}}::\n')


class FilesPod(Pod):
    """A pretended pod in which a second container moves files."""

    prelude = FILES_PRELUDES[PRELUDE]

    def tell(self, name: str, text: str) -> None:
        """Write what the container for files tells the prelude."""
        unfinished = self.base / "run" / f".{name}"
        unfinished.write_text(text)
        unfinished.rename(self.base / "run" / name)

    def wait_for_end(self) -> str:
        """The exit code, as the script's container tells it."""
        done = self.base / "run" / "done"
        until(lambda: done.exists() and done.read_text().endswith("\n"))
        return done.read_text().strip()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


KEPT = '::penstock-files {"files":{"a":"kestra:///a"},"notes":[]}\n'


@pytest.fixture(params=SHELLS, ids=" ".join)
def files_pod(request: pytest.FixtureRequest, tmp_path: Path) -> FilesPod:
    pod = FilesPod(request.param, tmp_path)
    for name in ("run", "work"):
        (pod.base / name).mkdir(parents=True)
    return pod


def test_the_command_waits_for_its_files_and_its_end_for_what_is_kept(files_pod: FilesPod) -> None:
    # given
    process = files_pod.start(["/bin/sh", "-c", """cat input; echo '::{"outputs":{"a":1}}::'"""])
    (files_pod.base / "work" / "input").write_text("given\n")
    # when
    files_pod.tell("staged", "WARN look out\n")
    assert files_pod.wait_for_end() == "0"
    assert process.poll() is None
    files_pod.tell("kept", KEPT)
    ended = files_pod.end(process)
    # then
    assert (ended.code, ended.out) == (0, b'WARN look out\ngiven\n::{"outputs":{"a":1}}::\n')
    assert ended.payload == f'::{{"outputs":{{"a":1}}}}::\n{KEPT}'


def test_files_that_could_not_be_put_in_place_fail_without_the_command(files_pod: FilesPod) -> None:
    # given
    process = files_pod.start(["/bin/sh", "-c", "echo ran"])
    # when
    files_pod.tell("failed", "penstock/1 inline result 3 1\nthe reason\n")
    ended = files_pod.end(process)
    # then
    assert (ended.code, ended.out) == (1, b"")
    assert ended.message == "penstock/1 inline result 3 1\nthe reason\n"


@pytest.mark.parametrize(("code", "ends"), [(0, 1), (3, 3)])
def test_files_that_could_not_be_kept_fail_the_task(
    files_pod: FilesPod, code: int, ends: int
) -> None:
    # given
    process = files_pod.start(["/bin/sh", "-c", f"echo all of it; exit {code}"])
    files_pod.tell("staged", "")
    # when
    assert files_pod.wait_for_end() == str(code)
    files_pod.tell("failed", "penstock/1 inline result 3 1\nthe reason\n")
    ended = files_pod.end(process)
    # then
    assert (ended.code, ended.out) == (ends, b"all of it\n")
    assert ended.message.endswith("the reason\n")


def test_the_files_of_a_failed_script_are_kept_with_its_code(files_pod: FilesPod) -> None:
    # given
    process = files_pod.start(["/bin/sh", "-c", "exit 7"])
    files_pod.tell("staged", "")
    # when
    files_pod.wait_for_end()
    files_pod.tell("kept", KEPT)
    ended = files_pod.end(process)
    # then
    assert (ended.code, ended.payload) == (7, KEPT)


def test_many_kept_files_leave_at_the_end_of_the_log(files_pod: FilesPod) -> None:
    # given
    files = {f"file {number} é": f"kestra:///{number}" for number in range(5000)}
    kept = f"::penstock-files {json.dumps({'files': files, 'notes': []})}\n"
    process = files_pod.start(["/bin/sh", "-c", ":"])
    files_pod.tell("staged", "")
    # when
    files_pod.wait_for_end()
    files_pod.tell("kept", kept)
    ended = files_pod.end(process)
    # then
    assert ended.marker.form == "framed"
    assert ended.payload == kept


@pytest.mark.parametrize("during", ["before", "after"])
def test_termination_ends_the_wait_for_the_files(files_pod: FilesPod, during: str) -> None:
    # given
    process = files_pod.start(["/bin/sh", "-c", "echo ended"])
    if during == "after":
        files_pod.tell("staged", "")
        files_pod.wait_for_end()
    else:
        until(lambda: catches_termination(process.pid))
    # when
    process.send_signal(signal.SIGTERM)
    # then
    assert files_pod.end(process).code == 143


def catches_termination(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_script_that_was_stopped_does_not_wait_for_its_files(files_pod: FilesPod) -> None:
    # given
    process = files_pod.start(["/bin/sh", "-c", "echo ready; exec sleep 20"])
    files_pod.tell("staged", "")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    # when
    process.send_signal(signal.SIGTERM)
    # then
    assert files_pod.end(process).code == 143
    assert not (files_pod.base / "run" / "done").exists()


def test_a_bare_image_tells_of_its_files_in_the_log(files_pod: FilesPod, tmp_path: Path) -> None:
    # given
    if files_pod.shell[0] == "busybox":
        pytest.skip("busybox finds its own applets whatever the PATH is")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("mkdir", "sleep"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    process = files_pod.start(["/bin/sh", "-c", "echo ran"], env={"PATH": str(tools)})
    files_pod.tell("staged", "")
    # when
    files_pod.wait_for_end()
    files_pod.tell("kept", KEPT)
    ended = files_pod.end(process)
    # then
    assert (ended.code, ended.out.decode()) == (0, f"ran\n{KEPT}")
    assert ended.marker.form == "unfiltered"


# A pod of many tasks has no deadline of its own.


def test_a_script_is_told_to_end_at_its_limit(pod: Pod) -> None:
    ended = pod.run(
        "trap 'echo told; exit 3' TERM; echo begun; while :; do sleep 0.05; done",
        env={"PENSTOCK_TIMEOUT": "1"},
    )
    assert (ended.code, ended.out) == (124, b"begun\ntold\n")


def test_a_script_that_ends_before_its_limit_is_left_alone(pod: Pod) -> None:
    assert pod.run("sleep 0.1; exit 7", env={"PENSTOCK_TIMEOUT": "1"}).code == 7


def test_a_script_is_told_to_end_while_its_files_are_awaited(files_pod: FilesPod) -> None:
    ended = files_pod.end(files_pod.start(["true"], env={"PENSTOCK_TIMEOUT": "1"}))
    assert ended.code == 124


def test_a_long_text_comes_in_pieces(pod: Pod) -> None:
    ended = pod.run(
        "cat long", files=["-f", "long", "a" * 5, "-a", "long", "$b\n", "-a", "long", "c"]
    )
    assert ended.out == b"aaaaa$b\nc"


def test_in_a_pod_of_many_less_fits_the_message(pod: Pod) -> None:
    line = '::{"outputs": {"x": "' + "y" * 500 + '"}}::'
    ended = pod.run("cat value", files=["-f", "value", line], env={INLINE_VARIABLE: "400"})
    assert ended.marker.form == "framed"
    assert ended.payload == f"{line}\n"
