"""Labels: put labels on the execution."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.flow.document import labels_as_map
from penstock.flow.values import parse_json


class Labels(InstantTask):
    """Adds labels to the execution; those of the same key are replaced.

    ```yaml
    id: mark
    type: io.kestra.plugin.core.execution.Labels
    labels:
      city: "{{ inputs.city }}"
    ```
    """

    labels: Annotated[dict[str, Any] | str, BeforeValidator(labels_as_map)]
    """A map, a list of `key` and `value`, or the JSON text of a map. Rendered."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        given = self.labels
        if isinstance(given, str):
            rendered: Any = _from_json(evaluator.render(given))
        else:
            rendered = {
                evaluator.render(key): _text(evaluator, key, value) for key, value in given.items()
            }
        for key, value in rendered.items():
            if not key:
                raise InstantFailure("a label needs a key")
            if key.startswith("system."):
                raise InstantFailure(
                    f"System labels can only be set by Kestra itself, offending label: {key}"
                )
            if not isinstance(value, str):
                raise InstantFailure(f"the label `{key}` must be text")
        return Effect(labels={**scene.labels, **rendered})


def _text(evaluator: Evaluator, key: str, value: Any) -> str:
    if not isinstance(value, str | bool | int | float):
        raise InstantFailure(f"the label `{key}` must be text")
    return evaluator.render(value) or ""


def _from_json(text: str | None) -> dict[str, Any]:
    try:
        value = parse_json(text or "")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InstantFailure("`labels` must be a map, or the JSON text of one")
    return value
