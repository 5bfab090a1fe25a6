"""However much is wrong with a flow, what is told of it has a bound, and says what is left out."""

from __future__ import annotations

import pytest

from penstock.flow.problems import MAX_PROBLEMS, InvalidFlow, Problem, bounded, problems_text
from tests.fixtures.flows import document, parser


def problems(count: int, *, warning: bool = False) -> list[Problem]:
    return [Problem(("tasks", n), "wrong", line=n + 3, warning=warning) for n in range(count)]


def test_a_flow_with_many_mistakes_tells_the_first_and_how_many_more_there_are() -> None:
    # given
    flow = document("tasks:\n" + "- {id: t, type: Nope}\n" * 3000)
    # when
    with pytest.raises(InvalidFlow) as refused:
        parser().parse(flow)
    # then
    told = refused.value.problems
    assert len(told) == MAX_PROBLEMS
    assert [item.line for item in told] == sorted(item.line or 0 for item in told)
    last = told[-1]
    assert last.code == "more"
    assert str(last) == f"and {last.stands_for} more problems"
    assert last.stands_for >= 3000 - MAX_PROBLEMS
    assert last.line == (told[-2].line or 0) + 1


def test_a_valid_flow_with_many_warnings_does_so_too() -> None:
    # given: expressions that do not compile
    tasks = "".join(f"- {{id: t{n}, type: Log, message: '{{{{ ( }}}}'}}\n" for n in range(1200))
    # when
    warnings = parser().parse(document(f"tasks:\n{tasks}")).warnings
    # then
    assert len(warnings) == MAX_PROBLEMS
    assert str(warnings[-1]) == f"and {1200 - MAX_PROBLEMS + 1} more warnings"
    assert warnings[-1].warning


def test_what_is_bounded_twice_counts_all() -> None:
    once = bounded(problems(100), 20)
    assert str(bounded(once, 10)[-1]) == "and 91 more problems"
    assert bounded(problems(20), 20) == problems(20)


def test_one_line_of_problems_ends_with_their_number() -> None:
    assert problems_text(problems(2), 4000) == "tasks[0]: wrong; tasks[1]: wrong"
    text = problems_text(bounded(problems(500), 50), 200)
    assert len(text) <= 200
    shown = text.count("wrong")
    assert text.endswith(f"tasks[{shown - 1}]: wrong; and {500 - shown} more")


def test_a_problem_that_is_longer_than_the_line_is_cut() -> None:
    text = problems_text([Problem((), "x" * 5000), Problem((), "y")], 300)
    assert len(text) <= 300
    assert text.endswith("x…; and 1 more")
