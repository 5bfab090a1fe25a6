"""`make bench-hostile`: run the attacks, print the table, write `build/bench-hostile.json`.

python -m e2e.bench.hostile [-k WORD] [--seconds 20] [--minutes 12]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.attacks import expressions, gateway, many, servers, storage
from e2e.bench.hostile.ground import SYSTEM_NAMESPACE, Ground, gateway_of
from e2e.bench.hostile.restarts import restarts_between, restarts_by_pod
from e2e.bench.hostile.victim import Greeting, Victim
from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.gitserver import GitServer, Repository, create_repository

RESULT = Path("build/bench-hostile.json")
ATTACKS: tuple[type[Attack], ...] = (
    *many.ATTACKS,
    *expressions.ATTACKS,
    *servers.ATTACKS,
    *storage.ATTACKS,
    *gateway.ATTACKS,
)
GOAL = 3.0
"""Seconds that a hello-world may take at most, whatever goes on elsewhere."""
_QUIET = 6.0
"""Seconds for which the victim is measured undisturbed."""
_RECOVERY = 30.0
"""Seconds after which the victim should be served as before."""
_KINDS = ("gitsources", "executions", "flows", "keyvalues")


@dataclass
class Row:
    """What became of the victim during one attack."""

    attack: str
    does: str
    undisturbed: list[Greeting]
    during: list[Greeting]
    restarts: dict[str, int]
    served_again: bool
    refused: list[str] = field(default_factory=list)
    """What the API server refused to the attacker: the first ones."""
    error: str | None = None
    """Why the attack could not be made as it is meant."""

    @property
    def slowest(self) -> Greeting:
        """The one without an end, the one that failed, or the one that took longest."""
        return max(
            self.during,
            key=lambda each: (each.state is None, each.state != "SUCCESS", each.seconds),
        )

    @property
    def holds(self) -> bool:
        """Whether the others were served as they should."""
        worst = self.slowest
        fast = worst.state == "SUCCESS" and max(each.seconds for each in self.during) <= GOAL
        return fast and not self.restarts and self.served_again and self.error is None


def selected(words: str | None) -> tuple[type[Attack], ...]:
    """The attacks whose names have one of some words in them, divided by commas; all without."""
    asked = (words or "").split(",")
    return tuple(attack for attack in ATTACKS if any(word in attack.name for word in asked))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench-hostile", description=__doc__)
    parser.add_argument(
        "-k", metavar="WORD", help="only attacks with one of these words, by commas"
    )
    parser.add_argument("--seconds", type=float, default=20, help="how long each one is measured")
    parser.add_argument("--minutes", type=float, default=12, help="after which no other begins")
    asked = parser.parse_args(arguments)
    end = time.monotonic() + asked.minutes * 60
    rows: list[Row] = []
    left: list[str] = []
    try:
        with _arena() as arena:
            for attack in selected(asked.k):
                if time.monotonic() > end:
                    left.append(attack.name)
                    continue
                rows.append(arena.measure(attack(), asked.seconds))
                _show_progress(rows[-1])
    finally:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps([as_json(row) for row in rows], indent=1) + "\n")
    show(rows, left)
    return 0


@dataclass
class Arena:
    """The cluster, the victim, and what attackers need beside it."""

    kubernetes: Kubernetes
    victim: Victim
    git: GitServer
    folder: Path
    host: str
    undisturbed: dict[str, list[Greeting]] = field(default_factory=dict)
    """How the victim is served when nothing goes on, by the flow."""

    def measure(self, attack: Attack, seconds: float) -> Row:
        """Let an attack go on for a while, and measure the victim before and meanwhile."""
        name = f"hostile-{attack.name}-{uuid4().hex[:4]}"
        self.kubernetes.core.create_namespace({"metadata": {"name": name}})
        ground = Ground(self.kubernetes, name, self.folder, self.git, self.host)
        over = threading.Event()
        errors: list[str] = []
        if attack.greeting not in self.undisturbed:
            self.undisturbed[attack.greeting] = self.victim.greetings(attack.greeting, _QUIET)
        undisturbed = self.undisturbed[attack.greeting]
        row = Row(attack.name, attack.does, undisturbed, [], {}, True, ground.refused)
        try:
            attack.prepare(ground)
            before = self._restarts()
            work = threading.Thread(target=_begin, args=(attack, ground, over, errors), daemon=True)
            work.start()
            row.during += self.victim.greetings(attack.greeting, seconds)
            row.restarts = restarts_between(before, self._restarts())
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}"[:300])
        finally:
            over.set()
            self._clean(attack, ground)
        _forgive(row.restarts, "penstock", attack.new_controllers)
        row.served_again = self.victim.is_served_again(_RECOVERY)
        row.error = errors[0] if errors else None
        return row

    def _restarts(self) -> dict[tuple[str, str], int]:
        return restarts_by_pod(self.kubernetes.pods(SYSTEM_NAMESPACE))

    def _clean(self, attack: Attack, ground: Ground) -> None:
        """Delete what the attacker has: first what makes more."""
        attack.end(ground)
        for kind in _KINDS:
            self.kubernetes.delete_all(kind, ground.namespace)
        self.kubernetes.core.delete_namespace(ground.namespace)


def _begin(attack: Attack, ground: Ground, over: threading.Event, errors: list[str]) -> None:
    try:
        attack.begin(ground, over)
    except Exception as error:
        if not over.is_set():
            errors.append(f"{type(error).__name__}: {error}"[:300])


def _forgive(restarts: dict[str, int], part: str, count: int) -> None:
    """Leave out what the attack itself began anew."""
    if part in restarts:
        restarts[part] -= count
        if restarts[part] <= 0:
            del restarts[part]


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:
        """Drop a message of the log."""


@contextmanager
def _arena() -> Iterator[Arena]:
    kubernetes = Kubernetes()
    host = address_for_pods(kubernetes)
    server = ThreadingHTTPServer((host, 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = f"hostile-victim-{uuid4().hex[:4]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubernetes.core.create_namespace({"metadata": {"name": name, "labels": labels}})
    try:
        with (
            tempfile.TemporaryDirectory(prefix="penstock-hostile-") as folder,
            GitServer(Path(folder), host=host) as git,
        ):
            create_repository(Path(folder), name)
            with Repository(git.clone_url(name)) as repository:
                repository.commit({"README": "nothing"})
            url = f"http://{host}:{server.server_port}/"
            victim = Victim(kubernetes, name, url, git.clone_url(name), gateway_of(kubernetes))
            victim.prepare()
            yield Arena(kubernetes, victim, git, Path(folder), host)
    finally:
        kubernetes.core.delete_namespace(name)
        server.shutdown()


def as_json(row: Row) -> dict[str, Any]:
    """A row for the file, with the figures that the table has."""
    seconds = [each.seconds for each in row.during]
    return {
        **asdict(row),
        "p50": round(statistics.median(seconds), 2) if seconds else None,
        "max": round(max(seconds), 2) if seconds else None,
        "holds": bool(row.during) and row.holds,
        "refused": row.refused[:5],
    }


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table."""
    before = statistics.median(each.seconds for each in row.undisturbed)
    restarts = ", ".join(f"{part} {count}" for part, count in row.restarts.items()) or "0"
    middle = statistics.median(each.seconds for each in row.during) if row.during else 0.0
    worst = str(row.slowest) if row.during else "not measured"
    notes = [
        *([f"the attack failed: {row.error}"] if row.error else []),
        *([f"refused: {row.refused[0]}"] if row.refused else []),
        *([] if row.served_again else [f"not served {_RECOVERY:.0f} s later"]),
    ]
    return (
        f"{row.attack}: {row.does}",
        f"{before:.1f}",
        f"{middle:.1f}",
        worst,
        restarts,
        "yes" if row.during and row.holds else "NO",
        "; ".join(notes)[:120],
    )


def show(rows: Sequence[Row], left: Sequence[str]) -> None:
    console = Console()
    table = Table(
        "attack", "undisturbed", "p50", "max", "restarts", f"≤ {GOAL:g} s, 0 restarts", "notes"
    )
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    if left:
        console.print(f"not measured, since the time was up: {', '.join(left)}")
    console.print(f"all times are in {RESULT}")


def _show_progress(row: Row) -> None:
    print(" | ".join(cells(row)), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
