"""`make bench`: run the workloads, print the table, write `build/bench.json`."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from pathlib import Path
from uuid import uuid4

from kubernetes import client, config
from rich.console import Console
from rich.table import Table

from e2e.bench import core, engine, staging, webhooks
from e2e.bench.edges import EdgeWatch
from e2e.bench.workloads import Workloads

RESULT = Path("build/bench.json")
BURST = 50
GOALS = {
    "single_ratio": 0.85,
    "chain_ratio": 0.75,
    "burst_ratio": 1.1,
    "edge_p95_ms": 150.0,
    **engine.GOALS,
    **core.GOALS,
    **staging.GOALS,
    **webhooks.GOALS,
}


def main() -> int:
    config.load_kube_config()
    namespace = f"bench-{uuid4().hex[:6]}"
    core = client.CoreV1Api()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": namespace, "labels": labels}})
    try:
        result = measure(namespace)
    finally:
        core.delete_namespace(namespace)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    show(result)
    return 0


def measure(namespace: str) -> dict[str, object]:
    """Runs in turn, bare and ours, so that a machine whose speed drifts drifts for both."""
    alone = engine.measure() | core.measure()  # before the machine is busy with pods
    work = Workloads(namespace)
    work.prepare()
    work.bare_single(), work.single()
    raw: dict[str, list[float]] = {name: [] for name in (
        "bare_single", "single", "bare_chain", "chain", "bare_burst", "burst"
    )}  # fmt: skip
    for _ in range(5):
        raw["bare_single"].append(work.bare_single())
        raw["single"].append(work.single())
    with EdgeWatch(namespace) as edges:
        for _ in range(3):
            raw["bare_chain"].append(work.bare_chain())
            raw["chain"].append(work.chain())
        for _ in range(3):
            work.chain()
        latencies = edges.edges_ms()
    for _ in range(2):
        raw["bare_burst"].append(work.bare_burst(BURST))
        raw["burst"].append(work.burst(BURST))
    staged = staging.measure()
    called = webhooks.measure(namespace)
    medians = {name: statistics.median(times) for name, times in raw.items()}
    return {
        "single_ratio": round(medians["single"] / medians["bare_single"], 3),
        "chain_ratio": round(medians["chain"] / medians["bare_chain"], 3),
        "burst_ratio": round(medians["burst"] / medians["bare_burst"], 3),
        "edge_p95_ms": round(_percentile(latencies, 0.95), 1),
        "edge_median_ms": round(statistics.median(latencies), 1),
        "edges": len(latencies),
        **alone,
        **staged,
        **called,
        "seconds": {name: [round(time, 3) for time in times] for name, times in raw.items()},
        "machine": {
            "cpus": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "kernel": platform.release(),
            "load_after": round(os.getloadavg()[0], 2),
        },
    }


def show(result: dict[str, object]) -> None:
    console = Console()
    machine = result["machine"]
    console.print(f"machine: {machine}")
    table = Table("figure", "measured", "to reach")
    for name, goal in GOALS.items():
        table.add_row(name, str(result[name]), f"≤ {goal:g}")
    console.print(table)
    console.print(f"raw times are in {RESULT}")


def _percentile(values: list[float], share: float) -> float:
    if len(values) < 2:
        raise SystemExit("too few edges were seen; is the controller running?")
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


if __name__ == "__main__":
    sys.exit(main())
