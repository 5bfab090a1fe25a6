"""Measures a file that is larger than one PUT of S3, through a bucket and through a volume.

    python -m e2e.bench.large

The storage service and the client of the pods are processes of their own, and the S3 server is a
real one; only the Jobs of the cluster are made up. Told are seconds, and the most memory that the
processes had. It needs some 20 GiB of disk for a while.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from e2e.bench.podclient import moved, peak_mib
from e2e.fixtures.kubernetes import wait_for
from e2e.fixtures.objectstore import ROOT, free_port, healthy, running, versitygw
from penstock.kubernetes.api.client import Api
from penstock.storage.key import read_key
from penstock.storage.settings import StorageSettings, opened
from penstock.storage_service.main import serve
from tests.fixtures.storageservice import GRANT, KnownJobs

SIZE = 5 * 1024**3 + 12_345
_BLOCK = 1024 * 1024


def measure() -> dict[str, object]:
    """Measure both storages in turn."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as made:
        folder = Path(made)
        source = folder / "source"
        with source.open("wb") as file:
            for start in range(0, SIZE, _BLOCK):
                file.write(os.urandom(min(_BLOCK, SIZE - start)))
        with versitygw(folder / "s3") as store:
            os.environ.update(store.environment)
            bucket = _there_and_back(store.settings, folder)
        shutil.rmtree(folder / "s3")
        volume = StorageSettings(url=f"file://{folder}/volume")
        return {"bytes": SIZE, "s3": bucket, "volume": _there_and_back(volume, folder)}


def _there_and_back(settings: StorageSettings, folder: Path) -> dict[str, Any]:
    source, back = folder / "source", folder / "back"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    told = settings.model_dump_json(by_alias=True)
    command = [sys.executable, "-m", "e2e.bench.large", "serve", str(port), told]
    with running(command, {"PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"}) as process:
        wait_for("the storage service", lambda: healthy(url), 30)
        grant = GRANT.token(read_key(opened(settings)))
        before = peak_mib(process)
        put = moved(url, grant, "put", str(source))
        got = moved(url, grant, "get", put["uri"], str(back))
        subprocess.run(["cmp", str(source), str(back)], check=True)
        back.unlink()
        return {
            "out_of_the_pod": _figures(put),
            "into_the_pod": _figures(got),
            "service_mib": {"before": before, "peak": peak_mib(process)},
        }


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("seconds", "peak_mib")}


def _serve(port: str, settings: str) -> None:
    jobs = KnownJobs()
    jobs.start(GRANT)
    asyncio.run(serve(StorageSettings.model_validate_json(settings), int(port), cast("Api", jobs)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        _serve(*sys.argv[2:])
    else:
        print(json.dumps(measure(), indent=1))
