"""Who floods the gateway with what it may do: its own webhook, and its own listener's door."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.ground import CORE, Ground, gateway_of
from e2e.fixtures.kubernetes import Object, wait_for

_AUDIENCE = "penstock-gateway"
CALLERS = 32
_BODY = "x" * 100_000
_KEY = "hostile-key"

Call = tuple[str, str, Object | None]
"""Method, path and body."""


class Flood(Attack):
    """Has many callers, each of which reads an answer and calls again at once."""

    greeting = "webhook"
    trigger: ClassVar[Object]

    def prepare(self, ground: Ground) -> None:
        """Let there be a flow that is done without a pod, as nothing else would then hold up."""
        task = {"id": "a", "type": f"{CORE}.execution.Labels", "labels": {"a": "b"}}
        ground.flow("evil", tasks=[task], triggers=[self.trigger])

    def flood(
        self, ground: Ground, over: threading.Event, headers: dict[str, str], calls: Iterator[Call]
    ) -> None:
        """Make calls, one after the other by each caller, until it is over."""
        place, lock = urlsplit(gateway_of(ground.kubernetes)).netloc, threading.Lock()

        def following() -> Call:
            with lock:
                return next(calls)

        callers = [
            threading.Thread(target=_call, args=(place, over, headers, following), daemon=True)
            for _ in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()


class WebhookFlood(Flood):
    name = "gateway-webhook"
    does = f"{CALLERS} callers of the own webhook, with 100 kB each"
    trigger: ClassVar[Object] = {"id": "hook", "type": f"{CORE}.trigger.Webhook", "key": _KEY}

    def begin(self, ground: Ground, over: threading.Event) -> None:
        path = f"/api/v1/{ground.namespace}/executions/webhook/company.hostile/evil/{_KEY}"
        self.flood(ground, over, {}, itertools.repeat(("POST", path, {"text": _BODY})))


class ListenerFlood(Flood):
    name = "gateway-listener"
    does = f"{CALLERS} callers of the listener's door, with an own token"
    trigger: ClassVar[Object] = {
        "id": "ask",
        "type": f"{CORE}.http.Trigger",
        "uri": "http://none.invalid/",
        "interval": "PT1H",
    }

    def prepare(self, ground: Ground) -> None:
        super().prepare(ground)
        self._token = wait_for("a token", lambda: _token(ground), 30)

    def begin(self, ground: Ground, over: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        self.flood(ground, over, headers, _listener_calls())


def _listener_calls() -> Iterator[Call]:
    """Each of what a listener asks for, in turn, with new events."""
    door, trigger = "/api/v1/listener", {"flow": "evil", "trigger": "ask"}
    for number in itertools.count():
        event = {"key": str(number), "variables": {"body": _BODY}}
        yield "POST", f"{door}/firings", {**trigger, **event}
        yield "GET", f"{door}/triggers", None
        yield (
            "POST",
            f"{door}/reports",
            {**trigger, "report": {"failing": True, "message": str(number)}},
        )


def _call(
    place: str, over: threading.Event, headers: dict[str, str], following: Callable[[], Call]
) -> None:
    connection = http.client.HTTPConnection(place, timeout=30)
    while not over.is_set():
        method, path, body = following()
        text = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, text, {"Content-Type": "application/json", **headers})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next call opens another one
            over.wait(0.1)
    connection.close()


def _token(ground: Ground) -> str | None:
    """A token as a listener has it, of an account that every namespace has."""
    core, account = ground.kubernetes.core, "default"
    known = core.list_namespaced_service_account(ground.namespace).items
    if not any(item.metadata.name == account for item in known):
        return None
    body = {"spec": {"audiences": [_AUDIENCE], "expirationSeconds": 3600}}
    made = core.create_namespaced_service_account_token(account, ground.namespace, body)
    return str(made.status.token)


ATTACKS = (WebhookFlood, ListenerFlood)
