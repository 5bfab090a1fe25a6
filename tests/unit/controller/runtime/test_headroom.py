"""While the controller is busy, a namespace that had more than its part waits for the others."""

from __future__ import annotations

import pytest

from penstock.controller.runtime.headroom import Headroom
from penstock.controller.runtime.queue import Key, ReadyKeys


class Machine:
    """A clock and a CPU that a test turns."""

    def __init__(self) -> None:
        self.time = 100.0
        self.cpu = 7.0
        self.headroom = Headroom(lambda: self.time, lambda: self.cpu)

    def passes(self, seconds: float, *, use: float) -> None:
        """Let time pass, of which a part is spent by the process."""
        self.time += seconds
        self.cpu += seconds * use

    def serves(self, **counts: int) -> None:
        """Serve so many keys of each namespace."""
        for namespace, count in counts.items():
            for _ in range(count):
                self.headroom.taken(namespace)


@pytest.mark.parametrize(
    ("use", "admitted"), [(0.1, True), (0.9, False)], ids=["with room", "busy"]
)
def test_who_had_more_than_the_others_waits_while_the_process_is_busy(
    use: float, admitted: bool
) -> None:
    # given
    machine = Machine()
    machine.serves(loud=50, quiet=1)
    # when
    machine.passes(0.2, use=use)
    # then
    assert machine.headroom.admits("loud") is admitted
    assert machine.headroom.admits("quiet")
    assert machine.headroom.admits("new")


def test_who_is_alone_never_waits() -> None:
    machine = Machine()
    machine.serves(loud=500)
    machine.passes(0.2, use=1.0)
    assert machine.headroom.admits("loud")


def test_who_was_served_long_ago_holds_nobody_up() -> None:
    # given
    machine = Machine()
    machine.serves(quiet=1)
    # when
    machine.passes(10.0, use=1.0)
    machine.serves(loud=50)
    machine.passes(0.2, use=1.0)
    # then
    assert machine.headroom.admits("loud")


def test_those_that_have_a_fair_part_each_go_on() -> None:
    machine = Machine()
    machine.serves(a=10, b=10, c=10)
    machine.passes(0.2, use=1.0)
    assert all(machine.headroom.admits(name) for name in "abc")


def test_a_key_of_one_that_may_not_go_on_keeps_its_place() -> None:
    # given
    ready = ReadyKeys()
    first, second = Key("Execution", "loud", "a"), Key("Execution", "quiet", "b")
    ready.add(first)
    ready.add(second)
    # then
    assert ready.take(lambda namespace: namespace == "quiet") == second
    assert ready.take(lambda namespace: False) is None
    assert len(ready) == 1
    assert ready.take() == first
