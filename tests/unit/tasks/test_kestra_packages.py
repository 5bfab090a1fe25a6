"""The lines that Kestra's own packages print are understood: `kestra` 2.0.0 of Python, and
`@kestra-io/libs` 2.0.0 of Node. They stand here as the packages printed them.
"""

from __future__ import annotations

import re

import pytest

from penstock.tasks.contract.output_lines import ONLY_LOGS, Captured, is_candidate

PYTHON = r"""
::{"outputs": {"n": 3, "text": "a\nb ::x:: \u00fc"}}::
::{"metrics": [{"name": "rows", "type": "counter", "value": 3, "tags": {"t": "a"}}]}::
::{"metrics": [{"name": "called", "type": "timer", "value": 0.006, "tags": {}}]}::
::{"metrics": [{"name": "level", "type": "gauge", "value": 1.5, "tags": {}}]}::
::{"logs": [{"level": "INFO", "message": "2026-11-21T16:34:50.049Z - info ::"}]}::
::{"assets": {"id": "x"}}::
::{"outputs": {"later": [1, {"a": null}]}}::
"""
NODE = r"""
::{"outputs":{"n":3,"text":"a\nb\u2028"}}::
::{"metrics":[{"name":"rows","type":"counter","value":3,"tags":{"t":"a"}}]}::
::{"logs":[{"level":"ERROR","message":"bad"},{"level":"ERROR","message":"two"}]}::
Trace: ::{"logs":[{"level":"TRACE","message":"tr"}]}::
    at t.trace (/w/node_modules/@kestra-io/libs/dist/index.js:1:78)
"""


@pytest.mark.parametrize(
    ("printed", "values"),
    [
        (PYTHON, {"n": 3, "text": "a\nb ::x:: ü", "later": [1, {"a": None}]}),
        (NODE, {"n": 3, "text": "a\nb\u2028"}),
    ],
)
def test_what_the_packages_print_is_understood(printed: str, values: dict[str, object]) -> None:
    captured = Captured().add_all(printed.split("\n"))
    assert captured.vars == values
    assert captured.notes == []


@pytest.mark.parametrize(
    ("line", "is_only_logs"),
    [
        ('::{"logs": [{"level": "INFO", "message": "x"}]}::', True),
        ('::{"logs":[{"level":"A","message":"x"},{"level":"B","message":"y :: ]"}]}::', True),
        ('::{"logs":[{"message":"x"}],"outputs":{"a":1}}::', False),
        ('::{"outputs":{"a":1},"logs":[{"message":"x"}]}::', False),
        ('::{"logs":[{"message":"x"}]}:: ::{"outputs":{"a":1}}::', False),
        ('::{"logs":[{"message":"x"}]}::::{"outputs":{"a":[{"b":1}]}}::', False),
        ('a ::{"logs":[{"message":"x"}]}::', False),
        ('::{"outputs":{"a":1}}::', False),
    ],
)
def test_messages_for_the_log_alone_are_no_values(line: str, is_only_logs: bool) -> None:
    assert is_candidate(line) is not is_only_logs
    # `grep` reads its pattern otherwise: there the groups are those with backslashes.
    swapped = re.sub(r"\\?[(){}]", lambda m: m[0][1:] if len(m[0]) > 1 else f"\\{m[0]}", ONLY_LOGS)
    assert bool(re.search(swapped, line)) is is_only_logs
