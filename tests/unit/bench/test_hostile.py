"""The measurement of hostile tenants: what of it needs no cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from e2e.bench.hostile.__main__ import ATTACKS, Arena, Row, as_json, cells, selected
from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.attacks import expressions, gateway, storage
from e2e.bench.hostile.ground import Ground
from e2e.bench.hostile.restarts import restarts_between, restarts_by_pod
from e2e.bench.hostile.victim import GREETINGS, Greeting, Victim
from e2e.fixtures.kubernetes import Kubernetes, Object
from e2e.gitserver import GitServer
from penstock.flow.loading import SourceDocument
from tests.fixtures.flows import parser


def pod(name: str, uid: str, restarts: int) -> Object:
    statuses = [{"restartCount": restarts}, {"restartCount": 0}]
    return {"metadata": {"name": name, "uid": uid}, "status": {"containerStatuses": statuses}}


class Cluster:
    """A cluster in which every execution succeeds at once, and the controller dies meanwhile."""

    def __init__(self) -> None:
        self.made: dict[str, Object] = {}
        self.deleted: list[str] = []
        self.restarts = 0
        self.core = SimpleNamespace(
            create_namespace=lambda body: None, delete_namespace=self.deleted.append
        )

    def create(self, plural: str, namespace: str, body: Object) -> None:
        self.made[body["metadata"]["name"]] = {**body, "status": {"state": "SUCCESS"}}

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        return self.made.get(name)

    def pods(self, namespace: str) -> list[Object]:
        self.restarts += 1
        return [pod("penstock-1", "a", self.restarts)]

    def delete_all(self, plural: str, namespace: str) -> None:
        self.deleted.append(f"{namespace}/{plural}")


class Fails(Attack):
    name = "fails"
    does = "nothing"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        raise ValueError("it can't")


def row(*during: Greeting, restarts: dict[str, int] | None = None) -> Row:
    return Row("a", "does", [Greeting(1.0, "SUCCESS")], list(during), restarts or {}, True)


@pytest.mark.parametrize(
    ("measured", "holds"),
    [
        (row(Greeting(1.0, "SUCCESS"), Greeting(2.9, "SUCCESS")), True),
        (row(Greeting(1.0, "SUCCESS"), Greeting(3.1, "SUCCESS")), False),
        (row(Greeting(1.0, "FAILED")), False),
        (row(Greeting(20.0, None)), False),
        (row(Greeting(1.0, "SUCCESS"), restarts={"penstock": 1}), False),
    ],
)
def test_others_are_served_where_all_are_fast_and_nothing_ended(measured: Row, holds: bool) -> None:
    assert measured.holds is holds
    assert ("yes" in cells(measured)) is holds
    assert as_json(measured)["holds"] is holds


def test_a_hello_world_without_an_end_is_the_slowest_one() -> None:
    measured = row(Greeting(20.0, "SUCCESS"), Greeting(5.0, None))

    assert cells(measured)[3] == "> 5"


def test_a_restart_is_told_of_the_part_that_ended() -> None:
    before = [pod("penstock-1", "a", 1), pod("penstock-git-1", "b", 0), pod("other-1", "c", 0)]
    after = [pod("penstock-1", "a", 3), pod("penstock-git-2", "d", 0), pod("other-1", "c", 9)]

    found = restarts_between(restarts_by_pod(before), restarts_by_pod(after))

    assert found == {"penstock": 2, "penstock-git": 1}


def test_attacks_are_chosen_by_words_of_their_names() -> None:
    assert selected(None) == ATTACKS
    assert {attack.name for attack in selected("h4,h7")} == {"h4a-100", "h4a-400", "h4b", "h7"}
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.greeting for attack in ATTACKS} == set(GREETINGS)


@pytest.mark.parametrize("program", [storage.SLOW_PUTS, storage.MANY_LISTS])
def test_the_programs_of_attackers_are_python(program: str) -> None:
    compile(program, "attack", "exec")


@pytest.mark.parametrize(
    "attack",
    [expressions.JqAllocates, expressions.YamlNests, expressions.AliasesGrow],
)
def test_a_flow_of_an_attacker_is_accepted(attack: type[expressions.FlowAttack]) -> None:
    spec = {"id": "evil", "namespace": "a.b", "tasks": [attack.task], "inputs": attack.inputs}

    assert parser().parse(SourceDocument(spec)).flow.id == "evil"


@pytest.mark.parametrize("attack", gateway.ATTACKS)
def test_a_trigger_of_an_attacker_is_accepted(attack: type[gateway.Flood]) -> None:
    tasks = [{"id": "a", "type": "io.kestra.plugin.core.log.Log", "message": "a"}]
    spec = {"id": "evil", "namespace": "a.b", "tasks": tasks, "triggers": [attack.trigger]}

    assert parser().parse(SourceDocument(spec)).flow.triggers[0].id == attack.trigger["id"]


Answered = Callable[[str, str, str], tuple[int, Any]]
"""Method, path and `Idempotency-Key` of a call to its status and answer."""


@contextmanager
def answering(answered: Answered) -> Iterator[tuple[str, int]]:
    """A server that stands for the gateway."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            key = self.headers.get("Idempotency-Key") or ""
            status, answer = answered(self.command, self.path, key)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Drop a message of the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_callers_of_the_gateway_go_on_until_the_attack_is_over(tmp_path: Path) -> None:
    # given: a gateway that refuses everybody
    cluster, calls = Cluster(), list[str]()
    over, again = threading.Event(), threading.Event()

    def refuse(method: str, path: str, key: str) -> tuple[int, Any]:
        calls.append(f"{method} {path.removeprefix('/api/v1/listener/')}")
        if len(calls) > gateway.CALLERS:
            again.set()
        return 429, None

    with answering(refuse) as (host, port):
        service = SimpleNamespace(
            spec=SimpleNamespace(cluster_ip=host, ports=[SimpleNamespace(port=port)])
        )
        cluster.core.read_namespaced_service = lambda name, namespace: service
        kubernetes = cast(Kubernetes, cluster)
        ground = Ground(kubernetes, "evil", tmp_path, cast(GitServer, None), host)
        attack = gateway.ListenerFlood()
        attack._token = "token"
        # when
        work = threading.Thread(target=attack.begin, args=(ground, over), daemon=True)
        work.start()
        # then
        assert again.wait(30)
        over.set()
        work.join(30)
        assert not work.is_alive()
    assert set(calls) == {"POST firings", "GET triggers", "POST reports"}


def test_a_greeting_by_webhook_is_the_execution_that_the_gateway_made(tmp_path: Path) -> None:
    # given: a gateway that does not know the flow at first
    cluster, keys = Cluster(), list[str]()

    def know(method: str, path: str, key: str) -> tuple[int, Any]:
        keys.append(key)
        if len(keys) == 1:
            return 404, None
        cluster.create("executions", "victim", {"metadata": {"name": "made"}})
        return 200, {"id": "made"}

    with answering(know) as (host, port):
        victim = Victim(
            cast(Kubernetes, cluster), "victim", "http://s/", "http://g/x", f"http://{host}:{port}"
        )
        # when
        greeting = victim.greet("webhook", 30)
    # then
    assert greeting.state == "SUCCESS"
    assert keys == ["webhook-1", "webhook-1"]
    assert list(cluster.made) == ["made"]


def test_an_attack_that_fails_is_told_and_cleaned_up(tmp_path: Path) -> None:
    # given
    cluster = Cluster()
    kubernetes = cast(Kubernetes, cluster)
    victim = Victim(kubernetes, "victim", "http://server/", "http://git/x.git", "http://gateway")
    arena = Arena(kubernetes, victim, cast(GitServer, None), tmp_path, "host")
    arena.undisturbed["hello"] = [Greeting(0.1, "SUCCESS")]
    # when
    measured = arena.measure(Fails(), 0.1)
    # then
    assert measured.error == "ValueError: it can't"
    assert measured.restarts == {"penstock": 1}
    assert measured.during and all(each.state == "SUCCESS" for each in measured.during)
    assert not measured.holds
    (namespace,) = [name for name in cluster.deleted if "/" not in name]
    assert namespace.startswith("hostile-fails-")
    assert f"{namespace}/flows" in cluster.deleted
