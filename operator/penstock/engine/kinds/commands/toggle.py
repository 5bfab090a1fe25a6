"""Toggle: enable or disable a trigger."""

from __future__ import annotations

from penstock.engine.interface.actions import Command, ToggleTrigger
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import FlowableError, HandingOn
from penstock.flow.model import RenderedBool


class Toggle(CommandTask):
    """Enables or disables a trigger, until it is toggled again.

    ```yaml
    id: stop_it
    type: io.kestra.plugin.core.trigger.Toggle
    trigger: nightly
    enabled: false
    ```
    """

    trigger: str
    """The id of the trigger. Rendered."""
    namespace: str = "{{ flow.namespace }}"
    """The namespace of its flow; this flow's where it is not given. Rendered."""
    flow_id: str = "{{ flow.id }}"
    """The id of its flow; this flow's where it is not given. Rendered."""
    enabled: RenderedBool = False
    """Whether it is enabled from now on."""

    def command(self, evaluator: HandingOn) -> Command:
        trigger = evaluator.render(self.trigger)
        if not trigger:
            raise FlowableError("`trigger` rendered to nothing")
        return ToggleTrigger(
            namespace=evaluator.render(self.namespace) or "",
            flow_id=evaluator.render(self.flow_id) or "",
            trigger=trigger,
            enabled=holds(self.enabled, evaluator),
        )
