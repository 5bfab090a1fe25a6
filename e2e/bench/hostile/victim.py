"""A tenant who does nothing wrong, and whose hello-world is measured."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from e2e.bench.hostile.ground import CORE, made, script
from e2e.fixtures.kubernetes import Kubernetes, Object, wait_for

_POLL = 0.05
_ENDS = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED")
GREETINGS = ("hello", "file", "http", "webhook", "git")
"""A flow with a script, one that keeps a file, one that asks a server of its own, one that its
webhook starts; a GitSource."""
_KEY = "victim-key"
_LONGEST_CALL = 30.0


@dataclass
class Greeting:
    """What became of one hello-world."""

    seconds: float
    state: str | None
    """Its end; None where it had none when the measurement ended."""

    def __str__(self) -> str:
        """As the table has it: `1.2`, `> 30` without an end, `4.0 FAILED`."""
        if self.state is None:
            return f"> {self.seconds:.0f}"
        return f"{self.seconds:.1f}" + ("" if self.state == "SUCCESS" else f" {self.state}")


@dataclass
class Victim:
    """The other namespace."""

    kubernetes: Kubernetes
    namespace: str
    server: str
    """A URL that answers at once."""
    repository: str
    """The URL of a small repository."""
    gateway: str
    """The URL of the gateway."""
    _count: int = field(default=0)
    _started: dict[str, str] = field(default_factory=dict)
    """The Executions that the webhook started, by the greeting."""

    def prepare(self) -> None:
        """Let there be the flows."""
        ask = f"{{{{ http('{self.server}') }}}}"
        flows: dict[str, Object] = {
            "hello": script("echo hello"),
            "file": script("echo hello > file.txt", outputFiles=["file.txt"]),
            "http": {"id": "ask", "type": f"{CORE}.debug.Return", "format": ask},
            "webhook": script("echo hello"),
        }
        hook = {"id": "hook", "type": f"{CORE}.trigger.Webhook", "key": _KEY}
        for name, task in flows.items():
            spec: dict[str, Any] = {"id": name, "namespace": "company.victim", "tasks": [task]}
            if name == "webhook":
                spec["triggers"] = [hook]
            self.kubernetes.create("flows", self.namespace, made("Flow", name, spec))
        for name in GREETINGS:
            first = self.greet(name, 60)
            if first.state != "SUCCESS":
                raise SystemExit(f"the hello-world `{name}` does not work here: {first}")

    def greet(self, flow: str, patience: float) -> Greeting:
        """Run a flow once, and wait for its end. The API server may be late, too."""
        self._count += 1
        name = f"{flow}-{self._count}"
        begun = time.monotonic()
        state = None
        while state not in _ENDS and time.monotonic() - begun < patience:
            try:
                state = self._look("gitsources" if flow == "git" else "executions", flow, name)
            except (ApiException, HTTPError, OSError):
                state = None
            time.sleep(_POLL)
        seconds = time.monotonic() - begun
        if flow == "git":
            self.kubernetes.delete("gitsources", self.namespace, name)
        return Greeting(seconds, state if state in _ENDS else None)

    def _look(self, plural: str, flow: str, name: str) -> str | None:
        """The state of the object of a greeting, which is made where it is not there."""
        found = self.kubernetes.get(plural, self.namespace, self._started.get(name, name))
        if found is None and flow == "webhook":
            self._call(name)
            return None
        if found is None:
            body = (
                made("GitSource", name, {"url": self.repository})
                if flow == "git"
                else made("Execution", name, {"flow": {"name": flow}})
            )
            self.kubernetes.create(plural, self.namespace, body)
            return None
        status = found.get("status") or {}
        applied = "SUCCESS" if "appliedCommit" in status else None
        return applied if flow == "git" else status.get("state")

    def _call(self, name: str) -> None:
        """Let the webhook start an execution, once for each greeting however often it is called."""
        path = f"api/v1/{self.namespace}/executions/webhook/company.victim/webhook/{_KEY}"
        headers = {"Idempotency-Key": name, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.gateway}/{path}", b"{}", headers)
        try:
            with urllib.request.urlopen(request, timeout=_LONGEST_CALL) as answer:
                self._started[name] = json.load(answer)["id"]
        except (OSError, http.client.HTTPException):
            return  # it is not known yet, or too much is going on: it is called again

    def greetings(self, flow: str, seconds: float) -> list[Greeting]:
        """Run a flow again and again for a time, whose end the last one may pass by some."""
        end = time.monotonic() + seconds
        found = []
        while time.monotonic() < end:
            found.append(self.greet(flow, max(seconds, 1.0)))
        return found

    def is_served_again(self, patience: float) -> bool:
        """Whether hello-worlds are as fast as before, within some time."""
        try:
            wait_for("service", lambda: self.greet("hello", patience).seconds < 3, patience)
        except AssertionError:
            return False
        return True
