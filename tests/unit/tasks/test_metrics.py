"""The metrics in what scripts print and in what core tasks give back."""

from __future__ import annotations

import json

import pytest

from penstock.kubernetes.observation.results import script_outputs
from penstock.tasks.contract.framing import Result, decode_result, encode_result
from penstock.tasks.contract.metrics import read_metric, read_metrics, written_metric
from penstock.tasks.contract.output_lines import Captured
from penstock.tasks.contract.services import Metric
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.pod import main as pod


def test_a_line_may_give_outputs_and_metrics() -> None:
    rows = '{"name":"rows","type":"counter","value":3,"tags":{"a":1}}'
    line = f'::{{"outputs":{{"n":3}},"metrics":[{rows}]}}::'
    captured = Captured().add_all(["x", f"before {line} after"])
    assert captured.vars == {"n": 3}
    assert captured.metrics == [Metric("counter", "rows", 3, {"a": "1"})]
    assert captured.notes == []


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ('[{"name":"m","type":"histogram","value":1}]', "`type` must be counter"),
        ('[{"name":"m","type":["counter"],"value":1}]', "`type` must be counter"),
        ('[{"type":"counter","value":1}]', "a `name` is needed"),
        ('[{"name":"m","type":"counter","value":"x"}]', "`value` must be a number"),
        ('[{"name":"m","type":"counter","value":true}]', "`value` must be a number"),
        ('[{"name":"m","type":"counter"}]', "`value` must be a number"),
        ("[7]", "a metric is a map"),
        ('{"name":"m"}', "`metrics` that are not a list"),
    ],
)
def test_a_metric_that_is_none_is_told_of_and_fails_nothing(metrics: str, told: str) -> None:
    outputs = script_outputs(f'::{{"outputs":{{"a":1}},"metrics":{metrics}}}::', 0)
    assert outputs.error is None
    assert outputs.outputs is not None
    assert outputs.outputs["vars"] == {"a": 1}
    assert told in (outputs.message or "")
    assert outputs.metrics == []


def test_a_metric_has_a_bounded_size() -> None:
    with pytest.raises(ValueError, match="larger than"):
        read_metric({"type": "gauge", "name": "m", "value": 1, "tags": {"a": "x" * 600}})


def test_a_core_task_gives_its_metrics_back() -> None:
    # given
    metric = Metric("timer", "took", 1.25, {"a": "b"})
    # when
    message, _ = encode_result(Result({"x": 1}, metrics=[written_metric(metric)]))
    result = decode_result(message.partition("\n")[2])
    # then
    assert result is not None
    assert read_metrics(result.metrics) == [metric]


def test_damaged_metrics_of_a_result_are_dropped() -> None:
    result = decode_result(json.dumps({"outputs": None, "metrics": [{"type": "x"}, 3]}))
    assert result is not None
    assert read_metrics(result.metrics) == []


def test_a_core_task_that_fails_gives_what_it_published(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    class Fails:
        def run(self, context: Context) -> None:
            context.services.publish(Metric("counter", "tried", 1))
            raise TaskFailure("on purpose")

    monkeypatch.setattr(pod, "revive", lambda type_name, properties: Fails())
    origin = {"namespace": "n", "flow": "f", "execution": "e", "task": "t", "task_run": "r"}
    # when
    code, result = pod.run({"type": "x", "properties": {}, "origin": origin})
    # then
    assert (code, result.message) == (1, "on purpose")
    assert [metric["name"] for metric in result.metrics] == ["tried"]
