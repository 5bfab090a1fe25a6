"""`penstock run --triggers`: triggers that ask a source start executions, until it is stopped."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.unit.cli.conftest import Call, Write

ASKING = """\
id: restock
namespace: company.team
inputs: [{{id: level, type: INT}}]
tasks:
  - {{id: it, type: io.kestra.plugin.core.debug.Return, format: "{{{{ inputs.level }}}} left"}}
outputs: [{{id: it, type: STRING, value: "{{{{ outputs.it.value }}}}"}}]
triggers:
  - id: low
    type: io.kestra.plugin.core.http.Trigger
    uri: {uri}
    interval: PT1S
    headers: {{X-Key: "{{{{ secret('SHOP') }}}}"}}
    {more}
    inputs: {{level: "{{{{ trigger.body | jq('.level') | first }}}}"}}
    labels: {{code: "{{{{ trigger.code }}}}"}}
"""


@dataclass
class Shop:
    """A server that stops the run, as Ctrl-C does, when it is asked for the last time."""

    uri: str = ""
    keys: list[str] = field(default_factory=list)
    last: int = 2
    code: int = 200

    def asked(self, key: str) -> None:
        self.keys.append(key)
        if len(self.keys) == self.last:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("PENSTOCK_REFUSED_NETWORKS", "")
    monkeypatch.setenv("SECRET_SHOP", base64.b64encode(b"s3cr3t-key").decode())
    made = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked(self.headers.get("X-Key", ""))
            self.send_response(made.code)
            self.end_headers()
            self.wfile.write(b'{"level": 3}')

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    made.uri = f"http://127.0.0.1:{server.server_port}/stock"
    yield made
    server.shutdown()
    server.server_close()


def test_an_answer_starts_an_execution_and_the_next_question_waits_for_its_end(
    call: Call, write: Write, shop: Shop
) -> None:
    # when it is stopped at the second question
    flow = write(ASKING.format(uri=shop.uri, more=""))
    called = call("run", "--triggers", flow, "-o", "json")

    # then
    (execution,) = json.loads(called.out)[:1]
    assert execution["status"]["state"] == "SUCCESS", called.err
    assert execution["status"]["outputs"] == {"it": "3 left"}
    assert execution["spec"]["labels"] == {"code": "200"}
    assert execution["spec"]["trigger"]["variables"]["body"] == '{"level": 3}'
    assert shop.keys == ["s3cr3t-key"] * 2
    assert "listening for a trigger" in called.err


def test_what_no_condition_wants_starts_nothing(call: Call, write: Write, shop: Shop) -> None:
    # when
    flow = write(ASKING.format(uri=shop.uri, more='responseCondition: "{{ false }}"'))
    called = call("run", "--triggers", flow, "-o", "json")

    # then
    assert (called.code, json.loads(called.out)) == (0, [])


def test_what_fails_is_told_without_its_secret(
    call: Call, write: Write, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.delenv("SECRET_SHOP")

    # when nothing can be asked
    flow = write(ASKING.format(uri=shop.uri, more=""))
    called = call("run", "--triggers", flow, "--timeout", "1s")

    # then
    assert called.code == 0
    assert "warning: company.team.restock, trigger low: its properties can't" in called.err
    assert "Set SECRET_SHOP to its value in base64" in called.err
    assert shop.keys == []
