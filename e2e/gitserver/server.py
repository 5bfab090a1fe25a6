"""HTTP around ``git http-backend``, Git's own CGI program for the smart protocol.

``GET /healthz`` answers ``ok`` for probes; all else is handed to the CGI. Bodies are streamed in
both directions at once: a push may be chunked and larger than the memory, and a fetch begins
before the request ended.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import io
import os
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, cast
from urllib.parse import unquote

_CHUNK = 64 * 1024


class GitServer:
    """A running server; a context manager. Threads serve, the caller's thread is free.

    ``protocol_v2=False`` makes it a server of the old kind, which hands out the tips of refs
    alone. ``requests`` are the last ones, as ``METHOD /path?query``.
    """

    def __init__(
        self,
        root: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        auth: str | None = None,
        protocol_v2: bool = True,
    ) -> None:
        self.root = root.resolve()
        self.auth = auth
        self.protocol_v2 = protocol_v2
        self.requests: deque[str] = deque(maxlen=1000)
        self._server = _Server((host, port), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self._server.server_address[0]!s}:{self.port}"

    def clone_url(self, name: str) -> str:
        return f"{self.url}/{name}.git"

    def __enter__(self) -> GitServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # Keep-alive connections of clients would delay the end.
    request_queue_size = 64
    owner: GitServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, b"ok\n")
        else:
            self._git()

    def do_POST(self) -> None:
        self._git()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _git(self) -> None:
        owner = self.server.owner
        owner.requests.append(f"{self.command} {self.path}")
        if owner.auth is not None and not self._authorized(owner.auth):
            # The body is not read, so the connection cannot go on.
            self.close_connection = True
            self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
            return
        process = subprocess.Popen(
            ["git", "http-backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment(),
        )
        assert process.stdin
        assert process.stdout
        feeder = threading.Thread(target=self._feed, args=(process.stdin,), daemon=True)
        feeder.start()
        try:
            self._relay(cast(io.BufferedReader, process.stdout))
            feeder.join(timeout=60)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            process.kill()
        finally:
            process.stdout.close()
            process.wait()
            if feeder.is_alive():
                self.close_connection = True

    def _authorized(self, auth: str) -> bool:
        expected = "Basic " + base64.b64encode(auth.encode()).decode()
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), expected.encode())

    def _environment(self) -> dict[str, str]:
        owner = self.server.owner
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            # A volume of a cluster may belong to another user than this process.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROJECT_ROOT": str(owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_ACCEPT_ENCODING": self.headers.get("Accept-Encoding", ""),
        }
        # Without a length the program reads to the end of its input: the way for chunks.
        if length := self.headers.get("Content-Length"):
            environment["CONTENT_LENGTH"] = length
        if owner.protocol_v2 and (protocol := self.headers.get("Git-Protocol")):
            environment["GIT_PROTOCOL"] = environment["HTTP_GIT_PROTOCOL"] = protocol
        return environment

    def _body(self) -> Iterator[bytes]:
        """The request's body, without the framing of the transfer."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline(1024).split(b";")[0].strip() or b"0", 16):
                yield from self._exactly(size)
                self.rfile.readline(8)
            while self.rfile.readline(_CHUNK).strip():
                pass  # Trailers.
        else:
            yield from self._exactly(int(self.headers.get("Content-Length") or 0))

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size > 0:
            data = self.rfile.read(min(size, _CHUNK))
            if not data:
                raise ConnectionResetError("the client went away in the middle of its request")
            size -= len(data)
            yield data

    def _feed(self, stdin: IO[bytes]) -> None:
        """Give the body to git; what git does not want is read all the same, for keep-alive."""
        wanted = True
        try:
            for data in self._body():
                if wanted:
                    try:
                        stdin.write(data)
                    except BrokenPipeError:
                        wanted = False
        except (OSError, ValueError):
            self.close_connection = True
        finally:
            with contextlib.suppress(OSError):
                stdin.close()

    def _relay(self, stdout: io.BufferedReader) -> None:
        """Turn the CGI's answer into HTTP; its length is not known, so it goes in chunks."""
        headers = http.client.parse_headers(stdout)
        status = int(headers.get("Status", "200").split()[0])
        if not headers:
            self._answer(500, b"git http-backend gave no answer\n")
            return
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("status", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        chunked = self.request_version == "HTTP/1.1"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
        self.end_headers()
        while data := stdout.read1(_CHUNK):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
