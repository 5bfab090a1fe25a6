"""Several executions at once: subflows, concurrency, retries as a whole, controls, commands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.local.answers import Answers
from penstock.local.attempts import OnLog, Place, Started
from penstock.resources.execution import (
    Control,
    ExecutionStatus,
    ReplayRequest,
    RestartRequest,
    ResumeRequest,
    State,
)
from tests.unit.local.conftest import Hall, Try

CORE = "io.kestra.plugin.core"
LOG = f"type: {CORE}.log.Log"
FAIL = f"type: {CORE}.execution.Fail"
PAUSE = f"type: {CORE}.flow.Pause"
RETURN = f"type: {CORE}.debug.Return"


def subflow(flow_id: str, more: str = "") -> str:
    return f"type: {CORE}.flow.Subflow, namespace: company.team, flowId: {flow_id}{more}"


CHILD = f"""
---
id: child
inputs: [{{id: word, type: STRING, defaults: none}}]
tasks: [{{id: say, {RETURN}, format: "{{{{ inputs.word }}}}!"}}]
outputs: [{{id: said, type: STRING, value: "{{{{ outputs.say.value }}}}"}}]
"""


def states(status: ExecutionStatus) -> dict[str, str]:
    return {run.task_id: str(run.state) for run in status.task_runs}


def history(status: ExecutionStatus) -> list[str]:
    return [str(step.state) for step in status.history]


async def test_a_subflow_is_an_execution_whose_outputs_come_back(try_: Try, hall: Hall) -> None:
    # given
    call = subflow("child", ", inputs: {word: '{{ inputs.word }}'}")
    tried = try_(
        f"""
inputs: [{{id: word, type: STRING}}]
tasks: [{{id: call, {call}}}]
outputs: [{{id: heard, type: STRING, value: "{{{{ outputs.call.outputs.said }}}}"}}]
{CHILD}""",
        {"word": "hey"},
    )
    # when
    status = await tried.run()
    # then
    (child,) = tried.others()
    assert status.outputs == {"heard": "hey!"}
    assert child.status.state is State.SUCCESS
    assert child.spec.parent is not None
    assert child.spec.parent.execution == tried.execution.name
    assert hall.opened_ == [
        ("company.team.tried", None),
        ("company.team.child", tried.execution.name),
    ]


async def test_a_child_that_is_not_waited_for_runs_to_its_end(try_: Try) -> None:
    # given
    tried = try_(f"tasks: [{{id: call, {subflow('child', ', wait: false')}}}]{CHILD}")
    # when
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS
    assert [other.status.outputs for other in tried.others()] == [{"said": "none!"}]


async def test_a_flow_that_is_not_there_is_named_with_what_to_do(try_: Try) -> None:
    # given
    tried = try_(f"tasks: [{{id: call, {subflow('nowhere')}}}]")
    # when
    status = await tried.run()
    # then
    (child,) = tried.others()
    assert (child.refusal, child.status.task_runs) == ("FlowNotFound", [])
    assert status.state is State.FAILED
    assert "'company.team'.'nowhere'" in (status.message or "")
    assert "--flow" in (status.message or "")


async def test_a_kill_reaches_the_children(try_: Try) -> None:
    # given
    started = asyncio.Event()

    async def endless(
        place: Place, start: StartAttempt, on_log: OnLog, begun: Started
    ) -> Observation:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    tried = try_(f"tasks: [{{id: call, {subflow('child')}}}]\n{CHILD}", run_task=endless)
    running = asyncio.create_task(tried.run())
    await asyncio.wait_for(started.wait(), 5)
    # when
    tried.world.kill(tried.execution.name)
    status = await asyncio.wait_for(running, 5)
    # then
    assert status.state is State.KILLED
    assert [other.status.state for other in tried.others()] == [State.KILLED]


async def test_a_stop_ends_every_execution(try_: Try) -> None:
    # given
    sleeping = f"---\nid: child\ntasks: [{{id: long, type: {CORE}.flow.Sleep, duration: PT1H}}]"
    tried = try_(f"tasks: [{{id: call, {subflow('child')}}}]\n{sleeping}")
    # when
    status = await asyncio.wait_for(tried.run(timedelta(seconds=0.1)), 5)
    # then
    assert status.message == "killed: it ran longer than the timeout of 0.1s"
    assert {item.status.state for item in tried.world} == {State.KILLED}


async def test_a_stop_ends_what_runs_after_an_execution_and_not_its_state(try_: Try) -> None:
    # given
    started = asyncio.Event()

    async def endless_after(
        place: Place, start: StartAttempt, on_log: OnLog, begun: Started
    ) -> Observation:
        if start.task.id == "long":
            started.set()
            await asyncio.Event().wait()
        return Observation(State.SUCCESS)

    after = f"[{{id: long, {LOG}, message: good bye}}]"
    tried = try_(
        f"tasks: [{{id: only, {LOG}, message: hello}}]\nafterExecution: {after}\n",
        run_task=endless_after,
    )
    running = asyncio.create_task(tried.run())
    await asyncio.wait_for(started.wait(), 5)
    # when
    tried.world.stop("enough")
    status = await asyncio.wait_for(running, 5)
    # then
    assert (status.state, status.after_execution) == (State.SUCCESS, State.KILLED)


@pytest.mark.parametrize(
    ("behavior", "second"),
    [("QUEUE", State.SUCCESS), ("CANCEL", State.CANCELLED), ("FAIL", State.FAILED)],
)
async def test_concurrency_is_counted_over_the_world(
    try_: Try, behavior: str, second: State
) -> None:
    # given
    class Gauge:
        now = most = 0

        async def __call__(
            self, place: Place, start: StartAttempt, on_log: OnLog, started: Started
        ) -> Observation:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return Observation(State.SUCCESS)

    gauge = Gauge()
    tried = try_(
        f"concurrency: {{limit: 1, behavior: {behavior}}}\ntasks: [{{id: a, {LOG}, message: x}}]",
        run_task=gauge,
    )
    other = tried.world.start(tried.execution.spec)
    # when
    status = await tried.run()
    # then
    assert (status.state, other.status.state) == (State.SUCCESS, second)
    assert gauge.most == 1
    assert ("QUEUED" in history(other.status)) is (behavior == "QUEUE")


async def test_a_retry_as_a_new_execution_makes_one_after_the_other(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks: [{{id: boom, {FAIL}}}]
retry: {{type: constant, interval: PT0.01S, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}}
""")
    # when
    await tried.run()
    # then
    assert [str(item.status.state) for item in tried.world] == ["RETRIED", "RETRIED", "FAILED"]


async def test_a_date_is_waited_for(try_: Try) -> None:
    # given
    date = datetime.now(UTC) + timedelta(seconds=0.05)
    tried = try_(f"tasks: [{{id: a, {LOG}, message: x}}]", schedule_date=date)
    # when
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS
    assert status.history[1].date >= date


ASKING = f"""
tasks:
  - {{id: ask, {PAUSE}, onResume: [{{id: word, type: STRING}}]}}
  - {{id: say, {RETURN}, format: "{{{{ outputs.ask.onResume.word }}}}"}}
"""


async def test_a_pause_that_nobody_answers_ends_the_run(try_: Try) -> None:
    assert (await try_(ASKING).run()).state is State.PAUSED


async def test_answers_resume_a_pause_as_soon_as_it_asks(try_: Try) -> None:
    # when
    status = await try_(ASKING, answers=Answers({"word": "go"})).run()
    # then
    assert status.task_runs[-1].outputs == {"value": "go"}
    assert "PAUSED" in history(status)


async def test_answers_are_for_the_named_tasks_only(try_: Try) -> None:
    # given
    text = f"tasks: [{{id: first, {PAUSE}}}, {{id: second, {PAUSE}}}]"
    # when
    status = await try_(text, answers=Answers(tasks=frozenset({"first"}))).run()
    # then
    assert states(status) == {"first": "SUCCESS", "second": "PAUSED"}


async def test_an_answer_that_lacks_an_input_is_told_and_given_once(try_: Try, hall: Hall) -> None:
    # when
    status = await try_(ASKING, answers=Answers()).run()
    # then
    refused = [item for item in hall.seen[0].reports if item.reason == "ControlRefused"]
    assert status.state is State.PAUSED
    assert len(refused) == 1
    assert "`word`" in refused[0].message


async def test_a_restart_goes_on_where_it_failed(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - {{id: before, {LOG}, message: x}}
  - {{id: once, {FAIL}, condition: "{{{{ taskrun.attemptsCount < 1 }}}}"}}
""")
    assert (await tried.run()).state is State.FAILED
    # when
    tried.world.control(tried.execution.name, Control(id="again", restart=RestartRequest()))
    status = await tried.run()
    # then
    assert status.state is State.SUCCESS
    assert "RESTARTED" in history(status)
    assert [len(run.attempts) for run in status.task_runs] == [1, 2]


async def test_a_replay_is_another_execution_that_reads_the_files_of_the_first(try_: Try) -> None:
    # given
    tried = try_(f"""
tasks:
  - {{id: write, type: {CORE}.storage.Write, content: hello, extension: .txt}}
  - {{id: read, {RETURN}, format: "{{{{ read(outputs.write.uri) }}}}"}}
""")
    await tried.run()
    # when
    replay = ReplayRequest(task="read")
    tried.world.control(tried.execution.name, Control(id="again", replay=replay))
    await tried.run()
    # then
    (other,) = tried.others()
    assert other.status.state is State.SUCCESS, other.status.message
    assert other.status.task_runs[-1].outputs == {"value": "hello"}


RESUMER = f"""
inputs: [{{id: name, type: STRING}}]
tasks: [{{id: resume, type: {CORE}.execution.Resume, executionId: "{{{{ inputs.name }}}}"}}]
"""


async def test_a_task_resumes_another_execution(try_: Try) -> None:
    # given
    tried = try_(f"tasks: [{{id: wait, {PAUSE}}}]\n---\nid: resumer\n{RESUMER}")
    await tried.run()
    flow = {"flow": {"namespace": "company.team", "id": "resumer"}}
    spec = tried.execution.spec.model_validate(flow | {"inputs": {"name": tried.execution.name}})
    # when
    resumer = tried.world.start(spec)
    status = await tried.run()
    # then
    assert (status.state, resumer.status.state) == (State.SUCCESS, State.SUCCESS)


async def test_a_task_that_resumes_what_is_not_paused_fails_and_says_why(try_: Try) -> None:
    # given
    tried = try_(RESUMER, {"name": "nobody"})
    # when
    status = await tried.run()
    # then
    assert status.message == "task resume: there is no execution `nobody` in this run"


@pytest.mark.parametrize(
    ("trigger", "message"),
    [("hourly", None), ("daily", "the flow company.team.tried has no trigger `daily`")],
)
async def test_a_trigger_is_toggled(try_: Try, trigger: str, message: str | None) -> None:
    # given
    tried = try_(f"""
triggers: [{{id: hourly, type: {CORE}.trigger.Schedule, cron: "0 * * * *"}}]
tasks: [{{id: off, type: {CORE}.trigger.Toggle, trigger: {trigger}, enabled: false}}]
""")
    # when
    status = await tried.run()
    # then
    enabled = tried.world.commands.is_enabled("company.team", "tried", "hourly")
    assert enabled is (None if message else False)
    assert status.message == (f"task off: {message}" if message else None)


async def test_an_execution_is_paused_and_goes_on_when_it_is_resumed(try_: Try) -> None:
    # given
    tried = try_(f"tasks: [{{id: a, {LOG}, message: x}}, {{id: b, {LOG}, message: x}}]")
    name = tried.execution.name
    tried.world.control(name, Control(id="stop", pause=True))
    # when
    paused = await tried.run()
    tried.world.control(name, Control(id="go", resume=ResumeRequest()))
    status = await tried.run()
    # then
    assert paused.state is State.PAUSED
    assert status.state is State.SUCCESS


LISTENER = f"""
---
id: listener
inputs: [{{id: word, type: STRING}}]
triggers:
  - id: on-tried
    type: {CORE}.trigger.Flow
    inputs: {{word: "{{{{ trigger.outputs.word }}}}"}}
    conditions:
      - {{type: {CORE}.condition.ExecutionFlow, namespace: company.team, flowId: tried}}
tasks: [{{id: say, {RETURN}, format: "{{{{ inputs.word }}}} of {{{{ trigger.flowId }}}}"}}]
"""
SPEAKER = f"""
tasks: [{{id: a, {RETURN}, format: hello}}]
outputs: [{{id: word, type: STRING, value: "{{{{ outputs.a.value }}}}"}}]
"""


async def test_an_execution_that_ends_starts_those_that_listen(try_: Try, hall: Hall) -> None:
    # given
    tried = try_(SPEAKER + LISTENER)
    # when
    await tried.run()
    # then
    (listener,) = tried.others()
    assert listener.status.task_runs[0].outputs == {"value": "hello of tried"}
    assert hall.opened_[1] == ("company.team.listener", tried.execution.name)


async def test_an_input_that_cannot_be_rendered_starts_nothing_and_is_told(
    try_: Try, hall: Hall
) -> None:
    # given
    tried = try_(SPEAKER + LISTENER.replace("outputs.word }}", "outputs.wrd }}"))
    # when
    await tried.run()
    # then
    assert tried.others() == []
    told = [item.message for item in hall.seen[0].reports if item.reason == "TriggerFailed"]
    assert told[0].startswith("company.team.listener, trigger on-tried: Unable to find `wrd`")


async def test_a_disabled_trigger_starts_nothing(try_: Try) -> None:
    # given
    tried = try_(SPEAKER + LISTENER.replace("id: on-tried", "id: on-tried\n    disabled: true"))
    # when
    await tried.run()
    # then
    assert tried.others() == []


async def test_flows_that_start_each_other_come_to_an_end(try_: Try, hall: Hall) -> None:
    # given
    def listens(flow_id: str) -> str:
        return f"""
triggers: [{{id: t, type: {CORE}.trigger.Flow, conditions: [
    {{type: {CORE}.condition.ExecutionFlow, namespace: company.team, flowId: {flow_id}}}]}}]
tasks: [{{id: a, {LOG}, message: x}}]
"""

    tried = try_(f"{listens('other')}---\nid: other\n{listens('tried')}")
    # when
    await tried.run()
    # then
    told = [item.message for seen in hall.seen for item in seen.reports]
    assert [text for text in told if "start each other without end" in text]
    assert {item.status.state for item in tried.world} == {State.SUCCESS}


WAITS = f"""
tasks:
  - {{id: wait, {PAUSE}, delay: PT0.1S}}
  - {{id: sleep, type: {CORE}.flow.Sleep, duration: PT0.1S}}
"""


def listening(states: str, tasks: str, more: str = "") -> str:
    """A flow that listens to the one that is tried."""
    return f"""
---
id: listener
{more}
triggers:
  - id: on-tried
    type: {CORE}.trigger.Flow
    states: [{states}]
    conditions:
      - {{type: {CORE}.condition.ExecutionFlow, namespace: company.team, flowId: tried}}
tasks: [{tasks}]
"""


async def test_those_that_listen_start_at_each_transition(try_: Try) -> None:
    # given
    say = f"{{id: say, {RETURN}, format: '{{{{ trigger.state }}}}'}}"
    tried = try_(WAITS + listening("RUNNING, PAUSED, SUCCESS", say))
    # when
    status = await tried.run()
    # then
    assert history(status) == ["CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS"]
    told = [(item.status.task_runs[0].outputs or {})["value"] for item in tried.others()]
    assert told == ["RUNNING", "PAUSED", "RUNNING", "SUCCESS"]


@pytest.mark.parametrize(
    ("task", "state", "message"),
    [
        (f"{{id: a, {LOG}, message: it ran}}", "SUCCESS", ""),
        (f"{{id: a, {RETURN}, format: '{{{{ inputs.must ?? 1 }}}}'}}", "SUCCESS", ""),
        (f"{{id: a, {RETURN}, format: '{{{{ inputs.must }}}}'}}", "FAILED", "inputs.must"),
        (f"{{id: a, {RETURN}, format: '{{{{ inputs.size + 1 }}}}'}}", "SUCCESS", ""),
    ],
)
async def test_a_flow_trigger_starts_a_flow_whose_required_inputs_it_lacks(
    try_: Try, task: str, state: str, message: str
) -> None:
    # given
    inputs = "inputs: [{id: must, type: STRING}, {id: size, type: INT, defaults: 3}]"
    tried = try_(SPEAKER + listening("SUCCESS", task, inputs))
    # when
    await tried.run()
    # then
    (listener,) = tried.others()
    assert listener.status.state == state, listener.status.message
    assert message in (listener.status.message or "")
    assert listener.status.inputs == {"size": 3}


async def test_a_flow_trigger_gives_inputs_of_rendered_names(try_: Try) -> None:
    # given
    given = LISTENER.replace("inputs: {word:", "inputs: {'{{ trigger.flowId }}_word':")
    tried = try_(
        SPEAKER
        + given.replace("id: word, type", "id: tried_word, type").replace(
            "inputs.word", "inputs.tried_word"
        )
    )
    # when
    await tried.run()
    # then
    (listener,) = tried.others()
    assert listener.status.task_runs[0].outputs == {"value": "hello of tried"}
