"""The KeyValue reconciler: keys whose time is over go, and one of two for one key is told so."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.cluster.key_value_objects import applied, expiration
from penstock.cluster.key_value_writer import IsRecorded
from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import KEY_VALUES, Api, Object
from penstock.kubernetes.api.large_values import cut_size
from penstock.nesting import TOO_DEEP, is_deeper
from penstock.tasks.contract.kv_effects import MAX_VALUE_BYTES

UNRECORDED_DELAY = 1.0
"""Seconds after which to look again whether the end of an attempt is recorded."""


class KeyValueReconciler:
    """Looks after one KeyValue."""

    def __init__(
        self,
        api: Api,
        objects: ObjectStore,
        index: KeyValueIndex,
        is_recorded: IsRecorded,
        recorder: Recorder,
    ) -> None:
        self._api = api
        self._objects = objects
        self._index = index
        self._is_recorded = is_recorded
        self._recorder = recorder
        self._told: dict[str, str] = {}
        """Which object counts in place of one, by the uid of the one that was told."""
        self._told_unreadable: set[str] = set()
        """The uids of those of which it was told that no flow can read them."""

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to look again, or None."""
        keyvalue = self._objects.get(namespace, name)
        if keyvalue is None or not self._index.is_listed:
            return None  # it is reconciled once all are listed
        self._tell_rival(keyvalue)
        self._tell_unreadable(keyvalue)
        expires = expiration(keyvalue)
        if expires is None:
            return None
        left = (expires - datetime.now(UTC)).total_seconds()
        if left > 0:
            return left
        if not all(self._is_recorded(namespace, attempt) for attempt in applied(keyvalue)):
            return UNRECORDED_DELAY
        meta = keyvalue["metadata"]
        # One that was given more time meanwhile has another version, and stays.
        await self._api.delete(KEY_VALUES, namespace, name, meta["uid"], meta["resourceVersion"])
        return None

    def forget(self, keyvalue: Object) -> None:
        """Take in that a KeyValue is gone."""
        self._told.pop(keyvalue["metadata"]["uid"], None)
        self._told_unreadable.discard(keyvalue["metadata"]["uid"])

    def _tell_unreadable(self, keyvalue: Object) -> None:
        uid, problem = keyvalue["metadata"]["uid"], _why_unreadable(keyvalue)
        if problem is None:
            self._told_unreadable.discard(uid)
        elif uid not in self._told_unreadable:
            self._told_unreadable.add(uid)
            reason, words = problem
            message = f"the value of the key `{keyvalue['spec']['key']}` {words}"
            self._recorder.record(keyvalue, Report(reason, message, warning=True))

    def _tell_rival(self, keyvalue: Object) -> None:
        uid, rival = keyvalue["metadata"]["uid"], self._index.rival(keyvalue)
        if rival is None:
            self._told.pop(uid, None)
        elif self._told.get(uid) != rival["metadata"]["uid"]:
            self._told[uid] = rival["metadata"]["uid"]
            spec = keyvalue["spec"]
            message = (
                f"the KeyValue {rival['metadata']['name']} has the key `{spec['key']}` of the "
                f"namespace `{spec['namespace']}` already, and is older: this one counts for "
                "nothing; delete one of the two"
            )
            self._recorder.record(keyvalue, Report("DuplicateKey", message, warning=True))


def _why_unreadable(keyvalue: Object) -> tuple[str, str] | None:
    """Say why no flow can read a value, as a reason and words; None where flows can."""
    if is_deeper(keyvalue["spec"].get("value")):
        return "TooDeep", f"is {TOO_DEEP}: no flow can read it"
    if (size := cut_size(keyvalue)) is not None:
        kib = MAX_VALUE_BYTES // 1024
        words = (
            f"has {size} bytes, and a key holds {kib} KiB: no flow can read it; keep it in a file"
        )
        return "TooLarge", words
    return None
