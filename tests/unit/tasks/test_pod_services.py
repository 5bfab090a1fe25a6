"""Key-value tasks in a pod: they read what they were given, and say what they want changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from penstock.tasks.contract.framing import Result
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.pod.main import run
from penstock.tasks.pod.services import PodPairs
from penstock.tasks.registry.definitions import TASK_VARIABLE, container

CORE = "io.kestra.plugin.core"
ORIGIN = Origin("company.team", "f", "run-1", "t", "tr")


@dataclass
class Around:
    """A controller that knows some pairs."""

    pairs: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = ORIGIN
    asked: list[PairUse] = field(default_factory=list)

    def snapshot(self, use: PairUse) -> Mapping[str, Any]:
        self.asked.append(use)
        values = dict(self.pairs) if use.reads else {}
        return {"namespace": use.namespace, "values": values, "keys": list(self.pairs)}


def ran(around: Around, task_type: str, **properties: Any) -> tuple[int, Result]:
    made = container(f"{CORE}.{task_type}", properties, around)
    task: Mapping[str, Any] = json.loads(made.env[TASK_VARIABLE])
    assert (made.pairs,) == tuple(around.asked)
    return run(task)


def test_a_set_says_what_it_wants() -> None:
    code, result = ran(
        Around(), "kv.Set",
        key="k", value="5", kvType="NUMBER", ttl="PT1M", overwrite=False, kvDescription="why",
    )  # fmt: skip

    assert (code, result.outputs) == (0, None)
    assert result.effects == [
        {
            "kv": "set",
            "namespace": "company.team",
            "key": "k",
            "value": 5,
            "overwrite": False,
            "ttl": 60.0,
            "description": "why",
        }
    ]


def test_a_set_needs_no_value_and_asks_for_one_key_of_the_namespace_that_it_names() -> None:
    around = Around({"k": "old"})

    _, result = ran(around, "kv.Set", key="k", value=1, namespace="other")

    assert around.asked == [PairUse("other", "k", changes=True)]
    assert result.effects[0]["namespace"] == "other"


def test_a_failed_task_changes_nothing() -> None:
    code, result = ran(Around(), "kv.Set", key="k", value="x", kvType="NUMBER")

    assert code == 1
    assert result.message == "property `value`: `x` is not a NUMBER"
    assert not result.effects


@pytest.mark.parametrize("namespace", [None, "company.team"])
def test_a_get_reads_what_it_was_given(namespace: str | None) -> None:
    around = Around({"k": {"a": [1]}})

    assert ran(around, "kv.Get", key="k", namespace=namespace) == (
        0,
        Result({"value": {"a": [1]}}, effects=[]),
    )
    assert around.asked == [PairUse("company.team", "k", inherits=True, reads=True)]


def test_what_is_missing_is_told_as_locally() -> None:
    words = "The key 'x' does not exist in the namespace 'company.team'."

    assert ran(Around(), "kv.Get", key="x")[1].outputs == {"value": None}
    assert ran(Around(), "kv.Get", key="x", errorOnMissing=True) == (1, Result(message=words))
    assert ran(Around(), "kv.Delete", key="x", errorOnMissing=True) == (1, Result(message=words))


def test_keys_and_deletion() -> None:
    keys = Around({"b": 1, "ab": 2})

    assert ran(keys, "kv.GetKeys")[1].outputs == {"keys": ["ab", "b"]}
    assert keys.asked == [PairUse("company.team")]
    _, deleted = ran(Around({"b": 1}), "kv.Delete", key="b")
    assert deleted.outputs == {"deleted": True}
    assert deleted.effects == [{"kv": "delete", "namespace": "company.team", "key": "b"}]


def test_state_is_merged_by_whoever_applies_it() -> None:
    key = "f_states_tasks-states_s"

    _, result = ran(Around({key: {"a": 1}}), "state.Set", name="s", data={"b": 2})

    assert result.outputs == {"count": 2, "key": key}
    assert [(effect["kv"], effect["value"]) for effect in result.effects] == [("merge", {"b": 2})]


def test_a_task_reads_its_own_writes() -> None:
    pairs = PodPairs({"namespace": "n", "values": {"k": 1}, "keys": ["k"]})

    pairs.set("new", 2, timedelta(hours=1), overwrite=False)
    pairs.merge("new", {"a": 1})
    assert pairs.get("new") == {"a": 1}
    assert pairs.keys() == ["k", "new"]
    assert pairs.delete("k")
    assert not pairs.delete("k")
    with pytest.raises(KeyError):
        pairs.get("k")

    new, gone = pairs.effects
    assert new["value"] == {"a": 1}
    assert not new["overwrite"], "what was to be new still is"
    assert new["ttl"] == 3600
    assert gone["kv"] == "delete"


def test_a_task_that_knows_no_pairs_says_so() -> None:
    task = {"type": f"{CORE}.kv.Get", "properties": {"key": "k"}, "origin": vars(ORIGIN)}

    code, result = run(task)

    assert (code, "no key-value pairs" in (result.message or "")) == (1, True)
    with pytest.raises(TaskFailure):
        container(f"{CORE}.kv.Get", {"key": []}, Around())
