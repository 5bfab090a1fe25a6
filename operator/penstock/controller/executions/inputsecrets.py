"""The values of inputs of type SECRET, kept in Secrets that the Execution owns.

The controller may make Secrets and not read any: it writes the values there once, and from then on
it knows them by name only, as it does all others. Once the status names the Secret, the text is
taken out of the spec.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock.controller.runtime.recorder import Recorder
from penstock.engine.interface.actions import KeepSecrets, Report
from penstock.kubernetes.api.client import EXECUTIONS, SECRETS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import owned_meta
from penstock.kubernetes.secrets.redaction import hiding


class InputSecrets:
    """Makes the Secrets of executions, and hides the texts that are in them."""

    def __init__(self, api: Api, recorder: Recorder, seen: Callable[[Object], None]) -> None:
        self._api = api
        self._recorder = recorder
        self._seen = seen
        self._shown: set[str] = set()
        """The uids of executions in whose spec the texts have to stay."""

    async def keep(self, execution: Object, wanted: KeepSecrets) -> None:
        """Let there be the Secret. One that is there was left by a controller that was stopped
        before it wrote the status."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": owned_meta(execution, wanted.name),
            "immutable": True,
            "stringData": dict(wanted.values),
        }
        try:
            await self._api.create(SECRETS, execution["metadata"]["namespace"], body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    async def hide(self, execution: Object) -> Object:
        """Let the spec name Secrets where the status says that they are there. The execution as
        it is then."""
        meta = execution["metadata"]
        patch = None if meta["uid"] in self._shown else hiding(execution)
        if patch is None:
            return execution
        try:
            changed = await self._api.patch(EXECUTIONS, meta["namespace"], meta["name"], patch)
        except ApiError as error:
            if error.transient or error.conflict or error.not_found:
                raise
            # Such as a CRD of before: the execution itself can go on.
            self._shown.add(meta["uid"])
            text = (
                "the text of an input of type SECRET can't be taken out of the spec: the API "
                f"server answers {error.reason}; are the CRDs those of this version?"
            )
            self._recorder.record(execution, Report("SecretNotHidden", text, warning=True))
            return execution
        self._seen(changed)
        return changed

    def forget(self, execution: Object) -> None:
        self._shown.discard(execution["metadata"]["uid"])
