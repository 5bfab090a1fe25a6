"""What tells an expression from text is the same in both rooms that have to know it."""

from __future__ import annotations

import pytest

from penstock.expressions import has_expression
from penstock.flow.model import is_expression


@pytest.mark.parametrize("text", ["{{ a }}", "x{% if y %}", "${#NAME}", "{# no more #}"])
def test_a_print_a_tag_and_a_comment_make_an_expression(text: str) -> None:
    assert has_expression(text)
    assert is_expression(text)


@pytest.mark.parametrize("text", ["", "plain", "{a}", "${NAME}", "# {", "} #}"])
def test_other_braces_make_none(text: str) -> None:
    assert not has_expression(text)
    assert not is_expression(text)
