"""The resources of the pod of several tasks: the most that one of them asks for, since they run in
turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubernetes.utils.quantity import format_quantity, parse_quantity

from penstock.kubernetes.pods.podspec import merged_resources
from penstock.tasks.contract.task import Resources

_BESIDE = parse_quantity("64Mi")
"""Memory for the container that moves files: it lives on the pod's."""


def pooled(wanted: Sequence[Resources], default: Resources) -> dict[str, dict[str, str]]:
    """The requests and limits of the pod's one lasting container. A limit holds for the pod as a
    whole, so there is none where one of the tasks has none.

    Raises ``ValueError`` for what is no quantity.
    """
    # Core tasks run in the pod too, and need the administrator's defaults.
    merged = [merged_resources(one, default) for one in (*wanted, Resources())]
    scripts = merged[:-1] or merged
    limits = [one.get("limits", {}) for one in scripts]
    made = {
        "requests": _most(one.get("requests", {}) for one in merged),
        "limits": {
            name: amount
            for name, amount in _most(limits).items()
            if all(name in one for one in limits)
        },
    }
    if "memory" in made["limits"]:
        made["limits"]["memory"] = format_quantity(
            parse_quantity(made["limits"]["memory"]) + _BESIDE, "Mi"
        )
    return {kind: amounts for kind, amounts in made.items() if amounts}


def _most(amounts: Iterable[dict[str, str]]) -> dict[str, str]:
    most: dict[str, str] = {}
    for one in amounts:
        for name, amount in one.items():
            if name not in most or parse_quantity(amount) > parse_quantity(most[name]):
                most[name] = amount
    return most
