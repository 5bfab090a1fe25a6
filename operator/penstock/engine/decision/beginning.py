"""Beginning: the first status of an execution, with its labels, its typed inputs, what a replay
keeps, and the flow's checks. Nothing of it runs yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.engine.decision.decision import CompiledFlow
from penstock.engine.decision.ending import INTERNAL_ERROR, ended, refuse
from penstock.engine.decision.inputs import InvalidInputs, kept_apart, resolve_inputs
from penstock.engine.decision.restarting import kept_for_replay
from penstock.engine.interface.actions import KeepSecrets, Report, Step
from penstock.engine.interface.identity import Identity, inputs_secret
from penstock.engine.kinds.checks import failed_check
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.transitions import INITIAL, IllegalTransition
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    PinnedFlow,
    State,
    Transition,
)


class Beginning:
    """Begins one execution."""

    def __init__(
        self,
        compiled: CompiledFlow,
        identity: Identity,
        spec: ExecutionSpec,
        now: datetime,
        source: ExecutionStatus | None,
    ) -> None:
        self._compiled = compiled
        self._flow = compiled.tree.flow
        self._identity = identity
        self._spec = spec
        self._now = now
        self._source = source
        """The status of the execution that this one replays, with all its outputs."""
        self._secret = inputs_secret(identity.name, identity.uid)
        self._kept: dict[str, str] = {}
        """Texts of inputs that the Secret is to hold, by the ids of the inputs."""

    def step(self) -> Step:
        """Give the first status: CREATED, or ended where the execution can't begin."""
        status = self._created()
        if self._flow.disabled:
            return refuse(status, "FlowDisabled", "the flow is disabled", self._now)
        trigger = self._spec.trigger
        if trigger is not None and trigger.failure is not None and self._spec.replay is None:
            return refuse(status, "TriggerFailed", trigger.failure, self._now)
        try:
            inputs = self._inputs(status)
        except InvalidInputs as error:
            return refuse(status, "InvalidInputs", str(error), self._now)
        status = status.model_copy(update={"inputs": self._without_secrets(inputs)})
        if self._source is not None and self._spec.replay is not None:
            return self._replayed(status, self._source)
        return self._checked(status)

    def with_secrets(self, step: Step) -> Step:
        """Let the texts of secrets be kept before anything else is done."""
        if not self._kept:
            return step
        return replace(step, actions=(KeepSecrets(self._secret, self._kept), *step.actions))

    def _created(self) -> ExecutionStatus:
        status = ExecutionStatus(
            state=INITIAL,
            history=[Transition(state=INITIAL, date=self._now)],
            flow=PinnedFlow(
                namespace=self._flow.namespace,
                id=self._flow.id,
                revision=self._identity.revision,
            ),
            labels=self._labels(),
            trigger=self._spec.trigger.id if self._spec.trigger else "manual",
            start_date=self._now,
        )
        given = self._without_secrets(self._spec.inputs)
        return status.model_copy(update={"given_inputs": given}) if self._kept else status

    def _labels(self) -> dict[str, str]:
        labels = {
            key: value for key, value in self._flow.labels.items() if not key.startswith("system.")
        }
        if self._source is not None:
            labels |= self._source.labels | {"system.replay": "true"}
            labels["system.correlationId"] = self._identity.name
        labels |= self._spec.labels
        labels.setdefault("system.correlationId", self._identity.name)
        return labels

    def _inputs(self, status: ExecutionStatus) -> dict[str, Any]:
        """Type the inputs, and add defaults. Raises ``InvalidInputs``.

        Nobody is there to be asked where a Flow trigger starts the execution, so it begins
        without the inputs that the trigger does not give, as in Kestra.
        """
        trigger = self._spec.trigger
        return resolve_inputs(
            self._flow.inputs,
            {**(self._source.inputs if self._source is not None else {}), **self._spec.inputs},
            lambda template, known: self._evaluate_input(status, template, known),
            secrets_by_name=self._compiled.names_secrets(self._identity),
            may_lack=trigger is not None and trigger.is_flow_trigger,
        )

    def _evaluate_input(
        self, status: ExecutionStatus, template: Any, known: Mapping[str, Any]
    ) -> Any:
        named, _ = self._parted(known)
        seen = status.model_copy(update={"inputs": named})
        return self._evaluation(seen).of_execution(self._now).evaluate(template)

    def _without_secrets(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Put the name of the Secret in the place of each text that is to be secret."""
        named, texts = self._parted(inputs)
        self._kept |= texts
        return named

    def _parted(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        if not self._compiled.names_secrets(self._identity):
            return dict(inputs), {}
        return kept_apart(self._flow.inputs, inputs, self._secret)

    def _replayed(self, status: ExecutionStatus, source: ExecutionStatus) -> Step:
        """Take over the task runs that a replay keeps."""
        asked = self._spec.replay
        assert asked is not None
        try:
            kept = kept_for_replay(self._compiled.tree, source, asked)
        except IllegalTransition as error:
            return refuse(status, INTERNAL_ERROR, error.told, self._now)
        if kept is None:
            wanted = asked.task or asked.task_run
            message = f"the execution {asked.execution} has no task run of {wanted}"
            return refuse(status, "TaskRunNotFound", message, self._now)
        variables = source.variables if kept else None
        return self._checked(status.model_copy(update={"task_runs": kept, "variables": variables}))

    def _checked(self, status: ExecutionStatus) -> Step:
        """Look at the flow's checks, which may block the execution, fail it, or only warn."""
        failed = failed_check(self._flow, self._evaluation(status).of_execution(self._now))
        if failed is None:
            return Step(status)
        if failed.behavior == "BLOCK_EXECUTION":
            return refuse(status, "CheckFailed", failed.message, self._now)
        if failed.behavior == "FAIL_EXECUTION":
            status = ended(status, State.FAILED, failed.message, self._now)
        return Step(status, reports=(Report("CheckFailed", failed.message, warning=True),))

    def _evaluation(self, status: ExecutionStatus) -> Evaluation:
        compiled = self._compiled
        run_index = TaskRunIndex(status.task_runs, compiled.tree.traits)
        return Evaluation(
            compiled.expressions,
            self._flow,
            self._identity,
            status,
            run_index,
            functions=compiled.functions,
        )
