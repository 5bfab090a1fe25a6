"""SetVariables: change the variables of the execution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene


class SetVariables(InstantTask):
    """Sets variables, which expressions see as `vars.…` from then on.

    ```yaml
    id: remember
    type: io.kestra.plugin.core.execution.SetVariables
    variables:
      total: "{{ outputs.count.vars.total }}"
    ```
    """

    variables: dict[str, Any]
    """The variables by name. A map is merged deeply into the one that is there, and a list gets the
    elements that it lacks. What an expression gives is text, and is not rendered once more.
    Rendered."""
    overwrite: bool = True
    """Whether variables that there are may be replaced; else the task fails."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        values = evaluator.render_tree(self.variables)
        taken = [name for name in values if name in scene.variables]
        if taken and not self.overwrite:
            raise InstantFailure(f"there are variables of these names: {', '.join(taken)}")
        return Effect(variables=_merged(scene.variables, values))


def _merged(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Merge maps deeply, as Kestra's `MapUtils.deepMerge` does."""
    return {**known, **{key: _value(known.get(key), value) for key, value in given.items()}}


def _value(known: Any, given: Any) -> Any:
    if given is None:
        return known
    if isinstance(known, Mapping) and isinstance(given, Mapping):
        return _merged(known, given)
    if isinstance(known, list) and isinstance(given, list):
        there = set(map(_text, known))
        return [*known, *(item for item in given if _text(item) not in there)]
    return given


def _text(item: Any) -> str:
    """Write an element of a list as text that tells it from others, also 1 from true."""
    return json.dumps(item, sort_keys=True)
