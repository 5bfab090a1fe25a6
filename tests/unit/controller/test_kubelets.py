"""A kubelet that does not answer is asked by one log at a time, each time a little later."""

from __future__ import annotations

from penstock.controller.logs.kubelets import Kubelets


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_kubelet_that_answers_may_be_asked_by_all() -> None:
    kubelets = Kubelets(Clock())
    assert [kubelets.turn("a") for _ in range(3)] == [0, 0, 0]


def test_one_at_a_time_asks_a_silent_kubelet() -> None:
    # given
    clock = Clock()
    kubelets = Kubelets(clock)
    kubelets.failed("a")
    # then
    assert kubelets.turn("a") == 2
    assert kubelets.turn("other") == 0
    # and when its time has come, one is let through
    clock.now += 2
    assert [kubelets.turn("a"), kubelets.turn("a")] == [0, 2]
    # and when that one fails, all wait for longer
    kubelets.failed("a")
    assert kubelets.turn("a") == 4
    # and when it answers, all may ask
    kubelets.answered("a")
    assert [kubelets.turn("a") for _ in range(3)] == [0, 0, 0]


def test_no_kubelet_is_left_alone_for_more_than_a_minute() -> None:
    kubelets = Kubelets(Clock())
    for _ in range(20):
        kubelets.failed("a")
    assert kubelets.turn("a") == 60
