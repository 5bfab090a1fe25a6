"""What a script says: by its exit code, and by `::{…}::` lines that give values back.

Such a line, `::{"outputs": {…}, "metrics": […]}::`, may stand on stdout or on stderr, with other
text around it. Later outputs are merged over earlier ones, key by key; metrics are added up. A line
that is not JSON never fails a task: it is told of.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from penstock.tasks.contract.metrics import read_metric
from penstock.tasks.contract.services import Metric

_OPEN, _CLOSE = "::{", "::"
_SHOWN = 120
_MAX_METRICS = 10_000

ONLY_LOGS = r'^::{"logs": *\[{[^{}]*}\(, *{[^{}]*}\)*\]}::$'
"""A line that gives messages for the log and no values, as Kestra's packages print it; a pattern of
`grep`. A script may print any number of them."""
_ONLY_LOGS = re.compile(r'::\{"logs": *\[\{[^{}]*\}(, *\{[^{}]*\})*\]\}::\n?')


_SHELLS_WORDS = {126: "the command can't be run", 127: "the command was not found"}


@dataclass
class Captured:
    """What the lines of one attempt say together."""

    vars: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    """What was published, in the order in which it was printed."""
    notes: list[str] = field(default_factory=list)
    """What was ignored, for the person who wrote the script."""

    def add(self, line: str) -> None:
        """Take in one line of output."""
        at = line.find(_OPEN)
        while at >= 0:
            after = self._add_at(line, at)
            at = line.find(_OPEN, after)

    def add_all(self, lines: Iterable[str]) -> Captured:
        for line in lines:
            self.add(line)
        return self

    def _add_at(self, line: str, at: int) -> int:
        try:
            value, end = _DECODER.raw_decode(line, at + len(_CLOSE))
            closed = line.startswith(_CLOSE, end)
            outputs = value.get("outputs", {})
            json.dumps(outputs, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except (ValueError, RecursionError):
            closed, end, outputs = False, at + len(_OPEN), None
        if closed and isinstance(outputs, dict):
            self.vars.update(outputs)
            self._add_metrics(value.get("metrics"))
            return end
        if "}::" in line[at:]:
            self._note(line[at:])
            return len(line)
        return end

    def _add_metrics(self, given: object) -> None:
        """Take in the metrics of a line; one that is none is told of, and fails nothing."""
        if given is not None and not isinstance(given, list):
            self._tell("ignored `metrics` that are not a list")
            return
        for item in given or ():
            try:
                self.metrics.append(read_metric(item))
            except ValueError as error:
                self._tell(f"ignored a metric: {error}: {_short(json.dumps(item))}")
        if len(self.metrics) > _MAX_METRICS:
            self._tell(f"ignored metrics beyond {_MAX_METRICS}")
            del self.metrics[_MAX_METRICS:]

    def _note(self, text: str) -> None:
        self._tell(f"ignored a malformed ::{{…}}:: line: {_short(text.strip())}")

    def _tell(self, note: str) -> None:
        if len(self.notes) < 3 and note not in self.notes:
            self.notes.append(note)


def exit_words(code: int) -> str:
    """An exit code, with what it stands for."""
    if code in _SHELLS_WORDS:
        return f"exit code {code} ({_SHELLS_WORDS[code]})"
    try:
        name = f" ({signal.Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        name = ""
    return f"exit code {code}{name}"


def is_candidate(line: str) -> bool:
    """Whether a line may hold values; the same rule as the filter in a script's pod."""
    at = line.find(_OPEN)
    if at < 0 or _ONLY_LOGS.fullmatch(line):
        return False
    return at == 0 or line.find("}::", at) >= 0


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
