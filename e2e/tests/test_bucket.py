"""Penstock with a bucket in the place of its volume: logs, and a store that goes away."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.fixtures.kubernetes import Kubernetes, address_for_pods, wait_for
from e2e.fixtures.line import Line, line_to
from e2e.fixtures.objectstore import S3Server, versitygw
from e2e.fixtures.scenario import Scenario
from e2e.tests.conftest import SYSTEM_NAMESPACE
from e2e.tests.test_files import run, shell
from e2e.tests.test_logs import archived, asked, entries, messages, without_pods

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.alone("gives the installed Penstock another storage, and stops that"),
]

MIB = 1024**2
ROOT = Path(__file__).parents[2]
SECRET = "penstock-test-bucket"


@dataclass(frozen=True)
class Bucket:
    """The server of the bucket, and the line by which all reach it."""

    store: S3Server
    line: Line

    def stop_while_a_file_is_sent(self) -> float:
        """Kill the server after some MiB of a file; gives the time at which it was."""
        before = self.line.carried
        wait_for(
            "the upload", lambda: self.line.carried - before > 20 * MIB, seconds=60, pause=0.01
        )
        self.store.stop()
        return time.monotonic()


@pytest.fixture(scope="module", autouse=True)
def bucket(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """The chart with a bucket, and afterwards as it was."""
    folder: Path = tmp_path_factory.mktemp("s3")
    host = address_for_pods(kubernetes)
    with versitygw(folder / "files", host) as store, line_to(store.port, host) as line:
        storage = store.settings_at(line.port).model_dump(by_alias=True, exclude_defaults=True)
        values: dict[str, Any] = {
            "settings": {"storage": storage},
            "storage": {"persistence": {"enabled": False}, "secretName": SECRET},
        }
        file = folder / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        secret = {"metadata": {"name": SECRET}, "stringData": dict(store.environment)}
        kubernetes.core.create_namespaced_secret(SYSTEM_NAMESPACE, secret)
        try:
            helm("upgrade", "penstock", str(ROOT / "charts/penstock"), "--reuse-values",
                 "--values", str(file), "--take-ownership", "--force-conflicts")  # fmt: skip
            yield Bucket(store, line)
        finally:
            helm("rollback", "penstock", "--force-conflicts")
            kubernetes.core.delete_namespaced_secret(SECRET, SYSTEM_NAMESPACE)


def helm(*words: str) -> None:
    """Run Helm, and wait until the Deployments are as the values say."""
    program = shutil.which("helm")
    assert program is not None, "no helm on the PATH: run the tests by `make e2e`"
    namespaced = ["--namespace", SYSTEM_NAMESPACE]
    subprocess.run([program, *words, *namespaced], check=True, stdout=subprocess.DEVNULL)
    for name in ("penstock-storage", "penstock"):
        rollout = ["rollout", "status", f"deployment/{name}", "--timeout", "120s"]
        subprocess.run(["kubectl", *namespaced, *rollout], check=True, stdout=subprocess.DEVNULL)


def test_logs_are_kept_in_a_bucket(scenario: Scenario) -> None:
    # given
    task = shell("slow", "echo begin; sleep 13", "seq 1 3", outputFiles=["*.txt"])
    execution = run(scenario, task, shell("last", "echo done")).reaches("RUNNING")

    def kept_so_far() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads(asked(execution, "/attempts"))
        return [item for item in told if not item["ended"] and item.get("size")]

    # then
    wait_for("a log that is kept while its task runs", kept_so_far, 30)
    # when
    live = entries(archived(execution.ends("SUCCESS"), 2))
    without_pods(execution)
    # then
    assert entries(execution) == live
    assert messages(execution) == ["begin", "1", "2", "3", "done"]


def test_a_store_that_is_back_in_time(scenario: Scenario, bucket: Bucket) -> None:
    # given
    execution = run(
        scenario,
        shell(
            "make",
            "head -c 209715200 /dev/urandom > large; md5sum < large > sum",
            outputFiles=["large", "sum"],
        ),
        shell(
            "use",
            "md5sum < large | diff - sum && echo the same",
            inputFiles={
                "large": "{{ outputs.make.outputFiles.large }}",
                "sum": "{{ outputs.make.outputFiles.sum }}",
            },
        ),
    )
    # when
    bucket.stop_while_a_file_is_sent()
    time.sleep(3)
    bucket.store.start()
    # then
    execution.ends("SUCCESS", 90)
    assert execution.log("use").strip() == "the same"
    assert len(execution.run("make")["attempts"]) == 1


def test_a_store_that_stays_away(scenario: Scenario, bucket: Bucket) -> None:
    # given
    make = "echo begin; head -c 209715200 /dev/urandom > large"
    execution = run(scenario, shell("make", make, outputFiles=["large"]))
    # when
    away_since = bucket.stop_while_a_file_is_sent()
    # then
    execution.ends("FAILED", 90)
    assert 30 < time.monotonic() - away_since < 55
    message = execution.run("make")["message"]
    assert "`large` can't be written: the connection broke 10 times in a row" in message
    # when
    bucket.store.start()
    # then
    archived(execution, 1)
    assert messages(without_pods(execution)) == ["begin"]
