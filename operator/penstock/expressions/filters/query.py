"""The ``jq`` filter.

jq cannot be interrupted inside this process, and its programs can loop or grow without end. So a
program whose cost is plain from its text and its input runs here; every other runs in a process
of its own with limits on time and memory, which is slower but can be ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from penstock.expressions.errors import ExpressionError, LimitError, shorten
from penstock.expressions.filters.jq_numbers import SLOWER, in_json, read_output, sums_exactly
from penstock.expressions.printing import to_json
from penstock.expressions.registry import register_filter
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import need_text

_MAX_PROGRAM = 10_000
_MAX_STEPS = 2_000_000
_WORKER = Path(__file__).with_name("jq_worker.py")
_TEXT = re.compile(r'"(?:[^"\\]|\\[^(])*"')
_WORD = re.compile(r"\.?\$?[A-Za-z_][A-Za-z0-9_]*(?::)?")
_ASSIGNS = re.compile(r"(?<![=!<>])=(?!=)")
_LARGE_NUMBER = re.compile(r"[0-9]{6}|[0-9][eE]")
# Builtins that reach outside, or speak to the process.
_REFUSED = frozenset(
    [
        "env",
        "input",
        "inputs",
        "debug",
        "stderr",
        "input_filename",
        "input_line_number",
        "import",
        "include",
        "halt",
        "halt_error",
        "modulemeta",
        "get_search_list",
        "$ENV",
        "$__prog_args",
    ]
)
# Builtins whose work is bounded by the size of their input.
_LINEAR = frozenset(
    [
        "map",
        "select",
        "keys",
        "keys_unsorted",
        "values",
        "length",
        "first",
        "last",
        "add",
        "any",
        "all",
        "not",
        "empty",
        "error",
        "type",
        "has",
        "in",
        "contains",
        "inside",
        "to_entries",
        "from_entries",
        "with_entries",
        "map_values",
        "sort",
        "sort_by",
        "group_by",
        "min",
        "max",
        "min_by",
        "max_by",
        "unique",
        "unique_by",
        "reverse",
        "tostring",
        "tonumber",
        "tojson",
        "fromjson",
        "ascii_downcase",
        "ascii_upcase",
        "startswith",
        "endswith",
        "ltrimstr",
        "rtrimstr",
        "split",
        "join",
        "index",
        "rindex",
        "indices",
        "nulls",
        "strings",
        "numbers",
        "booleans",
        "arrays",
        "objects",
        "iterables",
        "scalars",
        "floor",
        "ceil",
        "round",
        "sqrt",
        "abs",
        "if",
        "then",
        "else",
        "elif",
        "end",
        "and",
        "or",
        "true",
        "false",
        "null",
        "as",
        "del",
        "flatten",
        "explode",
        "implode",
        "utf8bytelength",
        "todate",
        "fromdate",
        "now",
        "date",
        "dateadd",
        "datesub",
        "mktime",
        "gmtime",
        "localtime",
        "strftime",
        "strptime",
        "todateiso8601",
        "fromdateiso8601",
        "isvalid",
        "splits",
        "ascii",
        "trim",
        "ltrim",
        "rtrim",
        "toarray",
        "try",
        "catch",
    ]
)


def _refuse(program: str) -> None:
    for word in _WORD.findall(_TEXT.sub('""', program)):
        if word in _REFUSED:
            raise ExpressionError(f"jq's `{word}` is not available here")


def _is_bounded(program: str, size: int) -> bool:
    """Whether the number of steps can be told from the text: no loops, few generators."""
    if "\\(" in program:
        return False
    text = _TEXT.sub('""', program)
    words = [word for word in _WORD.findall(text) if not word.startswith((".", "$"))]
    if any(word.rstrip(":") not in _LINEAR and not word.endswith(":") for word in words):
        return False
    if _ASSIGNS.search(text) or _LARGE_NUMBER.search(text):
        return False  # `.[100000000] = 1` makes a list of that length
    if "*" in text or ".." in text or "split" in words or "splits" in words:
        return False
    each = sum(words.count(word) for word in ("map", "any", "all", "with_entries", "map_values"))
    generators = text.count("[]") + each
    growth = 2 ** min(text.count(",") + text.count("+"), 30)
    steps: int = max(size, 2) ** min(generators, 12) * growth * max(len(words), 1)
    return steps <= _MAX_STEPS


@lru_cache(maxsize=200)
def _compiled(program: str, whole: str) -> Any:
    """The compiled ``whole``: the ``program``, which messages show, with something around it."""
    import jq

    try:
        jq.compile(program)
        return jq.compile(whole)
    except ValueError as error:
        raise ExpressionError(f"bad jq expression `{shorten(program)}`: {_first(error)}") from None


def _first(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


@register_filter("jq")
def jq_filter(run: Rendering, value: Any, expression: Any) -> list[Any]:
    """All outputs of a jq program, always as a list. Text is read as JSON first. Integers keep all
    their digits.

    {{ {'a': [1, 2]} | jq('.a[]') }} → [1,2]
    {{ outputs.measure | jq('.Oslo.value') | first }} → 4
    """
    program = need_text(expression, "expression")
    if len(program) > _MAX_PROGRAM:
        raise LimitError("the jq expression is too long")
    _refuse(program)
    text = value if isinstance(value, str) else to_json(value, run.budget, keep_nulls=True)
    if isinstance(value, str) and not _is_json(value):
        raise ExpressionError(f"jq needs JSON, not the text `{shorten(value, 50)}`")
    size = text.count(",") + text.count("[") + text.count("{") + 1
    if sums_exactly(program, text) and ("+" in program or "-" in program or "add" in program):
        size *= SLOWER
    run_it = _here if _is_bounded(program, size) else _apart
    outputs = run_it(run, program, text)
    run.budget.items(len(outputs))
    return outputs


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _here(run: Rendering, program: str, text: str) -> list[Any]:
    outputs: list[Any] = []
    try:
        for output in _compiled(program, in_json(program, text)).input_text(text):
            run.budget.check_time()
            outputs.append(read_output(output))
            if len(outputs) > run.budget.limits.items:
                run.budget.items(len(outputs))
    except ValueError as error:
        raise ExpressionError(f"jq `{shorten(program)}` failed: {_first(error)}") from None
    return outputs


def _apart(run: Rendering, program: str, text: str) -> list[Any]:
    """Run a program in a process of its own, which is ended when the time is over."""
    if not run.budget.may_wait:
        raise LimitError(f"jq `{shorten(program)}` needs a process of its own")
    request = json.dumps(
        {
            "program": program,
            "whole": in_json(program, text),
            "text": text,
            "outputs": run.budget.limits.items,
            "chars": run.budget.limits.output_chars,
            "seconds": run.budget.limits.seconds,
        }
    )
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_WORKER)],
            input=request.encode(),
            capture_output=True,
            timeout=run.budget.remaining(),
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LimitError(f"jq `{shorten(program)}` takes too long") from None
    if done.returncode != 0:
        raise LimitError(f"jq `{shorten(program)}` needs too much time or memory")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise ExpressionError(f"jq `{shorten(program)}` failed: {answer['error']}")
    return [read_output(output) for output in answer["outputs"]]
