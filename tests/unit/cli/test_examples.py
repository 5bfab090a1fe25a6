"""Every example runs without a cluster, to the end that it tells of."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Call

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"

EXPECTED: dict[str, tuple[int, str, dict[str, object]]] = {
    "errors-and-finally.yaml": (1, "FAILED", {}),
    "file-tasks.yaml": (
        0,
        "SUCCESS",
        {"kept": '{"order": 2, "amount": 175}\n{"order": 3, "amount": 300}\n'},
    ),
    "files.yaml": (0, "SUCCESS", {"kept": ["loud.txt"]}),
    "foreach.yaml": (0, "SUCCESS", {}),
    "hello-world.yaml": (0, "SUCCESS", {"greeting": "Hello, World!"}),
    "housekeeping.yaml": (0, "SUCCESS", {"silent": ["nightly"], "old": 0, "keys": 1}),
    "key-values.yaml": (
        0,
        "SUCCESS",
        {
            "runs": 1,
            "said": "Hello",
            "keys": ["key-values_states_tasks-states_default", "lock", "runs"],
        },
    ),
    "parallel-and-retry.yaml": (0, "SUCCESS", {}),
    "python-script.yaml": (0, "SUCCESS", {"mean": 3.875}),
    "runner-options.yaml": (0, "SUCCESS", {"bytes": 1048576}),
    "schedule.yaml": (0, "SUCCESS", {}),
    "secrets.yaml": (0, "SUCCESS", {"told": "d7ecdf25, never shown: open-sesame"}),
    "shell-outputs.yaml": (0, "SUCCESS", {"total": 15, "words": ["one", "two"]}),
    "switch-inputs.yaml": (0, "SUCCESS", {"price": 5.0}),
    "working-directory.yaml": (0, "SUCCESS", {}),
}

ON_A_CLUSTER = {"http.yaml", "languages.yaml"}
"""Examples that need more than a machine surely has; `test_languages.py` and
`test_storage_tasks.py` of `e2e/tests` run them."""


def test_every_example_is_expected_here() -> None:
    flows = {path.name for path in EXAMPLES.iterdir() if ".test." not in path.name}
    assert flows == set(EXPECTED) | ON_A_CLUSTER


def test_every_example_is_valid_without_a_warning(call: Call) -> None:
    called = call("flow", "validate", EXAMPLES)

    assert (called.code, called.out) == (0, "")
    assert " valid, 0 refused, 0 with types not served yet; 0 warnings\n" in called.err
    assert "warning: " not in called.err


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_ends_as_expected(
    call: Call, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_GREETING_KEY", b64encode(b"open-sesame").decode())
    code, state, outputs = EXPECTED[name]
    called = call("run", EXAMPLES / name, "-o", "json", "--timeout", "60s")

    assert called.code == code, called.err
    status = json.loads(called.out)["status"]
    assert status["state"] == state
    found = status.get("outputs") or {}
    assert {key: found.get(key) for key in outputs} == outputs
    if name == "parallel-and-retry.yaml":
        flaky = next(run for run in status["taskRuns"] if run["taskId"] == "flaky")
        assert len(flaky["attempts"]) == 3


def test_the_inputs_of_an_example_choose_its_way(call: Call) -> None:
    called = call(
        "run", EXAMPLES / "switch-inputs.yaml", "-o", "json",
        "--input", "plan=express", "--input", "weight=12.5", "--input", "fragile=true",
    )  # fmt: skip

    status = json.loads(called.out)["status"]
    assert status["outputs"] == {"price": 62.5}
    tasks = {run["taskId"]: run["state"] for run in status["taskRuns"]}
    assert tasks["express-price"] == tasks["two-people"] == tasks["with-care"] == "SUCCESS"


def test_the_tests_of_the_examples_pass(call: Call) -> None:
    called = call("flow", "test", EXAMPLES)

    assert called.code == 0, called.out
    assert "4 passed" in called.out
