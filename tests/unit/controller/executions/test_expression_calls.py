"""The calls that expressions wait for: shares of tenants, the clock of a call, and giving up."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from penstock.controller.executions import expression_functions as module
from penstock.controller.executions.expression_calls import Calls, Interruption
from penstock.controller.executions.expression_functions import ExpressionFunctions, Readers
from penstock.controller.executions.expression_http import HttpFunction, HttpRules
from penstock.controller.executions.held_answers import OF_TENANT
from penstock.controller.keyvalues.index import KeyValueIndex, pair_keys
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.expressions import ExpressionError, NotLoaded
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS, Object
from penstock.network import AllowedHosts, RefusedNetworks
from penstock.tasks.contract.task import TaskFailure
from tests.fixtures.controller import NAMESPACE, Controller, execution, flow, until

ALL = HttpRules(RefusedNetworks([]))
"""Rules that let this machine be asked."""


class SlowServer:
    """A server that takes connections and says nothing until it is let to."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._server.getsockname()[1]
        self.says = threading.Event()
        """Set to let it answer everybody."""
        self._lock = threading.Lock()
        self.asked = 0
        self.left = 0
        """Connections that were ended before there was an answer."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.says.set()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(4096)
            with self._lock:
                self.asked += 1
            connection.settimeout(0.02)
            while not self.says.is_set():
                try:
                    ended = not connection.recv(1)
                except TimeoutError:
                    continue
                if ended:
                    with self._lock:
                        self.left += 1
                    return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


@pytest.fixture
def server() -> Iterator[SlowServer]:
    server = SlowServer()
    yield server
    server.close()


class Expressions:
    """Executions of tenants whose expressions call `http()`."""

    def __init__(self, readers: Readers | None = None) -> None:
        self.memories = ExecutionMemories()
        self.ready: list[str] = []
        self.functions = ExpressionFunctions(
            self.memories,
            lambda execution, place, interruption: (
                readers or {"http": HttpFunction(ALL, interruption)}
            ),
            lambda execution: self.ready.append(execution["metadata"]["uid"]),
            KeyValueIndex(ObjectStore(pair_keys), is_listed=True).of,
        )

    def ask(self, tenant: str, name: str, url: str) -> Object:
        """Let an execution need what a server says, which is no more than it has to wait."""
        body = {"metadata": {"namespace": tenant, "name": name, "uid": f"{tenant}/{name}"}}
        with pytest.raises(NotLoaded) as missing:
            self.value(body, url)
        self.functions.fetch(body, missing.value)
        return body

    def value(self, body: Object, url: str) -> object:
        """What the expression gives now. Raises ``NotLoaded`` and ``ExpressionError``."""
        meta = body["metadata"]
        identity: object = type("Identity", (), {"name": meta["name"], "uid": meta["uid"]})
        flow: object = type("Flow", (), {"namespace": "company.team", "id": "f"})
        functions = self.functions.of(meta["namespace"])(identity, flow)  # type: ignore[arg-type]
        return functions["http"](url)


async def test_a_slow_server_of_one_tenant_keeps_no_other_waiting(server: SlowServer) -> None:
    # given: 40 executions of one tenant that wait for a server
    quick, given = SlowServer(), Expressions()
    quick.says.set()
    slow = f"http://127.0.0.1:{server.port}/"
    for number in range(40):
        given.ask("hostile", str(number), slow)
    await until(lambda: server.asked == module.ASKS_PER_TENANT)
    # when: another tenant asks
    url = f"http://127.0.0.1:{quick.port}/"
    victim = given.ask("team", "e", url)
    # then: it is answered meanwhile, and no more than the share of the first one is asked
    await until(lambda: given.ready)
    assert given.ready == ["team/e"]
    assert given.value(victim, url) == "hi"
    assert server.asked == module.ASKS_PER_TENANT
    # and those that waited are answered, too
    server.says.set()
    await until(lambda: len(given.ready) == 41)
    quick.close()


async def test_the_clock_of_a_call_begins_with_its_turn() -> None:
    # given: calls of one tenant that last longer together than one of them may
    calls = Calls("test", 8, 2)

    def call(interruption: Interruption) -> str:
        time.sleep(0.05)
        return "done"

    # when
    began = time.monotonic()
    answers = await asyncio.gather(*(calls.answer("a", call, 0.8) for _ in range(40)))
    # then
    assert set(answers) == {"done"}
    assert time.monotonic() - began > 0.95, "they had to wait for each other"


async def test_who_does_not_answer_in_time_is_hung_up_on(
    server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(module, "SECONDS", 0.2)
    given, url = Expressions(), f"http://127.0.0.1:{server.port}/"
    # when
    asked = [given.ask("hostile", str(number), url) for number in range(9)]
    # then: all have their turn, since threads that nobody waits for come free
    await until(lambda: len(given.ready) == 9)
    with pytest.raises(ExpressionError, match="no answer within"):
        given.value(asked[8], url)
    await until(lambda: server.left == 9)


@pytest.mark.parametrize("end", ["forgotten", "decided without it"])
async def test_what_nobody_waits_for_any_more_is_given_up(server: SlowServer, end: str) -> None:
    # given: executions that wait for a server, and more that wait for their turn
    given, url = Expressions(), f"http://127.0.0.1:{server.port}/"
    bodies = [given.ask("team", str(number), url) for number in range(10)]
    await until(lambda: server.asked == module.ASKS_PER_TENANT)
    # when: they are killed or deleted
    for body in bodies:
        if end == "forgotten":
            given.memories.forget(body["metadata"]["uid"])
        else:
            given.functions.done(body)
    # then: the server sees them go, nobody else is asked, and nobody is told
    await until(lambda: server.left == module.ASKS_PER_TENANT)
    other = given.ask("team", "next", url)
    await until(lambda: server.asked == module.ASKS_PER_TENANT + 1)
    assert given.ready == []
    given.functions.done(other)


async def test_an_execution_that_is_gone_already_asks_nobody(server: SlowServer) -> None:
    given = Expressions()
    given.memories.forget("team/e")
    given.ask("team", "e", f"http://127.0.0.1:{server.port}/")
    await asyncio.sleep(0.05)
    assert server.asked == 0


async def test_executions_of_one_tenant_hold_no_more_than_its_share_of_memory() -> None:
    # given: an answer of a megabyte for each of a hundred executions
    given = Expressions(readers={"http": lambda url: "x" * 1024 * 1024})
    bodies = [given.ask("hostile", str(number), "u") for number in range(100)]
    await until(lambda: len(given.ready) == 100)

    def refusal(body: Object) -> str:
        try:
            given.value(body, "u")
        except ExpressionError as error:
            return str(error)
        return ""

    # then
    refusals = list(filter(None, map(refusal, bodies)))
    assert 99 - OF_TENANT // 2**20 < len(refusals) <= 102 - OF_TENANT // 2**20
    assert "the executions of this Kubernetes namespace read too much" in refusals[0]
    # and another one has its own, as has this one when it has decided
    other = given.ask("team", "e", "u")
    for body in bodies[:50]:
        given.functions.done(body)
    for body in bodies[50:]:
        given.memories.forget(body["metadata"]["uid"])
    more = given.ask("hostile", "more", "u")
    await until(lambda: len(given.ready) == 102)
    assert refusal(other) == refusal(more) == ""


async def test_long_arguments_do_not_wait_in_memory() -> None:
    given = Expressions()
    body = {"metadata": {"namespace": "hostile", "name": "e", "uid": "u"}}
    with pytest.raises(ExpressionError, match="more than 131072 characters; let a task"):
        given.value(body, "http://x/" + "y" * 131072)


def test_a_call_that_has_ended_connects_to_nobody(server: SlowServer) -> None:
    interruption = Interruption()
    interruption.end()
    with pytest.raises(TaskFailure, match="nobody waits"):
        HttpFunction(ALL, interruption)(f"http://127.0.0.1:{server.port}/")


def test_http_can_be_turned_off(server: SlowServer) -> None:
    rules = HttpRules(RefusedNetworks([]), enabled=False)
    with pytest.raises(TaskFailure, match=r"settings\.http\.enabled.*core\.http\.Request"):
        HttpFunction(rules, Interruption())(f"http://127.0.0.1:{server.port}/")
    assert server.asked == 0


def test_where_hosts_are_named_no_other_is_asked(
    server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, *args: object, **more: object) -> object:
        looked_up.append(host)
        return real("127.0.0.1", *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    server.says.set()
    rules = HttpRules(RefusedNetworks([]), AllowedHosts(["*.example.com"]))
    http = HttpFunction(rules, Interruption())
    # then
    assert http(f"http://api.Example.com:{server.port}/") == "hi"
    with pytest.raises(TaskFailure, match=r"evil\.test is not among .*settings\.http\.allow"):
        http(f"http://evil.test:{server.port}/")
    assert "evil.test" not in looked_up


def test_a_host_that_is_named_is_still_refused_at_a_refused_address(server: SlowServer) -> None:
    rules = HttpRules(RefusedNetworks(), AllowedHosts(["localhost", "127.0.0.0/8"]))
    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(TaskFailure, match="is not a server that an expression may ask"):
            HttpFunction(rules, Interruption())(f"http://{host}:{server.port}/")
    assert server.asked == 0


ASKING = """
    id: flow
    namespace: company.team
    tasks:
      - id: look
        type: io.kestra.plugin.core.flow.If
        condition: "{{{{ http('http://127.0.0.1:{port}/') == 'hi' }}}}"
        then: [{{id: only, type: io.kestra.plugin.core.debug.Return, format: x}}]
"""


@pytest.mark.parametrize("end", ["killed", "deleted", "answered"])
async def test_an_execution_that_is_killed_or_deleted_waits_for_no_server(
    server: SlowServer, tmp_path: Path, end: str
) -> None:
    # given: an execution that waits for a server
    controller = Controller(tmp_path, network={"refused": []})
    cluster = controller.server
    async with controller.running():
        cluster.put(FLOWS, flow(ASKING.format(port=server.port)))
        made = cluster.put(EXECUTIONS, execution("run"))
        await until(lambda: server.asked == 1)
        # when
        match end:
            case "killed":
                cluster.put(EXECUTIONS, {**made, "spec": {**made["spec"], "kill": True}})
            case "deleted":
                cluster.remove(EXECUTIONS, NAMESPACE, "run")
            case _:
                server.says.set()

        # then
        def state() -> object:
            return ((cluster.get(EXECUTIONS, NAMESPACE, "run") or {}).get("status") or {}).get(
                "state"
            )

        expected = {"killed": "KILLED", "deleted": None, "answered": "RUNNING"}[end]
        await until(lambda: state() == expected)
        await until(lambda: server.left == (0 if end == "answered" else 1))
        assert server.asked == 1
        # The status comes first, and then the Job.
        await until(lambda: len(cluster.all(JOBS)) == (1 if end == "answered" else 0))
