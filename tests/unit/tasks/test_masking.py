"""What a core task's pod hides."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks.contract.masking import MASK, Masker

SECRET = "p@ss w\"ord'ü/+?x"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET, safe=""),
        quote(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"u:{SECRET}".encode()).decode(),
        base64.b64encode(f"us:{SECRET}:more".encode()).decode(),
        base64.urlsafe_b64encode(f"a{SECRET}".encode()).decode(),
    ],
)
def test_a_secret_is_hidden_in_the_forms_in_which_it_is_often_sent(form: str) -> None:
    masked = Masker([SECRET]).text(f"before {form} after")
    assert MASK in masked
    assert SECRET[:6] not in masked
    core = base64.b64encode(SECRET.encode()).decode()[4:12]
    assert core not in masked


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4), st.text(), st.text())
def test_no_secret_is_left_in_a_text(secret: str, before: str, after: str) -> None:
    whole = secret.strip()
    if any(len(line.strip()) < 4 for line in whole.splitlines()):
        return
    assert whole not in Masker([secret]).text(f"{before}{secret}{after}").replace(MASK, "\0")


def test_the_texts_in_a_secret_of_json_are_hidden_each() -> None:
    masker = Masker(['{"user": "ada-lovelace", "inner": [{"key": "abcdef"}], "n": 1}'])
    assert masker.text("ada-lovelace abcdef 1") == f"{MASK} {MASK} 1"


def test_values_are_masked_throughout() -> None:
    masker = Masker(["12345678", "name-of-key"])
    value = {"a": ["x 12345678"], "name-of-key": 1, "n": 12345678, "t": True, "none": None}
    assert masker.value(value) == {
        "a": [f"x {MASK}"],
        MASK: 1,
        "n": MASK,
        "t": True,
        "none": None,
    }


def test_the_longest_is_hidden_first() -> None:
    assert Masker(["abcd", "abcdef"]).text("abcdef") == MASK


def test_a_message_shows_no_piece_of_a_secret() -> None:
    masker = Masker(["hunter2-and-more"])
    assert (
        masker.message("`hunter2-and…` is not JSON: ter2-and") == f"`{MASK}…` is not JSON: {MASK}"
    )
    assert masker.message("nothing of it: hunt") == "nothing of it: hunt"


def test_nothing_short_is_hidden() -> None:
    assert Masker(["abc", "a\n}\n", ""]).text("abc a } x") == "abc a } x"
