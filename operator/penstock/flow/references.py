"""Warnings for names that expressions read and that the flow does not have.

Kestra takes such a flow and fails the task that renders the expression, so each is a warning. What
is known only when the flow runs is left alone: computed keys, what a task's outputs hold, and what
is guarded by `??`, `default` or `is defined`. Expressions of triggers see another execution: they
are only warned of subtractions that can't be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice, takewhile
from typing import Any

from penstock.flow.flow_names import FlowNames, Path, names_of
from penstock.flow.model import did_you_mean
from penstock.flow.problems import Problem, shortened
from penstock.flow.rendered_texts import RenderedText, texts_of
from penstock.flow.types import TaskTypes


@dataclass(frozen=True)
class Reference:
    """A path that a template reads."""

    path: Path
    guarded: bool
    """Whether the template goes on where there is no such value."""


@dataclass(frozen=True)
class Difference:
    """`outputs.my-task.x`, which the language reads as `outputs.my` minus `task.x`."""

    first: Path
    others: tuple[Path, ...]
    """The path or whole number behind each dash; empty where there is neither."""


@dataclass(frozen=True)
class TemplateReads:
    """The variables that a template reads."""

    references: tuple[Reference, ...] = ()
    differences: tuple[Difference, ...] = ()
    bound: frozenset[str] = frozenset()
    """The names that the template itself binds."""


ReadTemplate = Callable[[str], TemplateReads]

_ROOTS = frozenset(
    {
        "flow", "execution", "inputs", "outputs", "vars", "labels", "tasks", "envs", "globals",
        "trigger", "schedule", "task", "taskrun", "parent", "parents", "siblings", "item",
        "workingDir", "outputDir", "namespace", "kestra", "error", "response",
    }
)  # fmt: skip
"""The variables that expressions of tasks and triggers may see, here or in Kestra."""
_FURTHER_ROOTS = frozenset({"workerTaskrun", "iteration", "loop", "count", "this", "outputFiles"})
"""What is known in some places only."""
_KINDS = {"inputs": "input", "outputs": "task", "vars": "variable", "tasks": "task"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_EXPRESSIONS = 5_000
_MOST_CHARACTERS = 256 * 1024
"""How much of a flow is read for advice: one that has more is left alone, since its guards may
stand anywhere in it."""
_MOST_TOLD = 10
"""Names of one text that are told."""
_LONGEST_MESSAGE = 1_000
_MOST_COMPARED = 200_000
"""Names with which the missing ones of a flow are compared, to find what was meant."""
_LONGEST_ROOT = 40
"""Characters of a name that may be a misspelt variable."""
_MOST_ZEROS = 9


class _Suggestions:
    """Suggests what a missing name was meant to be, as long as the comparison costs little."""

    def __init__(self) -> None:
        self._left = _MOST_COMPARED

    def of(self, name: str, known: Mapping[str, Any]) -> str:
        self._left -= len(known)
        return did_you_mean(name, known) if self._left >= 0 else ""


def unknown_references(
    document: Mapping[str, Any], types: TaskTypes, read: ReadTemplate
) -> Iterator[Problem]:
    """A warning for each text of a flow that reads a name which does not exist: one for a text."""
    found = list(texts_of(document, types))
    if _is_too_much(found):
        return
    texts = [(text, read(text.value)) for text in found]
    names = names_of(document, types)
    guarded = {
        reference.path[:2]
        for _, reads in texts
        for reference in reads.references
        if reference.guarded
    }
    suggestions = _Suggestions()
    for text, reads in texts:
        wrong = list(islice(_once(_wrong(text, reads, names, guarded, suggestions)), _MOST_TOLD))
        if wrong:
            message = shortened("; ".join(wrong), _LONGEST_MESSAGE) + text.of_task
            yield Problem(text.at, message, code="unknown_reference", warning=True)


def _is_too_much(texts: Iterable[RenderedText]) -> bool:
    values = [text.value for text in texts]
    expressions = sum(value.count("{{") + value.count("{%") for value in values)
    return expressions > _MOST_EXPRESSIONS or sum(map(len, values)) > _MOST_CHARACTERS


def _once(messages: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for message in messages:
        if message not in seen:
            seen.add(message)
            yield message


def _wrong(
    text: RenderedText,
    reads: TemplateReads,
    names: FlowNames,
    guarded: set[Path],
    suggestions: _Suggestions,
) -> Iterator[str]:
    dashed: set[Path] = set()
    known = FlowNames() if text.of_a_trigger else names
    for difference in reads.differences:
        message = _dashed_name(difference, known, reads.bound, suggestions)
        if message:
            dashed.add(difference.first)
            yield message
    for reference in reads.references:
        path = reference.path[:2]
        if path in guarded or reference.path in dashed or path[0] in reads.bound:
            continue
        if path[0] == "inputs" and path[1:] and path[1] in text.inputs:
            continue
        yield from _missing(path, known, suggestions)
        if not text.of_a_trigger:
            yield from _misspelt(path)


def _misspelt(path: Path) -> Iterator[str]:
    """The problem of a root variable that does not exist but is near one that does: `input.x`,
    `taskRun.value`.

    Any other name may be known to the task that reads it.
    """
    root = str(path[0])
    if not path[1:] or len(root) > _LONGEST_ROOT or root in _ROOTS | _FURTHER_ROOTS:
        return
    names = {name.lower(): name for name in _ROOTS}
    for near in get_close_matches(root.lower(), names, n=1, cutoff=0.8):
        yield (
            f"there is no variable `{root}` for `{_written(path)}`; did you mean `{names[near]}`?"
        )


def _missing(path: Path, names: FlowNames, suggestions: _Suggestions) -> Iterator[str]:
    """The problem of `inputs.x`, `outputs.x`, `tasks.x` or `vars.x` where the flow has no such
    name."""
    root, *keys = path
    kind = _KINDS.get(str(root))
    known = names.by_root.get(str(root))
    if not keys or kind is None or known is None or keys[0] in known:
        return
    name = str(keys[0])
    elsewhere = next((other for other in _KINDS if name in names.by_root.get(other, ())), None)
    hint = (
        f"; did you mean `{_written((elsewhere, name))}`?"
        if elsewhere
        else suggestions.of(name, known)
    )
    may_be_missing = f"; where it may be missing write `{_written(path)} ?? …`"
    yield f"the flow has no {kind} `{name}` for `{_written(path)}`{hint or may_be_missing}"


# --- Names with dashes ----------------------------------------------------------------------------


def _dashed_name(
    difference: Difference, names: FlowNames, bound: frozenset[str], suggestions: _Suggestions
) -> str | None:
    """What to write where a subtraction is meant as one name; None where it may be meant so."""
    *holder, last = difference.first
    values = _ROOTS | bound
    if not holder or not isinstance(last, str) or holder[0] not in values:
        return None
    known = names.level(tuple(holder)) if holder[0] not in bound else None
    found = _one_name(last, difference.others, known, values)
    if found is None:
        return None
    name, rest = found
    meant = _written((*holder, name, *rest))
    dashed = f"{_written(tuple(holder))}.{name}{_written(rest, begun=True)}"
    hint = suggestions.of(name, known) if known is not None and name not in known else ""
    return f"`{dashed}` is a subtraction; write a name with a dash as `{meant}`{hint}"


def _one_name(
    first: str, others: tuple[Path, ...], known: Mapping[str, Any] | None, values: frozenset[str]
) -> tuple[str, Path] | None:
    """The longest name with dashes that is meant, and the keys behind it.

    None where both sides of the first dash have values: it may be a subtraction.
    """
    existing = [found for found in _joined(first, others, known) if found[0] in (known or ())]
    if _has_value(others[0], values) and not (existing and first not in (known or ())):
        return None
    without_value = takewhile(lambda part: not _has_value(part, values), others)
    candidates = existing or list(_joined(first, without_value, known))
    return candidates[-1] if candidates else None


def _has_value(part: Path, values: frozenset[str]) -> bool:
    """Whether the part behind a dash is a number, or begins with a variable that exists."""
    return bool(part) and (part[0] in values or (isinstance(part[0], int) and len(part) == 1))


def _joined(
    first: str, others: Iterable[Path], known: Mapping[str, Any] | None
) -> Iterator[tuple[str, Path]]:
    """The names that the parts between dashes make, each with the keys that follow it."""
    name = first
    for part in others:
        if not part:
            return
        name = _numbered(name, part[0], known) if isinstance(part[0], int) else f"{name}-{part[0]}"
        yield name, part[1:]
        if len(part) > 1:
            return


def _numbered(name: str, number: int, known: Mapping[str, Any] | None) -> str:
    """A name that ends in a number, with as many zeros before it as the flow's own name has."""
    written = (f"{name}-{'0' * zeros}{number}" for zeros in range(_MOST_ZEROS + 1))
    return next((own for own in written if own in (known or ())), f"{name}-{number}")


def _written(path: Path, *, begun: bool = False) -> str:
    """A path as it is written in an expression."""
    text = ""
    for key in path:
        if isinstance(key, str) and _PLAIN.fullmatch(key):
            text += f".{key}" if text or begun else key
        else:
            text += f"[{key}]" if isinstance(key, int) else f"['{key}']"
    return text
