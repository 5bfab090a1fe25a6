"""Secrets are kept out of a script's output: the masking prelude, run for real in every shell and
with every `awk` that this machine has."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.kubernetes.pods.masking import MASKS_VARIABLE
from penstock.kubernetes.pods.prelude import MASKING_PRELUDE
from penstock.tasks.contract.framing import parse_marker

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
AWKS = {
    "mawk": shutil.which("mawk"),
    "gawk": shutil.which("gawk"),
    "busybox": shutil.which("busybox"),
}
HERE = [
    (shell, awk)
    for shell in SHELLS
    for awk in AWKS
    # busybox finds its own awk, whatever the PATH is.
    if shutil.which(shell) and AWKS[awk] and (shell != "busybox" or awk == "busybox")
]
TOOLS = ("mkfifo", "tee", "grep", "head", "cat", "wc", "sleep", "cut", "mkdir", "cp", "printf")


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: bytes
    message: str


class Pod:
    """A pretended pod with the tools of an image."""

    def __init__(self, shell: str, awk: str | None, at: Path) -> None:
        self._shell, self._at = shell, at
        self._tools = at / "bin"
        self._tools.mkdir()
        for tool in (*TOOLS, "sh", "env", "seq", "python3", "yes", "touch"):
            found = shutil.which(tool)
            if found is not None:
                (self._tools / tool).symlink_to(found)
        if awk is not None:
            (self._tools / "awk").symlink_to(AWKS[awk] or "")

    def start(self, script: str, *secrets: str, **env: str) -> subprocess.Popen[bytes]:
        shell, *options = SHELLS[self._shell]
        values = {f"PENSTOCK_SECRET_{n}": value for n, value in enumerate(secrets, 1)}
        base, message = self._at / "base", self._at / "message"
        message.touch()
        words = [shutil.which(shell) or "", *options, "-c", MASKING_PRELUDE, "penstock"]
        return subprocess.Popen(
            [*words, *map(str, (base, message, base / "run")), "--", "/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": str(self._tools), **values, **env},
        )

    def run(self, script: str, *secrets: str, **env: str) -> Ended:
        process = self.start(script, *secrets, **env)
        out, err = process.communicate(timeout=30)
        return Ended(process.returncode, out, err, (self._at / "message").read_text())


@pytest.fixture(params=HERE, ids=lambda item: "-".join(item))
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    shell, awk = request.param
    return Pod(shell, awk, tmp_path)


SPECIAL = [
    "plain-secret",
    "a.b*c[d]e^f$g\\h/i",
    "with 'single' and \"double\" quotes",
    "$(echo x) `id` ${HOME} %s %d",
    "& < > | ; #",
    "--leading-dashes",
    "üñïcödé-日本",
    "\\n\\1\\&&&",
    "12345678",
    "  spaces around  ",
]


@pytest.mark.parametrize("secret", SPECIAL)
def test_a_secret_is_in_neither_stream(pod: Pod, secret: str) -> None:
    # when
    script = 'printf "a %s b %s\\n" "$V" "$V"; printf "c %s\\n" "$V" >&2; exit 3'
    ended = pod.run(script, secret, V=secret.strip())
    # then
    assert ended.code == 3
    assert ended.out == b"a ****** b ******\n"
    assert ended.err == b"c ******\n"


@pytest.mark.parametrize("secret", SPECIAL)
def test_a_secret_is_not_in_a_value_that_a_script_gives(pod: Pod, secret: str) -> None:
    # given
    line = (
        "::" + json.dumps({"outputs": {"v": secret.strip(), "w": "w"}}, ensure_ascii=False) + "::"
    )
    # when
    ended = pod.run('printf "%s\\n" "$LINE"', secret, LINE=line)
    # then
    marker = parse_marker(ended.message)
    assert marker is not None
    assert json.loads(marker.payload.strip().strip(":"))["outputs"] == {"v": "******", "w": "w"}


def test_each_line_of_a_secret_is_masked(pod: Pod) -> None:
    # given
    key = "-----BEGIN KEY-----\r\n  c2VjcmV0IGxpbmU=\nYW5vdGhlcg==\n\n}\n-----END KEY-----\n"
    # when
    ended = pod.run('printf "%s" "$V"; echo; echo \'{"a": 1}\'; echo YW5vdGhlcg==x', key, V=key)
    # then
    assert b"c2Vj" not in ended.out
    assert b"YW5v" not in ended.out
    assert b'{"a": 1}' in ended.out  # a line of one character hides nothing
    assert b"******x\n" in ended.out


def test_a_secret_that_begins_as_another_leaves_nothing(pod: Pod) -> None:
    ended = pod.run("echo abcd abcdef xabcdefx", "abcd", "abcdef", "bcde")
    assert ended.out == b"****** ****** x******x\n"


def test_the_file_of_further_texts_is_masked(pod: Pod, tmp_path: Path) -> None:
    # given
    (tmp_path / "masks").write_text("field-of-json\n")
    # when
    ended = pod.run(
        "echo field-of-json one-two", "one-two", **{MASKS_VARIABLE: f"{tmp_path}/masks"}
    )
    # then
    assert ended.out == b"****** ******\n"


def test_each_line_comes_at_once(pod: Pod) -> None:
    # when
    process = pod.start("echo one secret-1; sleep 3; echo two", "secret-1")
    begun = time.monotonic()
    assert process.stdout is not None
    line = process.stdout.readline()
    # then
    assert line == b"one ******\n"
    assert time.monotonic() - begun < 2.5
    process.communicate(timeout=20)


def test_bytes_that_are_no_text_pass(pod: Pod) -> None:
    ended = pod.run(r"printf 'a\377\200b secret-1\n\001\n\n'", "secret-1")
    assert ended.out == b"a\xff\x80b ******\n\x01\n\n"


def test_the_last_line_needs_no_end(pod: Pod) -> None:
    assert pod.run("printf 'x secret-1'", "secret-1").out.rstrip(b"\n") == b"x ******"


def test_much_output_passes(pod: Pod) -> None:
    ended = pod.run("seq 1 200000; echo secret-1", "secret-1")
    assert ended.out == "".join(f"{n}\n" for n in range(1, 200001)).encode() + b"******\n"


def test_a_signal_reaches_the_script(pod: Pod) -> None:
    # given
    process = pod.start(
        "trap 'echo got secret-1; exit 7' TERM; echo up; sleep 9 & wait", "secret-1"
    )
    assert process.stdout is not None
    process.stdout.readline()
    # when
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    # then
    assert (process.returncode, out) == (7, b"got ******\n")


def test_a_process_that_is_left_behind_does_not_hold_the_pod(pod: Pod) -> None:
    # when
    begun = time.monotonic()
    ended = pod.run("sleep 60 & echo done secret-1", "secret-1")
    # then
    assert ended.out == b"done ******\n"
    assert time.monotonic() - begun < 20


@pytest.fixture
def bare(tmp_path: Path) -> Pod:
    return Pod("dash", None, tmp_path)


def test_an_image_without_awk_does_not_run_the_script(bare: Pod, tmp_path: Path) -> None:
    # when
    ended = bare.run(f"touch {tmp_path}/ran", "secret-1")
    # then
    assert ended.code == 1
    marker = parse_marker(ended.message)
    assert marker is not None and marker.kind == "result"
    assert "awk" in json.loads(marker.payload)["message"]
    assert not (tmp_path / "ran").exists()
