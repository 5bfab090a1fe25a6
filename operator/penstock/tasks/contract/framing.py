"""How a result leaves a pod that can call nobody: one format for core and for script tasks.

The container's termination message begins with a header line

    penstock/1 FORM KIND BYTES LINES

KIND is `lines` (captured `::{…}::` lines of a script) or `result` (the JSON result of a core task).
FORM says where the payload of BYTES bytes is:

- `inline`: it follows in the termination message, which holds 4096 bytes; less where a pod has more
  than three containers, since a kubelet shares 12 KiB among all of them.
- `framed`: it stands between two marks at the very end of the container's log. The kubelet does not
  rotate the log of an ended container, so it is there however much was printed before.
- `oversized`: nowhere; it was larger than an output may be.
- `unfiltered`: only in the log as it is, because the image lacks the tools to set it apart.

Standard library only: this is imported in the pod and by the controller.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

MAX_INLINE_BYTES = 3584
INLINE_VARIABLE = "PENSTOCK_INLINE_BYTES"
"""Says how many bytes of a payload fit, where a pod has many containers."""
_ALL_MESSAGES_BYTES = 12 * 1024
_HEADER_BYTES = 64
MAX_BYTES = 1024 * 1024
"""What the outputs of one task may hold."""

BEGIN_MARK = "::penstock-result "
END_MARK = "::penstock-end::"
TOO_LARGE = "outputs are larger than 1 MiB"
LOST = "the outputs could not be read back from the end of the log"

Form = Literal["inline", "framed", "oversized", "unfiltered"]
Kind = Literal["lines", "result"]

_SHORT = 4
"""Characters of a message that are not worth to be told."""
_LOG_ENTRY_BYTES = 4096
_SLACK_LINES = 16
_UNFILTERED_LINES = 2000


@dataclass(frozen=True)
class Marker:
    """The header of a termination message."""

    form: Form
    kind: Kind
    bytes: int = 0
    lines: int = 0
    payload: str = ""
    """What follows the header."""

    @property
    def tail_lines(self) -> int | None:
        """How many entries of the log hold the payload; None where no log is wanted.

        A runtime splits a long line into entries of 4 to 16 KiB, and each counts.
        """
        if self.form == "framed":
            return self.lines + self.bytes // _LOG_ENTRY_BYTES + _SLACK_LINES
        return _UNFILTERED_LINES if self.form == "unfiltered" else None

    def payload_in(self, log: str) -> str | None:
        """The payload from the end of the log; None where it is not whole."""
        if self.form == "unfiltered":
            return log
        end = log.rfind(END_MARK)
        begin = log.rfind(f"{BEGIN_MARK}{self.bytes}::\n", 0, max(end, 0))
        if begin < 0:
            return None
        payload = log[log.index("\n", begin) + 1 : end]
        whole = len(payload.encode("utf-8", "surrogateescape")) == self.bytes
        return payload if whole or "\ufffd" in payload else None


def parse_marker(message: str | None) -> Marker | None:
    """Read a termination message; None where it is not one of ours."""
    header, _, payload = (message or "").partition("\n")
    words = header.split(" ")
    if len(words) != 5 or words[0] != "penstock/1":
        return None
    _, form, kind, size, lines = words
    if form not in get_args(Form) or kind not in get_args(Kind):
        return None
    if not (size.isascii() and size.isdigit() and lines.isascii() and lines.isdigit()):
        return None
    return Marker(form, kind, int(size[:12]), int(lines[:12]), payload)  # type: ignore[arg-type]


def header(form: Form, kind: Kind, size: int = 0, lines: int = 0) -> str:
    """The header line, with its line end."""
    return f"penstock/1 {form} {kind} {size} {lines}\n"


@dataclass(frozen=True)
class Result:
    """What a core task gives back."""

    outputs: dict[str, Any] | None = None
    message: str | None = None
    """Why it failed."""
    effects: Sequence[Any] = field(default_factory=tuple)
    """What it wants changed in the world, such as key-value pairs (see
    `penstock.tasks.contract.kv_effects`)."""
    metrics: Sequence[Any] = field(default_factory=tuple)
    """The numbers that it publishes: `{"type", "name", "value", "tags"}`."""


def inline_bytes(containers: int) -> int:
    """How many bytes of a payload fit a message in a pod of that many containers."""
    share = _ALL_MESSAGES_BYTES // max(containers, 1) - _HEADER_BYTES
    return max(0, min(MAX_INLINE_BYTES, share))


def inline_bytes_here(environment: Mapping[str, str] = os.environ) -> int:
    """How many bytes of a payload fit the message of the container in which this runs."""
    return int(environment.get(INLINE_VARIABLE, MAX_INLINE_BYTES))


def encode_result(result: Result, inline: int = MAX_INLINE_BYTES) -> tuple[str, str]:
    """The termination message, and what to print at the end of stdout."""
    values: dict[str, Any] = {"outputs": result.outputs, "message": result.message}
    values |= {"effects": list(result.effects)} if result.effects else {}
    values |= {"metrics": list(result.metrics)} if result.metrics else {}
    payload = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
    size = len(payload.encode("utf-8", "replace"))
    if size <= inline:
        return header("inline", "result", size, 1) + payload, ""
    if size > MAX_BYTES:
        return header("oversized", "result", size, 1), ""
    return (
        header("framed", "result", size, 1),
        f"\n{BEGIN_MARK}{size}::\n{payload}{END_MARK}\n",
    )


def failed_message(message: str) -> str:
    """A whole termination message; cut to what one holds."""
    inline = inline_bytes_here()
    while True:
        made, block = encode_result(Result(message=message), inline)
        if not block and not made.startswith("penstock/1 oversized"):
            return made
        if len(message) < _SHORT:
            return header("inline", "result")
        message = f"{message[: min(len(message) * 3 // 4, inline)]}…"


def decode_result(payload: str) -> Result | None:
    """Read what :func:`encode_result` wrote; None where it is damaged."""
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    outputs, message = values.get("outputs"), values.get("message")
    return Result(
        outputs if isinstance(outputs, dict) else None,
        message if isinstance(message, str) else None,
        _list(values.get("effects")),
        _list(values.get("metrics")),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
