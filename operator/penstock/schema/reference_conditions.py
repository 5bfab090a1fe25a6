"""The page on conditions: which each resource has, what its reasons say and what a person can do,
made from the tables through which the controller writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from penstock.resources.conditions import OWNERS, OwnedCondition, Owner, Polarity
from penstock.resources.reasons import (
    TRIED_AGAIN,
    WAITS_FOR_A_PERSON,
    WAITS_THAT_PASS,
    Health,
    Reason,
)
from penstock.schema.reference_pages import CONDITIONS_PAGE, page, relative

_GOOD = {Polarity.GOOD: "True", Polarity.BAD: "absent"}
_HEALTH = {
    Health.HEALTHY: "it is as it should be",
    Health.PROGRESSING: "it goes on by itself",
    Health.DEGRADED: "it is not as it should be, and is looked at again at its next interval",
    Health.RETRIED: "something is in the way, and is tried again",
    Health.BLOCKED: "something is in the way that a person has to mend",
    Health.STALLED: "it is over, or refused: only a person changes that",
}


def conditions_page() -> str:
    """The text of the page."""
    operations = relative(CONDITIONS_PAGE, "docs/operations.md")
    lines = [
        "Conditions follow kstatus, so that `kubectl wait`, Flux and Argo CD understand them:",
        "`Ready` is always there, and bad news only while it is true. A reason is one word for",
        "why, and the message says more. Each reason means one *health*, and each health has its",
        "own set of conditions.",
        "",
    ]
    for owner in OWNERS.values():
        lines += [f"## {owner.kind}", "", *_owned(owner), ""]
    lines += [
        "## When something is in the way",
        "",
        "These stand in the conditions of a Flow, an Execution or a GitSource, beside the reasons",
        f"above. While it is tried again, the reason of `Reconciling` is `{TRIED_AGAIN}`, and",
        "that of `Ready` is one of these. How often it is tried stands in",
        f"[operations]({operations}#when-something-is-in-the-way).",
        "",
        *_reasons((*WAITS_THAT_PASS, *WAITS_FOR_A_PERSON)),
    ]
    return page("Conditions", lines)


def _owned(owner: Owner) -> Iterator[str]:
    if not owner.owned:
        yield f"A {owner.kind} has no status: what is wrong with one is told as an Event."
        return
    yield from ("| type | good is | True says |", "|---|---|---|")
    for owned in owner.owned:
        yield f"| `{owned.type}` | {_GOOD[owned.polarity]} | {owned.says} |"
    moved = [owned for owned in owner.owned if Health.HEALTHY in owned.in_health]
    yield ""
    yield "| health | " + " | ".join(f"`{owned.type}`" for owned in moved) + " |"
    yield "|---|" + "---|" * len(moved)
    known = {reason.health for reason in owner.reasons.values()} | {Health.RETRIED, Health.BLOCKED}
    for health, says in _HEALTH.items():
        if health in known:
            yield (
                f"| *{health.value}*: {says} | "
                + " | ".join(_status(owned, health) for owned in moved)
                + " |"
            )
    yield ""
    yield from _reasons(owner.reasons.values())


def _status(owned: OwnedCondition, health: Health) -> str:
    if health not in owned.in_health:
        return "as before"
    return owned.in_health[health] or ""


def _reasons(reasons: Iterable[Reason]) -> Iterator[str]:
    yield from ("| reason | health | what it says | what to do |", "|---|---|---|---|")
    for reason in reasons:
        yield f"| `{reason.word}` | *{reason.health.value}* | {reason.says} | {reason.remedy} |"
