"""The measurement of hostile tenants: what of it needs no cluster."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from e2e.bench.hostile.__main__ import ATTACKS, Arena, Row, as_json, cells, selected
from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.attacks import expressions, storage
from e2e.bench.hostile.ground import Ground
from e2e.bench.hostile.restarts import restarts_between, restarts_by_pod
from e2e.bench.hostile.victim import GREETINGS, Greeting, Victim
from e2e.fixtures.kubernetes import Kubernetes, Object
from e2e.gitserver import GitServer
from penstock.flow.loading import SourceDocument
from tests.fixtures.flows import parser


def pod(name: str, uid: str, restarts: int) -> Object:
    statuses = [{"restartCount": restarts}, {"restartCount": 0}]
    return {"metadata": {"name": name, "uid": uid}, "status": {"containerStatuses": statuses}}


class Cluster:
    """A cluster in which every execution succeeds at once, and the controller dies meanwhile."""

    def __init__(self) -> None:
        self.made: dict[str, Object] = {}
        self.deleted: list[str] = []
        self.restarts = 0
        self.core = SimpleNamespace(
            create_namespace=lambda body: None, delete_namespace=self.deleted.append
        )

    def create(self, plural: str, namespace: str, body: Object) -> None:
        self.made[body["metadata"]["name"]] = {**body, "status": {"state": "SUCCESS"}}

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        return self.made.get(name)

    def pods(self, namespace: str) -> list[Object]:
        self.restarts += 1
        return [pod("penstock-1", "a", self.restarts)]

    def delete_all(self, plural: str, namespace: str) -> None:
        self.deleted.append(f"{namespace}/{plural}")


class Fails(Attack):
    name = "fails"
    does = "nothing"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        raise ValueError("it can't")


def row(*during: Greeting, restarts: dict[str, int] | None = None) -> Row:
    return Row("a", "does", [Greeting(1.0, "SUCCESS")], list(during), restarts or {}, True)


@pytest.mark.parametrize(
    ("measured", "holds"),
    [
        (row(Greeting(1.0, "SUCCESS"), Greeting(2.9, "SUCCESS")), True),
        (row(Greeting(1.0, "SUCCESS"), Greeting(3.1, "SUCCESS")), False),
        (row(Greeting(1.0, "FAILED")), False),
        (row(Greeting(20.0, None)), False),
        (row(Greeting(1.0, "SUCCESS"), restarts={"penstock": 1}), False),
    ],
)
def test_others_are_served_where_all_are_fast_and_nothing_ended(measured: Row, holds: bool) -> None:
    assert measured.holds is holds
    assert ("yes" in cells(measured)) is holds
    assert as_json(measured)["holds"] is holds


def test_a_hello_world_without_an_end_is_the_slowest_one() -> None:
    measured = row(Greeting(20.0, "SUCCESS"), Greeting(5.0, None))

    assert cells(measured)[3] == "> 5"


def test_a_restart_is_told_of_the_part_that_ended() -> None:
    before = [pod("penstock-1", "a", 1), pod("penstock-git-1", "b", 0), pod("other-1", "c", 0)]
    after = [pod("penstock-1", "a", 3), pod("penstock-git-2", "d", 0), pod("other-1", "c", 9)]

    found = restarts_between(restarts_by_pod(before), restarts_by_pod(after))

    assert found == {"penstock": 2, "penstock-git": 1}


def test_attacks_are_chosen_by_words_of_their_names() -> None:
    assert selected(None) == ATTACKS
    assert {attack.name for attack in selected("h4,h7")} == {"h4a-100", "h4a-400", "h4b", "h7"}
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.greeting for attack in ATTACKS} == set(GREETINGS)


@pytest.mark.parametrize("program", [storage.SLOW_PUTS, storage.MANY_LISTS])
def test_the_programs_of_attackers_are_python(program: str) -> None:
    compile(program, "attack", "exec")


@pytest.mark.parametrize(
    "attack",
    [expressions.JqAllocates, expressions.YamlNests, expressions.AliasesGrow],
)
def test_a_flow_of_an_attacker_is_accepted(attack: type[expressions.FlowAttack]) -> None:
    spec = {"id": "evil", "namespace": "a.b", "tasks": [attack.task], "inputs": attack.inputs}

    assert parser().parse(SourceDocument(spec)).flow.id == "evil"


def test_an_attack_that_fails_is_told_and_cleaned_up(tmp_path: Path) -> None:
    # given
    cluster = Cluster()
    kubernetes = cast(Kubernetes, cluster)
    victim = Victim(kubernetes, "victim", "http://server/", "http://git/x.git")
    arena = Arena(kubernetes, victim, cast(GitServer, None), tmp_path, "host")
    arena.undisturbed["hello"] = [Greeting(0.1, "SUCCESS")]
    # when
    measured = arena.measure(Fails(), 0.1)
    # then
    assert measured.error == "ValueError: it can't"
    assert measured.restarts == {"penstock": 1}
    assert measured.during and all(each.state == "SUCCESS" for each in measured.during)
    assert not measured.holds
    (namespace,) = [name for name in cluster.deleted if "/" not in name]
    assert namespace.startswith("hostile-fails-")
    assert f"{namespace}/flows" in cluster.deleted
