"""What a task's result may change is written where its pod can't change it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.engine.interface.actions import StartAttempt
from penstock.kubernetes.api.labels import PAIRS
from penstock.kubernetes.jobs.job import JobDefaults, Owner, build_job
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.task import Container

SET = "io.kestra.plugin.core.kv.Set"
OWNER = Owner("flow-abc", "team", "11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("use", "granted"),
    [
        (None, None),
        (PairUse("company", prefix="x" * 500_000), None),
        (PairUse("company", "k", reads=True), None),
        (PairUse("company", "k", changes=True), PairUse("company", "k", changes=True)),
    ],
)
def test_only_what_may_be_changed_stands_on_job_and_pod(
    starting: Callable[..., StartAttempt], use: PairUse | None, granted: PairUse | None
) -> None:
    what = Container(("-m", "penstock.tasks.pod.main"), pairs=use)

    job = build_job(starting(SET, {"key": "k", "value": 1}), OWNER, what, JobDefaults()).job

    for meta in (job["metadata"], job["spec"]["template"]["metadata"]):
        text = meta["annotations"].get(PAIRS)
        assert (None if text is None else PairUse.from_json(text)) == granted
