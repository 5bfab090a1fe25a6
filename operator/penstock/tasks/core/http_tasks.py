"""The tasks that ask a server over HTTP: `Request` for a text, `Download` for a file."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from penstock.tasks.contract.records import CHUNK_BYTES, making
from penstock.tasks.contract.services import Metric
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.contract.texts import Text, json_text
from penstock.tasks.core.http_body import body, plain_text
from penstock.tasks.core.http_client import Answer, Connect, HttpRequest, send
from penstock.tasks.core.http_options import HttpOptions, SslOptions

_MAX_TEXT = 10 * 1024 * 1024
_SHOWN = 500
_METHOD = re.compile(r"[A-Za-z]+")
_NOT_NAME = re.compile(r"[^\w.() -]+")


@dataclass(frozen=True, kw_only=True)
class _Http:
    uri: str
    """The URI to ask."""
    method: str = "GET"
    """The method."""
    body: Text | None = None
    """The text to send."""
    form_data: dict[str, Any] | None = None
    """A form to send: text, the URI of a file, or a map of `name` and `content`."""
    content_type: str | None = None
    """The content type of the request's body."""
    params: dict[str, Any] = field(default_factory=dict)
    """Parameters to put at the end of the URI."""
    headers: dict[str, Any] = field(default_factory=dict)
    """The headers to send."""
    options: HttpOptions = field(default_factory=HttpOptions)
    """Options of the client."""
    ssl_options: SslOptions | None = None
    """Deprecated: use `options.ssl`."""
    allow_failed: bool = False
    """Deprecated: use `options.allowFailed`."""

    @contextmanager
    def asked(self, context: Context) -> Iterator[Answer]:
        """Send the request and yield the response. Raises :class:`TaskFailure` for one that is no
        success."""
        with self._sent(context, socket.create_connection) as (request, options, answer):
            if not options.accepts(answer.code):
                shown = answer.stream.read(_SHOWN).decode("utf-8", "replace").strip()
                raise TaskFailure(
                    f"{request.method} {self.uri} failed with the code {answer.code}"
                    + (f": {shown}" if shown else "")
                )
            yield answer

    @contextmanager
    def asked_anyway(self, connect: Connect) -> Iterator[Answer]:
        """Send the request where there is no task and no file, and yield the response, whatever its
        code. Raises :class:`TaskFailure`."""
        with self._sent(None, connect) as (_, _, answer):
            yield answer

    @contextmanager
    def _sent(
        self, context: Context | None, connect: Connect
    ) -> Iterator[tuple[HttpRequest, HttpOptions, Answer]]:
        if _METHOD.fullmatch(self.method) is None:
            raise TaskFailure(f"property `method`: `{self.method}` is not a method")
        options = self.options
        if self.allow_failed:
            options = replace(options, allow_failed=True)
        if self.ssl_options is not None and options.ssl is None:
            options = replace(options, ssl=self.ssl_options)
        charset = options.default_charset
        with body(context, self.body, self.form_data, self.content_type, charset) as sent:
            file, length, content_type = sent
            request = HttpRequest(
                self.method.upper(), self._asked_uri(), self._headers(content_type), file, length
            )
            with send(request, options, connect) as answer:
                yield request, options, answer

    def _asked_uri(self) -> str:
        """The URI with the parameters; a list is a parameter that comes several times."""
        given = {name: parameter(value) for name, value in self.params.items()}
        given = {name: value for name, value in given.items() if value is not None}
        if not given:
            return self.uri
        uri, mark, fragment = self.uri.partition("#")
        joint = "&" if "?" in uri else "?"
        # A space becomes `%20`, so that a secret in the URI is found where messages are masked.
        text = urlencode(given, doseq=True, quote_via=quote)
        return f"{uri}{joint}{text}{mark}{fragment}"

    def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {name: value for name, value in self.headers.items() if value is not None}
        for name, value in headers.items():
            if isinstance(value, dict | list):
                raise TaskFailure(f"property `headers.{name}`: must be text")
        made = {"User-Agent": "penstock", "Accept": "*/*"}
        if content_type is not None:
            made["Content-Type"] = content_type
        given = {name.lower() for name in headers}
        if self.form_data is not None:
            given.discard("content-type")  # the flow's author can't know the boundary
            headers = {key: item for key, item in headers.items() if key.lower() in given}
        kept = {name: value for name, value in made.items() if name.lower() not in given}
        return kept | {name: plain_text(value) for name, value in headers.items()}


@dataclass(frozen=True, kw_only=True)
class Request(_Http):
    """Asks a server, and gives its response as text.

    ```yaml
    id: call
    type: io.kestra.plugin.core.http.Request
    uri: https://example.com/items
    method: POST
    contentType: application/json
    body: '{"name": "{{ inputs.name }}"}'
    ```
    """

    encrypt_body: bool = False
    """Refused: there is no key to encrypt with."""

    def run(self, context: Context) -> Mapping[str, Any]:
        if self.encrypt_body:
            raise TaskFailure("property `encryptBody`: encryption is not served yet")
        with self.asked(context) as answer:
            most = self.options.max_content_length or _MAX_TEXT
            content = bytearray()
            while chunk := answer.stream.read(min(CHUNK_BYTES, most + 1)):
                context.wait(0)
                content += chunk
                if len(content) > most:
                    raise TaskFailure(f"{self.uri}: the response is larger than {most} bytes")
        context.services.publish(Metric("counter", "response.length", len(content)))
        return {
            "uri": self.uri,
            "code": answer.code,
            "headers": answer.headers,
            "body": text_of(answer, bytes(content), self.options.default_charset),
        }


@dataclass(frozen=True, kw_only=True)
class Download(_Http):
    """Asks a server, and keeps its response as a file.

    ```yaml
    id: fetch
    type: io.kestra.plugin.core.http.Download
    uri: https://example.com/data.csv
    ```
    """

    fail_on_empty_response: bool = True
    """Whether a response without content fails the task."""

    def run(self, context: Context) -> Mapping[str, Any]:
        with self.asked(context) as answer, making(context, self._name(answer)) as made:
            length = 0
            most = self.options.max_content_length
            while chunk := answer.stream.read(CHUNK_BYTES):
                context.wait(0)
                made.file.write(chunk)
                length += len(chunk)
                if most is not None and length > most:
                    raise TaskFailure(f"{self.uri}: the response is larger than {most} bytes")
            self._check(answer, length)
        context.services.publish(Metric("counter", "response.length", length))
        return {
            "uri": made.uri,
            "code": answer.code,
            "length": length,
            "headers": answer.headers,
        }

    def _check(self, answer: Answer, length: int) -> None:
        announced = answer.header("Content-Length")
        is_whole = announced is None or not announced.isdigit() or int(announced) == length
        if not is_whole and self.method.upper() != "HEAD":
            raise TaskFailure(f"{self.uri}: {length} of {announced} bytes were received")
        if length == 0 and self.fail_on_empty_response:
            raise TaskFailure(f"{self.uri}: the response has no content")

    def _name(self, answer: Answer) -> str:
        """The name that the server gives the file, or else the last part of the URI's path."""
        message = Message()
        message["Content-Disposition"] = answer.header("Content-Disposition") or ""
        named = message.get_filename() or unquote(urlsplit(self.uri).path)
        last = named.replace("\\", "/").rstrip("/").rpartition("/")[2]
        return _NOT_NAME.sub("_", last)[-100:].strip(" .") or "download"


def parameter(value: Any) -> Any:
    """The text of a parameter, or the texts of one that comes several times."""
    if isinstance(value, list):
        return [parameter(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return json_text(value) if isinstance(value, dict) else value


def text_of(answer: Answer, content: bytes, default_charset: str) -> str:
    """The body of a response as text. Raises :class:`TaskFailure` where it is no text."""
    message = Message()
    message["Content-Type"] = answer.header("Content-Type") or ""
    charset = str(message.get_param("charset") or default_charset)
    try:
        return content.decode(charset)
    except (LookupError, UnicodeDecodeError):
        raise TaskFailure(
            f"the response is not text in {charset}; io.kestra.plugin.core.http.Download keeps "
            "it as a file"
        ) from None
