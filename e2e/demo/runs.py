"""Executions in the demo: started as a person starts them, watched, and then held to account."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from e2e.demo.cluster import NAMESPACE, kubectl
from e2e.demo.screen import Rows, Screen
from e2e.fixtures.kubernetes import Kubernetes, Object

_LIVE = ("", "CREATED", "RUNNING", "RETRYING", "PAUSED", "KILLING")
_SECONDS = 180.0


@dataclass(frozen=True)
class Wanted:
    """A run of a flow, and what must come of it."""

    flow: str
    outputs: Mapping[str, Any]
    """The flow's outputs."""
    log: tuple[str, str]
    """A task, and a line that its log must hold."""
    task_runs: int
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def manifest(self) -> str:
        spec: dict[str, Any] = {"flow": {"namespace": "company.team", "id": self.flow}}
        if self.inputs:
            spec["inputs"] = dict(self.inputs)
        body = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "Execution",
            "metadata": {"generateName": f"{self.flow}-"},
            "spec": spec,
        }
        return yaml.safe_dump(body, sort_keys=False)


class Run:
    """One Execution."""

    def __init__(self, kubernetes: Kubernetes, screen: Screen, wanted: Wanted) -> None:
        self._kubernetes = kubernetes
        self._screen = screen
        self.wanted = wanted
        created = kubectl("create", "-n", NAMESPACE, "-f", "-", "-o", "name", given=self.text)
        self.name = created.strip().rpartition("/")[2]
        screen.command(f"kubectl create -n {NAMESPACE} -f - <<'RUN'\n{self.text}RUN")
        screen.say(f"execution.penstock.dev/{self.name} created")
        self.body: Object = {}

    @property
    def text(self) -> str:
        return self.wanted.manifest()

    @property
    def status(self) -> Object:
        status: Object = self.body.get("status") or {}
        return status

    @property
    def state(self) -> str:
        return str(self.status.get("state") or "")

    def refresh(self) -> None:
        self.body = self._kubernetes.get("executions", NAMESPACE, self.name) or {}

    def rows(self) -> Rows:
        progress = str(self.status.get("progress", ""))
        rows: Rows = {self.name: (self.name, "", self.state or "-", progress)}
        for run in self.status.get("taskRuns", []):
            attempts = run.get("attempts") or [{}]
            job = str(attempts[-1].get("job", ""))
            rows[f"{self.name}/{run['id']}"] = ("", run["taskId"], run["state"], job)
        return rows

    def ended(self) -> bool:
        return self.state not in _LIVE

    def job(self, task: str) -> str:
        """The Job of the last attempt of a task."""
        for run in self.status.get("taskRuns", []):
            if run["taskId"] == task and run.get("attempts"):
                return str(run["attempts"][-1].get("job", ""))
        return ""

    def account(self) -> None:
        """Show Jobs, outputs and logs, and compare them with what was promised."""
        screen, name = self._screen, self.name
        screen.title(f"What {name} left behind")
        words = ("get", "jobs", "-n", NAMESPACE, "-l", f"penstock.dev/execution={name}")
        self._await_jobs(words)
        shown = (*words, "-L", "penstock.dev/task")
        screen.command(f"kubectl {' '.join(shown)}", kubectl(*shown))
        self._expect_jobs(json.loads(kubectl(*words, "-o", "json"))["items"])
        outputs = kubectl(
            "get", "execution", name, "-n", NAMESPACE, "-o", "jsonpath={.status.outputs}"
        )
        screen.command(
            f"kubectl get execution {name} -n {NAMESPACE} -o jsonpath='{{.status.outputs}}'",
            outputs,
        )
        found = json.loads(outputs) if outputs else {}
        screen.expect(found == dict(self.wanted.outputs), f"{name} gave back what it should")
        self._expect_log(*self.wanted.log)

    def _await_jobs(self, words: Sequence[str]) -> None:
        """Wait for the Job controller, which is a second behind, so that its table is whole."""
        wanted = "jsonpath={.items[*].status.completionTime}"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if len(kubectl(*words, "-o", wanted).split()) >= self.wanted.task_runs:
                return
            time.sleep(0.3)

    def _expect_jobs(self, jobs: Sequence[Object]) -> None:
        runs = self.status.get("taskRuns", [])
        attempts = [attempt.get("job") for run in runs for attempt in run.get("attempts", [])]
        made = [job["metadata"]["name"] for job in jobs]
        self._screen.expect(
            self.state == "SUCCESS", f"{self.name} ended {self.state or 'not at all'}"
        )
        self._screen.expect(
            len(runs) == self.wanted.task_runs and sorted(made) == sorted(map(str, attempts)),
            f"{len(runs)} task runs of {self.wanted.task_runs}, and one Job for each ({len(made)})",
        )

    def _expect_log(self, task: str, line: str) -> None:
        job = self.job(task)
        if not job:
            self._screen.expect(False, f"the log of {task}: it has no Job")
            return
        text = kubectl("logs", "-n", NAMESPACE, f"job/{job}")
        self._screen.command(f"kubectl logs -n {NAMESPACE} job/{job}", text)
        self._screen.expect(line in text, f"the log of {task} says: {line}")

    def summary(self) -> tuple[str, ...]:
        ended = sum("endDate" in run for run in self.status.get("taskRuns", []))
        duration = str(self.status.get("duration", ""))
        return self.wanted.flow, self.name, self.state, str(ended), duration


def watch(screen: Screen, runs: Sequence[Run]) -> None:
    """Show the states of executions as they change, to their end."""

    def ended() -> bool:
        for run in runs:
            run.refresh()
        return all(run.ended() for run in runs)

    def rows() -> Rows:
        return {key: cells for run in runs for key, cells in run.rows().items()}

    columns = ("execution", "task", "state", "progress / job")
    if not screen.watch(columns, rows, ended, _SECONDS):
        screen.expect(False, f"all executions ended within {_SECONDS:.0f} s")
