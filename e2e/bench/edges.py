"""The edge between two tasks: from the end of one's pod to the next one's Job.

Both ends are taken from watches in one process, so both carry the same delay of a watch.
"""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType
from typing import Any, Self

from kubernetes import client, watch
from urllib3.exceptions import HTTPError

EXECUTION = "penstock.dev/execution-uid"


class EdgeWatch:
    """Collects the edges of every execution of a namespace while it is open."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._ended: dict[str, list[float]] = {}
        self._created: dict[str, list[float]] = {}
        self._seen: set[str] = set()
        self._watches: list[watch.Watch] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        pods, jobs = client.CoreV1Api(), client.BatchV1Api()
        self._start(pods.list_namespaced_pod, self._pod)
        self._start(jobs.list_namespaced_job, self._job)
        time.sleep(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for opened in self._watches:
            opened.stop()

    def edges_ms(self) -> list[float]:
        """The edges of an execution in milliseconds: one for each Job but its first."""
        edges: list[float] = []
        for execution, created in self._created.items():
            ended = sorted(self._ended.get(execution, []))
            for number, at in enumerate(sorted(created)[1:]):
                if number < len(ended):
                    edges.append((at - ended[number]) * 1000)
        return edges

    def _start(self, call: Any, take: Any) -> None:
        opened = watch.Watch()
        self._watches.append(opened)

        def run() -> None:
            # A watch that is stopped ends in the middle of an answer.
            with contextlib.suppress(HTTPError):
                for event in opened.stream(call, self._namespace, timeout_seconds=300):
                    take(event["object"], time.monotonic())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _pod(self, pod: Any, now: float) -> None:
        statuses = pod.status.container_statuses or []
        ended = any(status.state.terminated for status in statuses)
        self._note(self._ended, pod, now) if ended else None

    def _job(self, job: Any, now: float) -> None:
        self._note(self._created, job, now)

    def _note(self, times: dict[str, list[float]], item: Any, now: float) -> None:
        execution = (item.metadata.labels or {}).get(EXECUTION)
        if execution is None or item.metadata.uid in self._seen:
            return
        self._seen.add(item.metadata.uid)
        times.setdefault(execution, []).append(now)
