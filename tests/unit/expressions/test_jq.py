"""Numbers in jq: what it passes on keeps all digits, and sums of integers are exact."""

from __future__ import annotations

import pytest

from penstock.expressions import ExpressionError
from tests.unit.expressions.conftest import Render

MESSAGES = [{"id": 1182736450918273645, "seq": 9007199254740993, "score": 1.50}]
LOST = "reduce .[] as $m (null; $m.id) | . as $id | [limit(1; repeat($id))]"
"""A program that runs in a process of its own."""


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (".[].id", "[1182736450918273645]"),
        (".", '[[{"id":1182736450918273645,"seq":9007199254740993,"score":1.5}]]'),
        ("map({key: .id})", '[[{"key":1182736450918273645}]]'),
        ("[.[].id, .[].seq] | sort", "[[9007199254740993,1182736450918273645]]"),
        ("[.[].id, 1182736450918273644] | max", "[1182736450918273645]"),
        (".[0].id | tostring", '["1182736450918273645"]'),
        (".[0].id | tojson | fromjson", "[1182736450918273645]"),
        ("map(select(.id == 1182736450918273645)) | length", "[1]"),
        ("map(select(.id == 1182736450918273644)) | length", "[0]"),
        (LOST, "[[1182736450918273645]]"),
    ],
)
def test_jq_passes_integers_on(render: Render, program: str, expected: str) -> None:
    assert render("{{ rows | jq(p) }}", rows=MESSAGES, p=program) == expected


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (".[0].id + 1", "[1182736450918273646]"),
        ("1 + .[0].id", "[1182736450918273646]"),
        (".[0].id - 1", "[1182736450918273644]"),
        ("1 - .[0].id", "[-1182736450918273644]"),
        ("-(.[0].id) + 5", "[-1182736450918273640]"),
        (".[0].id - .[0].id", "[0]"),
        ("[.[].id, .[].seq] | add", "[1191743650173014638]"),
        (".[0].id += 1 | .[0].id", "[1182736450918273646]"),
        (".[0].seq + 1000000000000", "[9008199254740993]"),
        ("(1, 2) + (10, 20)", "[11,12,21,22]"),
        ("[1, 2] - [2] + [3]", "[[1,3]]"),
        ('"a" + "b"', '["ab"]'),
        ("null + 1", "[1]"),
    ],
)
def test_sums_of_integers_are_exact(render: Render, program: str, expected: str) -> None:
    assert render("{{ rows | jq(p) }}", rows=MESSAGES, p=program) == expected


def test_text_is_read_as_json_with_all_digits(render: Render) -> None:
    text = '{"id": 1182736450918273645, "large": 123456789012345678901234567890}'

    assert render("{{ t | jq('.id') | first }}", t=text) == "1182736450918273645"
    assert render("{{ t | jq('.large') | first }}", t=text) == "123456789012345678901234567890"


def test_decimals_stay_decimals(render: Render) -> None:
    assert render("{{ '[1.0, 2.25, 1e3]' | jq('.[]') }}") == "[1.0,2.25,1000.0]"
    assert render("{{ '1e999' | jq('.') | first }}") == "1.7976931348623157E308"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("1) | (2", "bad jq expression"),
        ('"9" * 4301 | tonumber', "too many digits"),
        ("reduce range(3000) as $i (1; [.])", "nested too deeply"),
    ],
)
def test_jq_refuses(render: Render, program: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        render("{{ 1 | jq(p) }}", p=program)


def test_a_comment_may_end_the_program(render: Render) -> None:
    assert render("{{ 1 | jq(p) }}", p=". # all of it \\") == "[1]"
