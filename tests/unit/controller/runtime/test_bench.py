"""Who is reconciled at two deaths in a row is quarantined, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from penstock.controller.runtime.bench import Bench, Sitting

LEFT: list[AbstractContextManager[None]] = []
"""Those that nobody leaves any more: one that is collected would leave its bench."""


def sitting(name: str, mark: str = "1") -> Sitting:
    return Sitting("Execution", "team", name, f"uid-{name}", mark)


def die(folder: Path, *names: str, slots: int = 4, spared: str = "") -> Bench:
    """A controller that dies while it reconciles these; it is done with the spared one before."""
    bench = Bench(folder, slots)
    if spared:
        with bench.sitting(sitting(spared)):
            pass
    for name in names:
        LEFT.append(bench.sitting(sitting(name)))
        LEFT[-1].__enter__()
    return bench


def test_who_sat_at_two_deaths_in_a_row_is_quarantined(tmp_path: Path) -> None:
    die(tmp_path, "killer", "neighbour")
    second = die(tmp_path, "killer", "newcomer")
    assert second.is_suspect("uid-killer")
    assert not second.quarantined

    third = Bench(tmp_path, 4)

    assert list(third.quarantined) == ["uid-killer"]
    assert third.quarantined["uid-killer"].mark == "1"
    assert third.is_suspect("uid-newcomer")
    # and the one after it knows of it, too
    assert list(Bench(tmp_path, 4).quarantined) == ["uid-killer"]


def test_a_suspect_that_was_reconciled_meanwhile_begins_anew(tmp_path: Path) -> None:
    die(tmp_path, "slow")
    die(tmp_path, "slow", spared="slow")

    assert not Bench(tmp_path, 4).quarantined


def test_deaths_with_another_one_between_are_not_in_a_row(tmp_path: Path) -> None:
    die(tmp_path, "killer")
    die(tmp_path, "another")
    die(tmp_path, "killer")

    assert not Bench(tmp_path, 4).quarantined


def test_an_end_in_good_order_is_no_death(tmp_path: Path) -> None:
    die(tmp_path, "slow")
    die(tmp_path, "slow").close()

    ended = Bench(tmp_path, 4)

    assert not ended.quarantined
    assert not ended.is_suspect("uid-slow")


def test_who_is_released_is_so_after_a_restart(tmp_path: Path) -> None:
    die(tmp_path, "killer")
    die(tmp_path, "killer")
    Bench(tmp_path, 4).release("uid-killer")

    assert not Bench(tmp_path, 4).quarantined


def test_an_error_leaves_nobody_on_the_bench(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 4)
    with pytest.raises(KeyError), bench.sitting(sitting("fails")):
        raise KeyError

    assert not Bench(tmp_path, 4).is_suspect("uid-fails")


def test_more_than_there_are_slots_are_not_noted(tmp_path: Path) -> None:
    die(tmp_path, "a", "b", "c", slots=2)

    after = Bench(tmp_path, 2)

    assert [name for name in "abc" if after.is_suspect(f"uid-{name}")] == ["a", "b"]


@pytest.mark.parametrize("left", [b"", b"\xff" * 5_000, b"\x00\x04{}[]" + b"\0" * 1_018])
def test_a_damaged_file_tells_of_nobody(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "bench").write_bytes(left)
    (tmp_path / "quarantine.json").write_text("{no JSON")

    assert not Bench(tmp_path, 4).quarantined


def test_a_process_that_is_killed_leaves_its_note(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from penstock.controller.runtime.bench import Bench, Sitting
bench = Bench(Path({str(tmp_path)!r}), 4)
with bench.sitting(Sitting("Flow", "team", "killer", "uid-killer", "1")):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False)
        assert ended.returncode == -signal.SIGKILL

    assert [item.name for item in Bench(tmp_path, 4).quarantined.values()] == ["killer"]
