"""The values of inputs of type SECRET, kept in Secrets that the Execution owns.

The controller may make Secrets and not read any: it writes the values there once, and from then on
it knows them by name only, as it does all others. Once the status names the Secret, the text is
taken out of the spec.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.outcomes import exists_already, is_passing
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.interface.actions import KeepSecrets, Report
from penstock.kubernetes.api.client import EXECUTIONS, SECRETS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import owned_meta
from penstock.kubernetes.secrets.redaction import hiding


@dataclass
class _Texts:
    """What is known of the texts of one execution: a slot of its memory."""

    must_stay: bool = False
    """Whether the API server has refused to have them taken out of the spec."""


class InputSecrets:
    """Makes the Secrets of executions, and hides the texts that are in them."""

    def __init__(
        self,
        api: Api,
        memories: ExecutionMemories,
        recorder: Recorder,
        seen: Callable[[Object], None],
    ) -> None:
        """``seen`` takes in an Execution as a call has returned it."""
        self._api = api
        self._memories = memories
        self._recorder = recorder
        self._seen = seen

    async def keep(self, execution: Object, wanted: KeepSecrets) -> None:
        """Let there be the Secret. One that is there was left by a controller that was stopped
        before it wrote the status."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": owned_meta(execution, wanted.name),
            "immutable": True,
            "stringData": dict(wanted.values),
        }
        try:
            await self._api.create(SECRETS, execution["metadata"]["namespace"], secret)
        except ApiError as error:
            if not exists_already(error):
                raise

    async def hide(self, execution: Object) -> Object:
        """Let the spec name Secrets where the status says that they are there. Returns the
        execution as it is then."""
        meta = execution["metadata"]
        patch = hiding(execution)
        if patch is None or self._must_stay(meta["uid"]):
            return execution
        try:
            changed = await self._api.patch(EXECUTIONS, meta["namespace"], meta["name"], patch)
        except ApiError as error:
            if is_passing(error):
                raise
            # Such as a CRD of before: the execution itself can go on.
            self._memories.of(meta["uid"], _Texts).must_stay = True
            text = (
                "the text of an input of type SECRET can't be taken out of the spec: the API "
                f"server answers {error.reason}; are the CRDs those of this version?"
            )
            self._recorder.record(execution, Report("SecretNotHidden", text, warning=True))
            return execution
        self._seen(changed)
        return changed

    def _must_stay(self, uid: str) -> bool:
        texts = self._memories.look(uid, _Texts)
        return texts is not None and texts.must_stay
