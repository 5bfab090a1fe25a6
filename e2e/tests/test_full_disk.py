"""A full disk: the process that moves files in a pod, with a small disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from e2e.fixtures.kubernetes import wait_for
from penstock.tasks.contract.framing import decode_result, parse_marker
from penstock.tasks.contract.plan import PLAN_VARIABLE, Plan
from penstock.tasks.contract.pod_folders import BASE
from penstock.tasks.contract.services import Origin
from penstock.tasks.remote.storage import GRANT_VARIABLE, URL_VARIABLE
from tests.fixtures.storageservice import GRANT, Running, running

ORIGIN = Origin("company.team", "flow", "run-1", "make", "tr1")
MIB = 1024**2
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "storage") as service:
        yield service


@contextmanager
def staging(plan: Plan, service: Running, disk: str) -> Iterator[Path]:
    """Run the process with a disk of that size that nothing else sees; gives the place of its
    folders."""
    has_folder = os.path.isdir(BASE)
    os.makedirs(BASE, exist_ok=True)
    service.known.start(GRANT)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "operator"),
        PLAN_VARIABLE: plan.to_json(),
        URL_VARIABLE: service.url,
        GRANT_VARIABLE: GRANT.token(service.key),
    }
    mount = f'mount -t tmpfs -o size={disk} tmpfs {BASE} && exec "$0" -m penstock.tasks.pod.staging'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, sys.executable]
    process = subprocess.Popen(command, env=environment)
    try:
        yield Path(f"/proc/{process.pid}/root{BASE}")
    finally:
        process.terminate()
        process.wait(10)
        if not has_folder:
            os.rmdir(BASE)


def test_a_file_that_is_larger_than_the_disk_is_named(service: Running) -> None:
    # given
    files = service.client().files
    fits = files.put("fits", BytesIO(os.urandom(6 * MIB)))
    large = files.put("large", BytesIO(os.urandom(24 * MIB)))
    plan = Plan(ORIGIN, fetched={"fits.bin": fits, "in/large.bin": large})
    # when
    with staging(plan, service, "16m") as base:
        wait_for("a word on how it went", (base / "run/failed").exists, 30)
        marker = parse_marker((base / "run/failed").read_text())
        # then
        assert (base / "work/fits.bin").stat().st_size == 6 * MIB
        assert not (base / "work/in/large.bin").exists()
    assert marker is not None
    result = decode_result(marker.payload)
    assert result is not None
    assert result.message == ("there is no space left for `large.bin` on the disk of the task")
