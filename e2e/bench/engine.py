"""The engine alone, without a cluster: what decisions and validations cost.

`python -m e2e.bench.engine` prints the figures; `make bench` takes them with the others.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.engine.interface.identity import Identity
from penstock.flow.loading import load_document
from penstock.resources.execution import ExecutionSpec, FlowReference, State
from penstock.types import expressions, flow_parser

GOALS = {
    "foreach_10000_ratio": 3.0,
    "engine_ms_per_task": 1.0,
    "validate_500_tasks_s": 1.0,
    "validate_small_ms": 400.0,
}

_START = datetime(2026, 1, 1, tzinfo=UTC)
_FEW, _MANY = 10, 10_000
_SAMPLE = 400
"""Decisions that are timed on each loop."""


def measure() -> dict[str, float]:
    """The figures: two are seconds or milliseconds of this machine, one is a ratio."""
    _loop(_FEW)
    few = statistics.median(time for _ in range(_SAMPLE // _FEW) for time in _loop(_FEW))
    many = statistics.median(_loop(_MANY))
    return {
        "foreach_10000_ratio": round(many / few, 2),
        "foreach_10_us": round(few * 1e6),
        "foreach_10000_us": round(many * 1e6),
        "engine_ms_per_task": round(_thousand_tasks() * 1e3, 3),
        "validate_500_tasks_s": round(_validate_many(), 3),
        "validate_small_ms": round(_validate_small() * 1e3),
    }


def _loop(values: int) -> list[float]:
    """Seconds of each decision after one task run of a ForEach has ended."""
    text = (
        "id: loop\nnamespace: bench\ntasks:\n  - id: each\n"
        "    type: io.kestra.plugin.core.flow.ForEach\n"
        f"    values: '{{{{ range(1, {values}) }}}}'\n"
        "    tasks:\n      - id: work\n        type: io.kestra.plugin.core.debug.Return\n"
        "        format: '{{ taskrun.value }}'\n"
    )
    with _without_collector():
        return _decisions(text, _SAMPLE)


def _thousand_tasks() -> float:
    """Seconds of engine time for each task of a flow of a thousand, one after the other."""
    tasks = "".join(
        f"  - id: t{number}\n    type: io.kestra.plugin.core.debug.Return\n    format: x\n"
        for number in range(1_000)
    )
    with _without_collector():
        return sum(_decisions(f"id: long\nnamespace: bench\ntasks:\n{tasks}", 1_000)) / 1_000


def _decisions(text: str, most: int) -> list[float]:
    engine = Engine(flow_parser().parse(load_document(text)).flow, expressions())
    identity = Identity("bench", text[:20], _START)
    now = _START
    step = engine.begin(identity, ExecutionSpec(flow=FlowReference()), now)
    waiting = deque(action for action in step.actions if isinstance(action, StartAttempt))
    times: list[float] = []
    while waiting and len(times) < most:
        key = waiting.popleft().key
        now += timedelta(seconds=1)
        ended = {key: Observation(State.SUCCESS, outputs={"value": "x"})}
        started = time.perf_counter()
        step = engine.advance(identity, step.status, ended, now)
        times.append(time.perf_counter() - started)
        waiting.extend(action for action in step.actions if isinstance(action, StartAttempt))
    return times


def _validate_many() -> float:
    tasks = "".join(
        f"  - id: t{number}\n    type: io.kestra.plugin.core.log.Log\n"
        f"    message: 'task {{{{ taskrun.id }}}} of {number}'\n"
        for number in range(500)
    )
    text = f"id: many\nnamespace: bench\ntasks:\n{tasks}"
    parser = flow_parser()
    started = time.perf_counter()
    parser.parse(load_document(text))
    return time.perf_counter() - started


def _validate_small() -> float:
    """The whole process of `penstock flow validate` on a small file; the median of seven."""
    text = (
        "id: small\nnamespace: bench\ntasks:\n"
        "  - {id: a, type: io.kestra.plugin.core.log.Log, message: a}\n"
    )
    program = Path(sys.executable).with_name("penstock")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flow.yaml"
        file.write_text(text)
        times = []
        for _ in range(7):
            started = time.perf_counter()
            subprocess.run([program, "flow", "validate", file], check=True)
            times.append(time.perf_counter() - started)
    return statistics.median(times)


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
