"""Downloads and uploads over connections that break."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from penstock.storage.errors import FileDamaged, StorageUnavailable
from penstock.tasks.remote import transfer
from penstock.tasks.remote.transfer import Download, Patience

CONTENT = os.urandom(2_000_000)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0.001)


class Flaky(BaseHTTPRequestHandler):
    """Sends so many bytes for each connection and breaks it off."""

    protocol_version = "HTTP/1.1"
    each = 300_000
    tags: Iterator[str] | None = None
    digest = hashlib.sha256(CONTENT).hexdigest()

    def do_GET(self) -> None:
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("ETag", next(self.tags) if self.tags else "same")
        self.send_header("X-Penstock-SHA256", self.digest)
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.each])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(**changed: object) -> Iterator[str]:
    handler = type("Served", (Flaky,), changed)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/file"
        server.shutdown()


def read(url: str) -> bytes:
    with io.BufferedReader(Download(lambda: url, "a"), 65536) as source:
        return source.read()


def test_a_download_goes_on_where_it_broke_off() -> None:
    with served() as url:
        assert read(url) == CONTENT


def test_a_download_that_brings_nothing_is_given_up() -> None:
    with served(each=0) as url, pytest.raises(StorageUnavailable, match="broke 10 times in a row"):
        read(url)


def test_a_file_that_was_replaced_between_is_not_sewn_together() -> None:
    tags = iter(["first", "second"])
    with served(tags=tags) as url, pytest.raises(FileDamaged, match="changed while it was read"):
        read(url)


def test_a_wrong_digest_is_told() -> None:
    with served(digest="0" * 64) as url, pytest.raises(FileDamaged, match="is damaged"):
        read(url)


def test_who_gives_urls_is_asked_once_for_each_connection() -> None:
    """Whoever gives URLs has a patience of its own, on top of which the download's does not
    come."""
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        raise StorageUnavailable("gone for good")

    with pytest.raises(StorageUnavailable, match="gone for good"):
        Download(ask, "a").read(1)
    assert len(asked) == 1


def test_attempts_that_take_long_are_given_up_sooner() -> None:
    # given
    patience = Patience("it can't be done", window=0.05)
    patience.after(OSError("first"))
    # when
    threading.Event().wait(0.06)
    # then
    with pytest.raises(StorageUnavailable, match="2 times in a row: second"):
        patience.after(OSError("second"))


def test_nobody_there_is_told() -> None:
    with served() as url:
        pass
    with pytest.raises(StorageUnavailable, match="`a` can't be read"):
        read(url)
