"""HTTP tasks, against a server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from penstock.expressions import ExpressionError, Host
from penstock.resources.execution import State
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core import http_function
from penstock.types import expressions
from tests.unit.local.conftest import CORE, Attempts, Try

BASIC = "Basic bWU6cHc="


class Handler(BaseHTTPRequestHandler):
    """`/echo` says what it was asked; other paths do what their names say."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode("utf-8", "replace")
        path, _, query = self.path.partition("?")
        match path.split("/"):
            case ["", "echo", *_]:
                told = {
                    "method": self.command,
                    "path": self.path,
                    "headers": {key.lower(): value for key, value in self.headers.items()},
                    "body": body,
                }
                kind = ("Content-Type", "application/json")
                cookies = [("Set-Cookie", "a"), ("Set-Cookie", "b")]
                self.answer(200, json.dumps(told).encode(), kind, *cookies)
            case ["", "code", code]:
                self.answer(int(code), b"what happened")
            case ["", "redirect", code]:
                self.answer(int(code), b"", ("Location", query))
            case ["", "loop"]:
                self.answer(302, b"", ("Location", "/loop"))
            case ["", "latin1"]:
                self.answer(
                    200, "é".encode("latin-1"), ("Content-Type", "text/plain; charset=latin1")
                )
            case ["", "binary"]:
                self.answer(200, b"\xff\xfe\x00")
            case ["", "short"]:
                self.send_response(200)
                self.send_header("Content-Length", "10")
                self.end_headers()
                self.wfile.write(b"12345")
                self.close_connection = True
            case ["", "named"]:
                name = 'attachment; filename="../../re port.csv"'
                self.answer(200, b"a,b", ("Content-Disposition", name))
            case ["", "files", *_]:
                self.answer(200, b"x" * 1_000_000)
            case ["", "empty"]:
                self.answer(200, b"")
            case ["", "hang"]:
                self.server.leave.wait(20)  # type: ignore[attr-defined]
                self.close_connection = True
            case _:
                said = f"{path} {self.headers['Proxy-Authorization']}"
                self.answer(404, said.encode())

    do_POST = do_PUT = do_GET

    def answer(self, code: int, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def started() -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.leave = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    return server


def base(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def server() -> Iterator[str]:
    started_server = started()
    yield base(started_server)
    started_server.leave.set()  # type: ignore[attr-defined]
    started_server.shutdown()
    started_server.server_close()


async def echoed(attempts: Attempts, **properties: Any) -> Any:
    outputs = await attempts.outputs("http.Request", **properties)
    return json.loads(outputs["body"])


async def test_request_gives_code_headers_and_body(attempts: Attempts, server: str) -> None:
    # when
    outputs = await attempts.outputs(
        "http.Request",
        uri=f"{server}/echo/a b?q=é x&r=%20",
        headers={"X-One": 1, "X-Two": None, "X-Three": True},
    )
    # then
    assert outputs["code"] == 200
    assert outputs["headers"]["Set-Cookie"] == ["a", "b"]
    said = json.loads(outputs["body"])
    assert said["method"] == "GET"
    assert said["path"] == "/echo/a%20b?q=%C3%A9%20x&r=%20"
    assert said["headers"]["x-one"] == "1"
    assert said["headers"]["x-three"] == "true"
    assert "x-two" not in said["headers"]
    assert "content-type" not in said["headers"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [("/echo", "/echo?a=1%20%26&b=x&b=y"), ("/echo?q=0#f", "/echo?q=0&a=1%20%26&b=x&b=y")],
)
async def test_parameters_stand_at_the_end_of_the_uri(
    attempts: Attempts, server: str, uri: str, path: str
) -> None:
    params = {"a": "1 &", "b": ["x", "y"], "none": None}
    assert (await echoed(attempts, uri=f"{server}{uri}", params=params))["path"] == path


@pytest.mark.parametrize("task", ["Request", "Download"])
async def test_the_length_of_the_response_is_a_metric(
    attempts: Attempts, server: str, task: str
) -> None:
    seen = await attempts.run(f"{CORE}.http.{task}", {"uri": f"{server}/named"})
    assert [(item.name, item.value) for item in seen.metrics] == [("response.length", 3)]


async def test_a_body_is_sent_with_its_type(attempts: Attempts, server: str) -> None:
    uri = f"{server}/echo"
    said = await echoed(attempts, uri=uri, method="post", body='{"a": "é"}')
    assert (said["method"], said["body"]) == ("POST", '{"a": "é"}')
    assert said["headers"]["content-type"] == "application/json"
    said = await echoed(attempts, uri=uri, method="PUT", body="x", contentType="text/plain")
    assert said["headers"]["content-type"] == "text/plain"
    headers = {"content-type": "text/csv"}
    said = await echoed(attempts, uri=uri, method="PUT", body="x", headers=headers)
    assert said["headers"]["content-type"] == "text/csv"


async def test_a_map_is_sent_as_json(try_: Try, server: str) -> None:
    # given
    tried = try_(
        f"""
        inputs: [{{id: city, type: STRING, defaults: "Å \\"q\\""}}]
        tasks:
          - id: ask
            type: io.kestra.plugin.core.http.Request
            uri: {server}/echo
            method: POST
            body:
              "{{{{ 'na' ~ 'me' }}}}": "{{{{ inputs.city }}}}"
              sum: "{{{{ 2 * 3 }}}}"
              as_it_is: [1, true, {{}}]
        outputs: [{{id: sent, type: STRING, value: "{{{{ fromJson(outputs.ask.body).body }}}}"}}]
        """
    )
    # when
    status = await tried.run()
    # then
    assert status.outputs == {"sent": '{"name":"Å \\"q\\"","sum":"6","as_it_is":[1,true,{}]}'}


async def test_maps_in_parameters_and_forms_are_json(attempts: Attempts, server: str) -> None:
    # given
    params = {"filter": {"a": 1}, "tag": ["x", "y"], "all": True, "none": None}
    form = {"data": {"a": [1]}, "list": [1, 2]}
    # when
    plain = await echoed(attempts, uri=f"{server}/echo", method="POST", params=params)
    posted = await echoed(attempts, uri=f"{server}/echo", method="POST", formData=form)
    # then
    assert plain["path"] == "/echo?filter=%7B%22a%22%3A1%7D&tag=x&tag=y&all=true"
    assert posted["body"] == "data=%7B%22a%22%3A%5B1%5D%7D&list=%5B1%2C2%5D"


async def test_a_form_is_sent(attempts: Attempts, server: str) -> None:
    # given
    stored = attempts.store("stored", "a b.txt")
    form = {"text": "é &", "flag": True, "file": stored, "named": {"name": "n.csv", "content": "x"}}
    # when
    plain = await echoed(
        attempts, uri=f"{server}/echo", method="POST", formData={"a": "1 2", "b": 3}
    )
    multipart = await echoed(
        attempts,
        uri=f"{server}/echo",
        method="POST",
        formData=form,
        contentType="multipart/form-data",
    )
    # then
    assert plain["body"] == "a=1+2&b=3"
    assert plain["headers"]["content-type"] == "application/x-www-form-urlencoded"
    boundary = multipart["headers"]["content-type"].partition("boundary=")[2]
    parts = multipart["body"].split(f"--{boundary}")
    assert 'name="text"\r\n\r\né &\r\n' in parts[1]
    assert 'name="flag"\r\n\r\ntrue\r\n' in parts[2]
    assert 'name="file"; filename="a b.txt"' in parts[3]
    assert parts[3].endswith("\r\n\r\nstored\r\n")
    assert 'name="named"; filename="n.csv"' in parts[4]
    assert parts[5] == "--\r\n"


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"auth": {"type": "BASIC", "username": "me", "password": "pw"}}, BASIC),
        ({"basicAuthUser": "me", "basicAuthPassword": "pw"}, BASIC),
        ({"auth": {"type": "BEARER", "token": "t"}}, "Bearer t"),
    ],
)
async def test_authentication(
    attempts: Attempts, server: str, options: dict[str, Any], header: str
) -> None:
    said = await echoed(attempts, uri=f"{server}/echo", options=options)
    assert said["headers"]["authorization"] == header


@pytest.mark.parametrize(
    ("code", "properties", "succeeds"),
    [
        (404, {}, False),
        (404, {"allowFailed": True}, True),
        (404, {"options": {"allowFailed": "true"}}, True),
        (404, {"options": {"allowedResponseCodes": [404]}}, True),
        (200, {"options": {"allowedResponseCodes": [404]}}, False),
        (302, {}, True),
    ],
)
async def test_what_counts_as_a_success(
    attempts: Attempts, server: str, code: int, properties: dict[str, Any], succeeds: bool
) -> None:
    # when
    uri = f"{server}/code/{code}"
    seen = await attempts.run(f"{CORE}.http.Request", {"uri": uri, **properties})
    # then
    if succeeds:
        assert (seen.outputs or {})["code"] == code
    else:
        assert seen.state is State.FAILED
        assert seen.message == f"GET {uri} failed with the code {code}: what happened"


@pytest.mark.parametrize(
    ("code", "method", "body"), [(302, "GET", ""), (303, "GET", ""), (307, "POST", "x")]
)
async def test_redirects_are_followed(
    attempts: Attempts, server: str, code: int, method: str, body: str
) -> None:
    said = await echoed(attempts, uri=f"{server}/redirect/{code}?/echo", method="POST", body="x")
    assert (said["method"], said["body"]) == (method, body)


async def test_redirects_end_somewhere_and_may_be_left(attempts: Attempts, server: str) -> None:
    assert "more than 10 redirects" in await attempts.failure("http.Request", uri=f"{server}/loop")
    left = await attempts.outputs(
        "http.Request", uri=f"{server}/redirect/302?/echo", options={"followRedirects": False}
    )
    assert (left["code"], left["headers"]["Location"]) == (302, ["/echo"])
    told = await attempts.failure("http.Request", uri=f"{server}/redirect/302?file:///etc/passwd")
    assert "is not a URI of HTTP" in told


async def test_another_server_gets_no_credentials(attempts: Attempts, server: str) -> None:
    # given
    other = started()
    options = {"auth": {"username": "me", "password": "pw"}}
    headers = {"Cookie": "c", "X-Other": "o"}
    # when
    uri = f"{server}/redirect/302?{base(other)}/echo"
    said = await echoed(attempts, uri=uri, options=options, headers=headers)
    # then
    other.shutdown()
    other.server_close()
    assert said["headers"]["x-other"] == "o"
    assert "authorization" not in said["headers"]
    assert "cookie" not in said["headers"]


async def test_a_proxy_is_asked(attempts: Attempts, server: str) -> None:
    # given
    host, port = server.removeprefix("http://").split(":")
    proxy = {"type": "HTTP", "address": host, "port": port, "username": "me", "password": "pw"}
    # when
    seen = await attempts.run(
        f"{CORE}.http.Request",
        {"uri": "http://example.invalid/x", "options": {"proxy": proxy, "allowFailed": True}},
    )
    # then
    assert (seen.outputs or {})["body"] == f"http://example.invalid/x {BASIC}"
    told = await attempts.failure("http.Request", uri="http://x/", options={"proxyType": "SOCKS"})
    assert "SOCKS is not served" in told


async def test_bodies_are_text_of_their_charset(attempts: Attempts, server: str) -> None:
    assert (await attempts.outputs("http.Request", uri=f"{server}/latin1"))["body"] == "é"
    told = await attempts.failure("http.Request", uri=f"{server}/binary")
    assert "is not text in UTF-8" in told
    assert "http.Download" in told
    told = await attempts.failure(
        "http.Request", uri=f"{server}/files/a", options={"maxContentLength": 1000}
    )
    assert "larger than 1000 bytes" in told


async def test_a_server_that_does_not_answer_fails_the_task(
    attempts: Attempts, server: str
) -> None:
    options = {"timeout": {"readIdleTimeout": "PT0.2S"}}
    told = await attempts.failure("http.Request", uri=f"{server}/hang", options=options)
    assert told == f"GET {server}/hang failed: timed out"


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "ftp://x/", "x", "http://", "http://a:b/"])
async def test_only_http_is_spoken(attempts: Attempts, uri: str) -> None:
    assert "is not a URI" in await attempts.failure("http.Request", uri=uri)


async def test_download_keeps_a_file(attempts: Attempts, server: str) -> None:
    # when
    large = await attempts.outputs("http.Download", uri=f"{server}/files/a%20b.bin?x=1")
    named = await attempts.outputs("http.Download", uri=f"{server}/named")
    # then
    assert (large["code"], large["length"]) == (200, 1_000_000)
    assert large["uri"].endswith("/tasks/t/r/a%20b.bin")
    assert attempts.host.files.size(large["uri"]) == 1_000_000
    assert named["uri"].endswith("/tasks/t/r/re%20port.csv")
    assert attempts.text(named["uri"]) == "a,b"


async def test_a_download_is_whole_and_not_empty(attempts: Attempts, server: str) -> None:
    assert "5 of 10 bytes" in await attempts.failure("http.Download", uri=f"{server}/short")
    assert "no content" in await attempts.failure("http.Download", uri=f"{server}/empty")
    empty = await attempts.outputs(
        "http.Download", uri=f"{server}/empty", failOnEmptyResponse=False
    )
    assert empty["length"] == 0


def test_expressions_ask_a_server(attempts: Attempts, server: str) -> None:
    # given
    host = Host(functions=attempts.host.functions())
    # then
    template = "{{ http(u ~ '/echo', method='PUT', body={'a': [1, 'é']}).body }}"
    assert expressions().render(template, {"u": server}, host) == '{"a":[1,"é"]}'
    template = (
        "{{ http(u ~ '/echo', method='POST', body='x', query={'a': 'b c', 'd': true}).path }}"
    )
    assert expressions().render(template, {"u": server}, host) == "/echo?a=b+c&d=true"
    template = (
        "{{ http(u ~ '/echo', method='POST', body='x', headers={'X-D': true}).headers['x-d'] }}"
    )
    assert expressions().render(template, {"u": server}, host) == "true"
    assert expressions().render("{{ http(u ~ '/latin1') }}", {"u": server}, host) == "é"
    with pytest.raises(ExpressionError, match="failed with the code 404"):
        expressions().render("{{ http(u ~ '/code/404') }}", {"u": server}, host)


def test_http_takes_no_answer_that_needs_much_more_memory_than_its_text(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_function, "_MAX_VALUES", 5)
    with pytest.raises(TaskFailure, match="more than 5 values; let a task ask"):
        http_function.http(f"{server}/echo")
