"""What an author is told of triggers when the flow is read."""

from __future__ import annotations

import pytest

from penstock.flow.loading import load_documents
from penstock.flow.problems import InvalidFlow
from penstock.types import flow_parser

CORE = "io.kestra.plugin.core"
UNSERVED = "are not served yet"


def told(trigger: str) -> list[str]:
    """All that is said of one trigger, refusals first, without its line."""
    text = (
        "id: f\nnamespace: n\n"
        f"tasks: [{{id: a, type: {CORE}.log.Log, message: x}}]\n"
        f"triggers: [{{id: t, {trigger}}}]\n"
    )
    try:
        found = flow_parser().parse(load_documents(text)[0]).warnings
    except InvalidFlow as error:
        return [f"refused {problem}" for problem in error.problems]
    return [str(problem) for problem in found if not problem.message.endswith(UNSERVED)]


SCHEDULE = f"type: {CORE}.trigger.Schedule, cron: '@daily'"
FLOW = f"type: {CORE}.trigger.Flow"
WEBHOOK = f"type: {CORE}.trigger.Webhook, key: k"
A = "[{flowId: a}]"


@pytest.mark.parametrize(
    "trigger",
    [
        SCHEDULE,
        f"{SCHEDULE}, conditions: [{{type: {CORE}.condition.Weekend}}], stopAfter: [FAILED], "
        "labels: [{key: a, value: '{{ trigger.date }}'}], logLevel: INFO",
        f"{SCHEDULE}, when: '{{{{ isWeekend(trigger.date) }}}}'",
        f"type: {CORE}.trigger.ScheduleOnDates, dates: ['2025-01-01T00:00:00Z']",
        f"{FLOW}, dependsOn: {A}, window: {{deadline: '09:00'}}, onMiss: {{labels: {{sla: miss}}}}",
        f"{FLOW}, preconditions: {{id: p, flows: [{{namespace: n, flowId: a}}]}}",
        f"{FLOW}, mode: AT_LEAST, minSatisfied: 1, dependsOn: {A}",
        WEBHOOK,
        f"{WEBHOOK}, wait: true, returnOutputs: true, responseContentType: text/plain",
        f"type: {CORE}.http.Trigger, uri: 'https://example.com', interval: PT30S",
        "type: io.kestra.plugin.kafka.RealtimeTrigger, topic: t, groupId: g, "
        "properties: {bootstrap.servers: kafka}",
    ],
)
def test_triggers_of_which_nothing_is_said(trigger: str) -> None:
    assert told(trigger) == []


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("type: io.kestra.core.models.triggers.types.Schedule, cron: '@daily'",
         "triggers[0].type: `io.kestra.core.models.triggers.types.Schedule` is an old name; write "
         f"`{CORE}.trigger.Schedule`"),
        (f"{SCHEDULE}, minLogLevel: INFO", "triggers[0].minLogLevel: deprecated; use `logLevel`"),
        (f"{SCHEDULE}, scheduleConditions: [{{type: {CORE}.condition.Weekend}}]",
         "triggers[0].scheduleConditions: deprecated; use `conditions`"),
        (f"{SCHEDULE}, conditions: [{{type: {CORE}.condition.WeekendCondition}}]",
         f"triggers[0].conditions[0].type: `{CORE}.condition.WeekendCondition` is an old name; "
         f"write `{CORE}.condition.Weekend`"),
        (f"{SCHEDULE}, conditions: [{{type: {CORE}.condition.ExecutionFlow, namespace: n, "
         "flowId: a}]", "triggers[0].conditions[0]: a ExecutionFlow has no effect on a schedule"),
        (FLOW, "triggers[0]: without conditions it fires for every execution of every other flow"),
        (f"{FLOW}, dependsOn: {A}, onMiss: {{behavior: FAIL}}",
         "triggers[0].onMiss: `onMiss` has no effect without a `window` that ends"),
        (f"{FLOW}, dependsOn: {A}, minSatisfied: 1",
         "triggers[0].minSatisfied: `minSatisfied` has no effect without `mode: AT_LEAST`"),
        (f"{FLOW}, when: true, window: {{deadline: '09:00'}}",
         "triggers[0].window: `window` has no effect without `dependsOn`"),
    ],
)  # fmt: skip
def test_warnings(trigger: str, words: str) -> None:
    assert told(trigger) == [words]


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (f"{SCHEDULE}, crom: x", "triggers[0].crom: unknown property `crom`; did you mean `cron`?"),
        (f"{SCHEDULE}, with_seconds: true", "triggers[0].with_seconds: unknown property"),
        (f"{SCHEDULE}, workerGroup: {{key: x}}",
         "triggers[0].workerGroup: Worker Group is an Enterprise Edition functionality"),
        (f"{SCHEDULE}, labels: {{system.x: y}}",
         "triggers[0].labels: System labels can only be set by Kestra itself, offending label: "
         "system.x=y"),
        (f"{SCHEDULE}, stopAfter: [DONE]", "triggers[0].stopAfter[0]: `DONE` is not one of"),
        (f"{SCHEDULE}, when: [x]", "triggers[0].when: must be text with an expression, or true"),
        (f"{SCHEDULE}, conditions: [{{type: {CORE}.condition.Weekends}}]",
         f"triggers[0].conditions[0].type: no condition type `{CORE}.condition.Weekends`; did you"),
        (f"{SCHEDULE}, conditions: [{{dayOfWeek: MONDAY}}]",
         "triggers[0].conditions[0].type: missing required property"),
        (f"{SCHEDULE}, conditions: [{{type: {CORE}.condition.PublicHoliday, country: XX}}]",
         "triggers[0].conditions[0]: there is no calendar of holidays for `XX`"),
        (f"type: {CORE}.trigger.Webhook", "triggers[0].key: missing required property"),
        (f"{FLOW}, dependsOn: {A}, mode: AT_LEAST",
         "triggers[0]: `mode: AT_LEAST` needs `minSatisfied`"),
        (f"{FLOW}, dependsOn: {A}, mode: AT_LEAST, minSatisfied: 2",
         "triggers[0].minSatisfied: `minSatisfied` is 2, but `dependsOn` has 1 entries"),
        (f"{FLOW}, dependsOn: {A}, mode: AT_LEAST, minSatisfied: 0",
         "triggers[0].minSatisfied: Input should be greater than or equal to 1"),
        (f"{FLOW}, dependsOn: {A}, window: {{deadline: '09:00', lookback: PT1H}}",
         "triggers[0].window: a window has exactly one of"),
        (f"{FLOW}, preconditions: {{id: p, timeWindow: {{type: DAILY_TIME_DEADLINE}}}}",
         "triggers[0].preconditions.timeWindow: Time window of type `DAILY_TIME_DEADLINE` must"),
        (f"{FLOW}, preconditions: {{flows: [{{namespace: n}}]}}",
         "triggers[0].preconditions.id: missing required property"),
        (f"{FLOW}, dependson: {A}", "unknown property `dependson`; did you mean `dependsOn`?"),
        ("type: io.kestra.core.trigger.Schedule, cron: '@daily'",
         f"no trigger type `io.kestra.core.trigger.Schedule`; did you mean `{CORE}.trigger.Sch"),
        ("type: Schedule", "triggers[0].type: no trigger type `Schedule`"),
    ],
)  # fmt: skip
def test_refusals(trigger: str, words: str) -> None:
    [found] = told(trigger)
    assert words in found.removeprefix("refused ")
    assert found.startswith("refused")


def test_a_type_that_is_near_to_one_that_is_served_is_named() -> None:
    text = f"type: {CORE}.trigger.Shedule, cron: '@daily'"
    assert told(text) == [
        f"refused triggers[0].type: no trigger type `{CORE}.trigger.Shedule`; did you mean "
        f"`{CORE}.trigger.Schedule`?"
    ]
