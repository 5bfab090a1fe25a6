"""The tasks of Penstock's own image: checked in the controller, run in a bare Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import penstock
from penstock.tasks.contract.core_types import CORE_TYPES, core_type
from penstock.tasks.contract.framing import TOO_LARGE, decode_result, parse_marker
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.metrics import read_metrics
from penstock.tasks.contract.services import Metric, Origin
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.pod.main import revive, run
from penstock.tasks.registry.definitions import container
from penstock.tasks.registry.properties import read, write

CORE = "io.kestra.plugin.core"
ROOT = str(Path(penstock.__file__).parents[1])


class Around:
    """The execution and the key-value pairs that the controller tells a task."""

    origin = Origin("company.team", "flow", "run-1", "a", "tr1")

    def snapshot(self, use: PairUse) -> dict[str, Any]:
        raise AssertionError("no task here has to do with key-value pairs")


class Pod:
    """A pretended pod of Penstock's own image."""

    def __init__(self, at: Path) -> None:
        self.message = at / "termination-log"

    def start(self, task_type: str, **properties: Any) -> subprocess.Popen[str]:
        what = container(task_type, properties, Around())
        return subprocess.Popen(
            [sys.executable, "-s", *what.command],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": ROOT,
                "PENSTOCK_TERMINATION_FILE": str(self.message),
                **what.env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, task_type: str, **properties: Any) -> tuple[int, str, dict[str, Any]]:
        process = self.start(task_type, **properties)
        out, _ = process.communicate(timeout=10)
        return process.returncode, out, self.result(out)

    def result(self, out: str) -> dict[str, Any]:
        marker = parse_marker(self.message.read_text())
        assert marker is not None
        payload = marker.payload if marker.form == "inline" else marker.payload_in(out)
        assert payload is not None
        result = decode_result(payload)
        assert result is not None
        return {"outputs": result.outputs, "message": result.message, "metrics": result.metrics}


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_log_writes_each_message(pod: Pod) -> None:
    # when
    code, out, result = pod.run(f"{CORE}.log.Log", message=["héllo", 3, ""])
    # then
    assert (code, out) == (0, "héllo\n3\n\n")
    assert result == {"outputs": None, "message": None, "metrics": []}


def test_a_level_other_than_info_is_shown(pod: Pod) -> None:
    assert pod.run("io.kestra.core.tasks.log.Log", message="x", level="WARN")[1] == "WARN x\n"


def test_return_gives_its_format_back(pod: Pod) -> None:
    result = pod.run(f"{CORE}.debug.Return", format="abc")[2]
    assert result["outputs"] == {"value": "abc"}
    length, duration = read_metrics(list(result["metrics"]))
    assert length == Metric("counter", "length", 3)
    assert (duration.type, duration.name, duration.value < 10) == ("timer", "duration", True)
    assert pod.run(f"{CORE}.debug.Return")[2]["outputs"] == {"value": None}


@pytest.mark.parametrize("size", [10, 3_500, 5_000, 120_000, 1_000_000])
def test_output_values_of_any_size_come_back(pod: Pod, tmp_path: Path, size: int) -> None:
    # given
    values = {"text": "é" * (size // 2), "list": [1, {"a": None}]}
    # when
    if size < 90_000:
        code, _, result = pod.run(f"{CORE}.output.OutputValues", values=values)
    else:
        code, result = run_from_file(pod, tmp_path, values)
    # then
    assert code == 0
    assert result["outputs"] == {"values": values}
    assert len(pod.message.read_bytes()) <= 4096


def run_from_file(pod: Pod, at: Path, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    what = container(f"{CORE}.output.OutputValues", {"values": values})
    (at / "task.json").write_text(what.env["PENSTOCK_TASK"])
    done = subprocess.run(
        [sys.executable, "-s", *what.command],
        env={
            "PYTHONPATH": ROOT,
            "PENSTOCK_TERMINATION_FILE": str(pod.message),
            "PENSTOCK_TASK_FILE": str(at / "task.json"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, pod.result(done.stdout)


def test_outputs_beyond_the_limit_fail_the_task(pod: Pod, tmp_path: Path) -> None:
    # given
    size = 1024 * 1024
    (tmp_path / "task.json").write_text(
        json.dumps(
            {
                "type": f"{CORE}.output.OutputValues",
                "properties": {"values": {"a": "x" * size, "b": "y" * 4096}},
            }
        )
    )
    # when
    done = subprocess.run(
        [sys.executable, "-s", "-m", "penstock.tasks.pod.main"],
        env={
            "PYTHONPATH": ROOT,
            "PENSTOCK_TERMINATION_FILE": str(pod.message),
            "PENSTOCK_TASK_FILE": str(tmp_path / "task.json"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert done.returncode == 1
    assert pod.result(done.stdout)["message"] == TOO_LARGE


def test_sleep_sleeps(pod: Pod) -> None:
    began = time.monotonic()
    assert pod.run(f"{CORE}.flow.Sleep", duration="PT0.3S")[0] == 0
    assert time.monotonic() - began >= 0.3


def test_a_map_goes_through_a_pod_as_json(pod: Pod) -> None:
    # when
    code, _, result = pod.run(f"{CORE}.debug.Return", format={"rows": ["1", 2]})
    # then
    assert (code, result["outputs"]) == (0, {"value": '{"rows":["1",2]}'})


def types_of(task_type: str) -> type[Any]:
    found = core_type(task_type)
    assert found is not None
    return found.load()


def until_it_heeds(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Wait until a process has a handler for a signal: before, the signal would just end it."""
    deadline = time.monotonic() + 20
    while True:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sleep_ends_when_it_is_stopped(pod: Pod) -> None:
    # given
    process = pod.start(f"{CORE}.flow.Sleep", duration="PT20S")
    until_it_heeds(process, signal.SIGTERM)
    # when
    process.send_signal(signal.SIGTERM)
    # then
    assert process.wait(timeout=20) == 143


@pytest.mark.parametrize(
    ("properties", "fails"),
    [
        ({}, True),
        ({"condition": "true"}, True),
        ({"condition": "yes"}, True),
        ({"condition": False}, False),
        ({"condition": "false"}, False),
        ({"condition": "0"}, False),
        ({"condition": ""}, False),
        ({"condition": " "}, True),
    ],
)
def test_fail_fails_where_its_condition_holds(
    pod: Pod, properties: dict[str, Any], fails: bool
) -> None:
    # when
    code, out, result = pod.run(f"{CORE}.execution.Fail", errorMessage="sorry", **properties)
    # then
    assert (code, out) == ((1, "ERROR sorry\n") if fails else (0, ""))
    assert result["message"] == ("sorry" if fails else None)


def test_nothing_heavy_is_imported_in_the_pod() -> None:
    # given
    modules = ", ".join(sorted({core.properties.split(":")[0] for core in CORE_TYPES}))
    heavy = ["pydantic", "yaml", "asyncio", "jinja2", "kubernetes", "kopf", "penstock.flow"]
    imports = f"import sys, penstock.tasks.pod.main, {modules}"
    program = f"{imports}; print([m for m in {heavy} if m in sys.modules])"
    # when
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=True,
    )
    # then
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("core", CORE_TYPES, ids=lambda core: str(core.name))
def test_every_type_can_be_loaded(core: Any) -> None:
    assert callable(core.load().run)


@pytest.mark.parametrize(
    ("task_type", "properties", "where", "words"),
    [
        (f"{CORE}.log.Log", {}, ("message",), "Field required"),
        (f"{CORE}.log.Log", {"mesage": "x", "message": "x"}, ("mesage",), "did you mean `message`"),
        (f"{CORE}.log.Log", {"message": ["a", {"b": 1}]}, ("message", 1), "valid string"),
        (f"{CORE}.log.Log", {"message": {"a": 1}}, ("message",), "valid string"),
        (f"{CORE}.log.Log", {"message": "x", "level": "LOUD"}, ("level",), "'INFO'"),
        (f"{CORE}.flow.Sleep", {"duration": "5s"}, ("duration",), "ISO-8601"),
        (f"{CORE}.output.OutputValues", {"values": [1]}, ("values",), "valid dictionary"),
    ],
)
def test_wrong_properties_are_refused(
    types: Any, task_type: str, properties: dict[str, Any], where: tuple[Any, ...], words: str
) -> None:
    # when
    with pytest.raises(ValidationError) as caught:
        types.find(task_type).check(properties)
    # then
    (error,) = caught.value.errors()
    assert error["loc"] == where
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("task_type", "properties"),
    [
        (f"{CORE}.log.Log", {"message": "{{ x }}", "level": "{{ inputs.level }}"}),
        (f"{CORE}.flow.Sleep", {"duration": "{{ inputs.pause }}"}),
        (f"{CORE}.output.OutputValues", {"values": "{{ outputs.x }}"}),
    ],
)
def test_an_expression_may_stand_for_any_type(
    types: Any, task_type: str, properties: dict[str, Any]
) -> None:
    types.find(task_type).check(properties)


@pytest.mark.parametrize(
    ("task_type", "name"),
    [
        (f"{CORE}.debug.Return", "format"),
        (f"{CORE}.debug.Echo", "format"),
        (f"{CORE}.execution.Fail", "errorMessage"),
        (f"{CORE}.storage.Write", "content"),
        (f"{CORE}.http.Request", "body"),
        (f"{CORE}.http.Download", "body"),
    ],
)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"city": "Ås", "n": [1, None, {}]}, '{"city":"Ås","n":[1,null,{}]}'),
        (["a", 2, True, 0.5], '["a",2,true,0.5]'),
        ({}, "{}"),
        (7, "7"),
        (False, "false"),
    ],
)
def test_a_map_or_a_list_in_the_place_of_a_text_is_its_json(
    types: Any, task_type: str, name: str, value: Any, text: str
) -> None:
    # given
    uri = {"uri": "http://x"} if ".http." in task_type else {}
    properties = {name: value, **uri}
    # when
    types.find(task_type).check(properties)
    here: Any = read(types_of(task_type), properties)
    sent = json.loads(container(task_type, properties).env["PENSTOCK_TASK"])
    # then
    assert write(here)[name] == text
    assert write(revive(sent["type"], sent["properties"]))[name] == text


def test_a_secret_in_a_map_is_quoted_in_its_json() -> None:
    # given
    what = container(f"{CORE}.debug.Return", {"format": {"password": "TOKEN"}})
    task = json.loads(what.env["PENSTOCK_TASK"])
    # when
    filled = json.loads(json.dumps(task["properties"]).replace("TOKEN", 'a\\"b'))
    revived: Any = revive(task["type"], filled)
    # then
    assert json.loads(revived.format) == {"password": 'a"b'}


@pytest.mark.parametrize(
    ("task_type", "properties", "where"),
    [
        (f"{CORE}.http.Request", {"uri": {"a": 1}}, ("uri",)),
        (f"{CORE}.http.Request", {"uri": "http://x", "method": ["GET"]}, ("method",)),
        (f"{CORE}.kv.Get", {"key": {"a": 1}}, ("key",)),
        (f"{CORE}.namespace.DeleteFiles", {"namespace": ["a"], "files": "x"}, ("namespace",)),
    ],
)
def test_names_and_addresses_are_texts(
    types: Any, task_type: str, properties: dict[str, Any], where: tuple[Any, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        types.find(task_type).check(properties)
    assert [error["loc"] for error in caught.value.errors()] == [where]


def test_a_rendered_property_of_the_wrong_type_is_named() -> None:
    with pytest.raises(TaskFailure, match="property `duration`: `soon` is not an ISO-8601"):
        container(f"{CORE}.flow.Sleep", {"duration": "soon"})


def test_rendered_json_becomes_a_map() -> None:
    what = container(f"{CORE}.output.OutputValues", {"values": '{"a": 1}'})
    assert json.loads(what.env["PENSTOCK_TASK"])["properties"] == {"values": {"a": 1}}


def test_a_pod_without_what_its_task_needs_says_so(pod: Pod) -> None:
    # when
    code, _, result = pod.run(f"{CORE}.storage.Size", uri="kestra:///a/b")
    # then
    assert code == 1
    assert result["message"] == (
        f"`{CORE}.storage.Size` needs the internal storage, and there is none here"
    )


def test_nested_options_reach_the_pod() -> None:
    # given
    options = {"timeout": {"readIdleTimeout": "PT2S"}, "auth": {"type": "BEARER", "token": "t"}}
    what = container(f"{CORE}.http.Request", {"uri": "http://x", "options": options})
    # when
    task = json.loads(what.env["PENSTOCK_TASK"])
    revived: Any = revive(task["type"], task["properties"])
    # then
    assert revived.options.read_seconds == 2
    assert revived.options.authorization == "Bearer t"


def test_a_pod_drops_lines_below_its_log_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    monkeypatch.setenv("PENSTOCK_LOG_LEVEL", "WARN")
    # when
    for level in ("INFO", "ERROR"):
        run({"type": f"{CORE}.log.Log", "properties": {"message": "x", "level": level}})
    # then
    assert capsys.readouterr().out == "ERROR x\n"
