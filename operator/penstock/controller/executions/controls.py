"""Controls that a task puts into the spec of another execution."""

from __future__ import annotations

from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError
from penstock.resources.execution import Control


class ControlFailed(Exception):
    """The execution can't be given the control. `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def add_control(api: Api, namespace: str, name: str, control: Control) -> None:
    """Let the execution have the control in its spec; one of that id is left as it is.

    Raises ``ControlFailed``, and ``ApiError`` for what may be tried again.
    """
    try:
        body = await api.get(EXECUTIONS, namespace, name)
        controls = list((body.get("spec") or {}).get("controls") or ())
        if any(item["id"] == control.id for item in controls):
            return
        written = control.model_dump(mode="json", by_alias=True, exclude_none=True)
        patch = {
            # Guards what others add at the same moment: a patch replaces the whole list.
            "metadata": {"resourceVersion": body["metadata"]["resourceVersion"]},
            "spec": {"controls": [*controls, written]},
        }
        await api.patch(EXECUTIONS, namespace, name, patch)
    except ApiError as error:
        if error.not_found:
            message = f"there is no Execution `{name}` in this namespace"
            raise ControlFailed("ExecutionNotFound", message) from None
        if error.transient or error.conflict:
            raise
        raise ControlFailed(error.reason, f"the control was refused: {error}") from None
