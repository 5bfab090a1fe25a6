"""Types of triggers that are found by entry point: Penstock's own, and those of others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, TRIGGER_STATES
from penstock.triggers import registry
from penstock.triggers.evaluation import Context
from penstock.triggers.firing import rendered_firing
from penstock.triggers.kinds import ClockDecision, ClockTrigger
from penstock.triggers.properties import TriggerProperties
from tests.fixtures.controller import NAMESPACE, Controller, flow, until
from tests.fixtures.distributions import Distribution

MOON = "com.company.FullMoon"
FLOW = f"""
id: tide
namespace: company.team
tasks:
  - {{id: say, type: io.kestra.plugin.core.log.Log, message: "{{{{ trigger.phase }}}}"}}
triggers:
  - {{id: moon, type: {MOON}, moon: europa, labels: {{of: "{{{{ trigger.phase }}}}"}}}}
"""
FOUND = datetime(2026, 3, 3, tzinfo=UTC)


class FullMoon(TriggerProperties):
    """Fires at a full moon: here, at one."""

    moon: str
    """Whose."""


def decide(properties: FullMoon, last: datetime, now: datetime, context: Context) -> ClockDecision:
    variables = {"phase": f"{properties.moon} is full"}
    seeing = context.seeing(trigger=variables)
    firing = rendered_firing("full/2026-03", variables, {}, properties.labels, seeing, FOUND)
    return ClockDecision(now, FOUND, firing)


TRIGGER = ClockTrigger(
    MOON,
    FullMoon,
    served=True,
    plan=lambda properties: properties.moon,
    decide=decide,
    next_look=lambda properties, after, context: None,
)


async def test_one_file_makes_a_trigger_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(registry, "_foreign_types", lambda: (TRIGGER,))
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(FLOW))
    # when
    async with controller.running():
        await until(lambda: controller.server.all(EXECUTIONS))
        await until(
            lambda: (controller.server.get(TRIGGER_STATES, NAMESPACE, "tide.moon") or {}).get(
                "status"
            )
        )
    # then
    (body,) = controller.server.all(EXECUTIONS)
    assert body["metadata"]["name"].startswith("tide-moon-")
    assert body["spec"]["labels"] == {"of": "europa is full"}
    assert body["spec"]["trigger"] == {
        "id": "moon", "type": MOON, "variables": {"phase": "europa is full"}
    }  # fmt: skip
    told = (controller.server.get(TRIGGER_STATES, NAMESPACE, "tide.moon") or {})["status"]
    assert (told["type"], told["plan"]) == (MOON, "europa")


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (f"{{id: t, type: {MOON.upper()}, moon: io}}", None),
        (f"{{id: t, type: {MOON}}}", "triggers[0].moon: missing required property"),
        (f"{{id: t, type: {MOON}, mon: io}}", "unknown property `mon`; did you mean `moon`?"),
    ],
)
def test_a_trigger_of_another_distribution_is_checked(
    tmp_path: Path, trigger: str, words: str | None
) -> None:
    # given
    moons = Distribution(tmp_path / "site", "moons")
    moons.module(
        "full",
        f"""
        from penstock.triggers.kinds import TriggerType
        from penstock.triggers.properties import TriggerProperties

        class FullMoon(TriggerProperties):
            moon: str

        TRIGGER = TriggerType("{MOON}", FullMoon, served=True)
        """,
    ).entry("penstock.triggers", "moon", "moons.full:TRIGGER")
    path = tmp_path / "flow.yaml"
    path.write_text(
        "id: f\nnamespace: company.team\n"
        "tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: x}]\n"
        f"triggers: [{trigger}]\n"
    )
    # when
    code, output = moons.validate(path)
    # then
    assert (code == 0) is (words is None), output
    assert words is None or words in output


def test_penstocks_own_types_have_names_of_their_own() -> None:
    names = [name for known in registry.own_types() for name in known.names]
    assert len(names) == len(set(names))
    assert [known.name for known in registry.own_types() if known.served] == [
        "io.kestra.plugin.amqp.RealtimeTrigger",
        "io.kestra.plugin.amqp.Trigger",
        "io.kestra.plugin.azure.storage.blob.Trigger",
        "io.kestra.plugin.core.trigger.Flow",
        "io.kestra.plugin.gcp.gcs.Trigger",
        "io.kestra.plugin.core.http.Trigger",
        "io.kestra.plugin.kafka.RealtimeTrigger",
        "io.kestra.plugin.kafka.Trigger",
        "io.kestra.plugin.mqtt.RealtimeTrigger",
        "io.kestra.plugin.mqtt.Trigger",
        "io.kestra.plugin.nats.core.RealtimeTrigger",
        "io.kestra.plugin.nats.core.Trigger",
        "io.kestra.plugin.redis.list.RealtimeTrigger",
        "io.kestra.plugin.redis.list.Trigger",
        "io.kestra.plugin.aws.s3.Trigger",
        "io.kestra.plugin.minio.Trigger",
        "io.kestra.plugin.core.trigger.Schedule",
        "io.kestra.plugin.core.trigger.ScheduleOnDates",
        "io.kestra.plugin.core.trigger.Webhook",
    ]
