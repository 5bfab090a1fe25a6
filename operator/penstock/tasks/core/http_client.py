"""A small HTTP client on the standard library: redirects, proxy, authentication, timeouts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import BinaryIO
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_options import HttpOptions, basic

_MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_OF_BODY = frozenset({"content-type", "content-length"})
_OF_ORIGIN = frozenset({"authorization", "cookie"})
_UNQUOTED = "%/:=&?~#+!$,;'@()*[]"

Connect = Callable[..., socket.socket]
"""Opens a connection, as ``socket.create_connection`` does. Raises TaskFailure for a server that
may not be asked."""


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request."""

    method: str
    uri: str
    headers: Mapping[str, str]
    body: BinaryIO | None = None
    """The body, which can be read again from its start; None for no body."""
    length: int = 0
    """The number of the body's bytes."""


@dataclass(frozen=True)
class Answer:
    """An HTTP response. Its body is read from the stream while the block is open."""

    code: int
    headers: Mapping[str, list[str]]
    stream: HTTPResponse

    def header(self, name: str) -> str | None:
        """The first value of a header, however it is spelt."""
        lowered = name.lower()
        found = (values[0] for key, values in self.headers.items() if key.lower() == lowered)
        return next(found, None)


@contextmanager
def send(
    request: HttpRequest, options: HttpOptions, connect: Connect = socket.create_connection
) -> Iterator[Answer]:
    """Send a request, and follow redirects. Raises :class:`TaskFailure`."""
    if (authorization := options.authorization) is not None:
        request = replace(request, headers={**request.headers, "Authorization": authorization})
    try:
        with _followed(request, options, connect) as answer:
            yield answer
    except (OSError, HTTPException, UnicodeError) as error:
        told = str(error) or type(error).__name__
        raise TaskFailure(f"{request.method} {request.uri} failed: {told}") from None


@contextmanager
def _followed(request: HttpRequest, options: HttpOptions, connect: Connect) -> Iterator[Answer]:
    for _ in range(_MAX_REDIRECTS + 1):
        connection = _connect(request, options)
        try:
            # Of each server on the way, before there is a connection to it.
            connection._create_connection = connect  # type: ignore[attr-defined]
            connection.connect()
            response = _exchange(connection, request, options)
            target = response.getheader("Location")
            if response.status in _REDIRECTS and target and options.follow_redirects:
                request = _redirected(request, response.status, target)
                continue
            headers: dict[str, list[str]] = {}
            for name, value in response.getheaders():
                headers.setdefault(name, []).append(value)
            yield Answer(response.status, headers, response)
            return
        finally:
            connection.close()
    raise TaskFailure(f"{request.method} {request.uri}: more than {_MAX_REDIRECTS} redirects")


def _connect(request: HttpRequest, options: HttpOptions) -> HTTPConnection:
    url = _parsed(request.uri)
    proxy = options.through
    host, port = (proxy.address, proxy.port) if proxy else (url.hostname, url.port)
    assert host is not None
    if url.scheme == "http":
        return HTTPConnection(host, port, timeout=options.connect_seconds)
    context = ssl.create_default_context()
    if options.ssl is not None and options.ssl.insecure_trust_all_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    connection = HTTPSConnection(host, port, timeout=options.connect_seconds, context=context)
    if proxy is not None:
        authorization = basic(proxy.username, proxy.password)
        headers = {"Proxy-Authorization": authorization} if authorization else {}
        connection.set_tunnel(url.hostname or "", url.port or 443, headers)
    return connection


def _exchange(
    connection: HTTPConnection, request: HttpRequest, options: HttpOptions
) -> HTTPResponse:
    url = _parsed(request.uri)
    proxy = options.through
    target = quote(url.path or "/", safe=_UNQUOTED)
    if url.query:
        target += "?" + quote(url.query, safe=_UNQUOTED)
    headers = dict(request.headers)
    if proxy is not None and url.scheme == "http":
        target = f"http://{url.netloc.rpartition('@')[2]}{target}"
        authorization = basic(proxy.username, proxy.password)
        headers |= {"Proxy-Authorization": authorization} if authorization else {}
    # `Host` names the server, even where the connection is to the proxy.
    headers.setdefault("Host", url.netloc.rpartition("@")[2])
    if request.body is not None:
        headers["Content-Length"] = str(request.length)
        request.body.seek(0)
    connection.sock.settimeout(options.read_seconds)
    connection.request(request.method, target, body=request.body, headers=headers)
    return connection.getresponse()


def _redirected(request: HttpRequest, code: int, target: str) -> HttpRequest:
    """The request that follows a redirect. Another server gets neither the credentials nor the
    cookies."""
    uri = urljoin(request.uri, target)
    headers = dict(request.headers)
    dropped = {"host"}
    if _origin(_parsed(uri)) != _origin(_parsed(request.uri)):
        dropped |= _OF_ORIGIN
    method, body = request.method, request.body
    if code not in _KEEP_METHOD and method not in ("GET", "HEAD"):
        method, body = "GET", None
        dropped |= _OF_BODY
    kept = {name: value for name, value in headers.items() if name.lower() not in dropped}
    return HttpRequest(method, uri, kept, body, request.length)


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _parsed(uri: str) -> SplitResult:
    try:
        url = urlsplit(uri)
        _ = url.port
    except ValueError:
        raise TaskFailure(f"`{uri}` is not a URI") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise TaskFailure(f"`{uri}` is not a URI of HTTP: it begins with http:// or https://")
    return url
