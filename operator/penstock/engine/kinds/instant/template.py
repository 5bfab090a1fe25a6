"""Template: tasks that Kestra once kept apart from flows."""

from __future__ import annotations

from typing import Any

from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.flow.task import AnyTask


class Template(InstantTask):
    """Deprecated: use Subflow. There are no templates here, so it fails as in a Kestra that lacks
    the template that is named.

    ```yaml
    id: old
    type: io.kestra.plugin.core.flow.Template
    namespace: company.team
    templateId: shared
    ```
    """

    namespace: str
    """The namespace of the template."""
    template_id: str
    """The id of the template."""
    args: dict[str, Any] = {}
    """What the template is given."""
    errors: list[AnyTask] = []
    """Kept for compatibility: the task has no children that could fail."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        raise InstantFailure(f"Can't find flow template '{self.namespace}.{self.template_id}'")
