"""Keeps what a control gives as text, although it is to be secret, in a Secret of the execution, by
whose name it is known from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.engine.decision.decision import Decision
from penstock.engine.decision.inputs import kept_apart, secret_texts
from penstock.engine.interface.identity import control_secret
from penstock.flow.inputs import Input
from penstock.flow.values import type_value
from penstock.resources.execution import Control


class ControlSecrets:
    """The secrets that one control gives as text."""

    def __init__(self, decision: Decision, control: Control) -> None:
        identity = decision.identity
        self._decision = decision
        self._name = control_secret(identity.name, identity.uid, control.id)
        self._control = control

    def keep(self) -> list[str]:
        """Let a Secret hold the texts, whether the control can be done or not; give their ids."""
        return self._keep(self._texts() if self._decision.names_secrets else {})

    def by_reference(self, declared: Sequence[Input], inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Put the name of the Secret in the place of each input's text that is to be secret."""
        if not self._decision.names_secrets:
            return dict(inputs)
        named, texts = kept_apart(declared, inputs, self._name)
        self._keep(texts)
        return named

    def checked(self, declared: Sequence[Input], given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the inputs of another execution, since that can't look at secret texts any more.

        Raises ``InvalidInput``.
        """
        for item in declared:
            if item.id in secret_texts(declared, given):
                type_value(item, given[item.id])
        return self.by_reference(declared, given)

    def _keep(self, texts: Mapping[str, str]) -> list[str]:
        if texts:
            self._decision.kept.setdefault(self._name, {}).update(texts)
        return sorted(texts)

    def _texts(self) -> dict[str, str]:
        tree, control = self._decision.compiled.tree, self._control
        if control.replay is not None:
            return secret_texts(tree.flow.inputs, control.replay.inputs)
        if control.resume is not None:
            return secret_texts(tree.asked_of(control.resume.task), control.resume.inputs)
        return {}
