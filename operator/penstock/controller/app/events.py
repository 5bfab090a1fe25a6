"""What each piece of news leads to: who is reconciled, and what else follows.

| news | leads to |
|---|---|
| a Flow or GitSource is new | before an execution of its namespace begins, it is looked at whether the namespace is still the same |
| a Flow is seen | it is reconciled; where its spec changed, the first of its executions that wait too, as its limit may be another, and its TriggerStates |
| a Flow is gone | its revisions in memory go, and it is reconciled once more, which deletes those that nobody runs; another one of its namespace and id is reconciled, which counts now |
| an Execution is seen | it is reconciled; where its state or the result of a control is news, its makers, those whose task waits for it and the Flow triggers that may listen to it too |
| an Execution's status is written | the same for makers and those that wait; its Flow, some time later, where it began or ended; the TriggerState of the trigger that started it, where it ended |
| an Execution has ended or is gone, however that became known | those are reconciled for whom its slots are free now (`concurrency.calls`) |
| an Execution is gone | its memory goes, its files and logs are deleted; its makers, those that wait for it and the TriggerState of the trigger that started it are reconciled |
| a TriggerState is seen | it is reconciled; its Flow, some time later |
| a TriggerState is gone | its Flow is reconciled, which makes it anew |
| a Job or a pod is seen or gone | its attempt is another, and its Execution is reconciled; the pod's log is archived; where it does not start any more, the next Job of its namespace that waits for that is made |
| a GitSource is seen or gone | it is reconciled, by workers of its own; where it is gone, or its spec is another, what Git does for it ends |
| the Deployment of a listener is seen or gone, or a TriggerState that one serves was reconciled or is gone | the listener of the namespace is reconciled, some time later |
| a KeyValue is seen or gone | it is reconciled |

News comes from watches, from lists, and from the answers to the controller's own calls. Nothing here
waits, and nothing is decided: what is told twice, or late, costs a reconcile.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cachetools import FIFOCache

from penstock.cluster.flows import flow_name
from penstock.controller.app.reconcilers import Reconcilers
from penstock.controller.app.stores import Stores
from penstock.controller.attempts.starting_jobs import StartingJobs
from penstock.controller.concurrency.calls import SlotCalls
from penstock.controller.executions.related import makers_of
from penstock.controller.executions.resume_task import WaitsForExecution
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.controller.gc.orphaned_files import OrphanedFiles
from penstock.controller.listeners.deployments import DELAY as LISTENER_DELAY
from penstock.controller.listeners.deployments import key_of
from penstock.controller.logs.archiver import Logs
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import version_of
from penstock.controller.runtime.keys import started_by
from penstock.controller.runtime.queue import Key
from penstock.controller.triggers.listeners import Listeners
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import EXECUTION_NAME
from penstock.kubernetes.observation.podstatus import gone
from penstock.resources.execution import ExecutionStatus
from penstock.resources.flow_leave import leave_of
from penstock.resources.trigger_state import trigger_state_name

FLOW_DELAY = 1.0
"""Seconds for which what executions did to their flow is gathered: it only changes a column."""
_TOLD = 20_000
"""Executions of which it is known what was told last; of others it is told once more."""


@dataclass(frozen=True)
class Told:
    """Who takes in what is seen and what is gone, beside those that reconcile."""

    logs: Logs
    orphaned_files: OrphanedFiles
    folders: TenantFolders
    starting: StartingJobs
    slots: SlotCalls
    listeners: Listeners


class Events:
    """Takes in news, and marks who has to look at it."""

    def __init__(
        self,
        stores: Stores,
        attempts: AttemptStore,
        memories: ExecutionMemories,
        reconcilers: Reconcilers,
        told: Told,
    ) -> None:
        self._stores = stores
        self._attempts = attempts
        self._memories = memories
        self._reconcilers = reconcilers
        self._logs = told.logs
        self._orphaned_files = told.orphaned_files
        self._starting = told.starting
        self._folders = told.folders
        self._slots = told.slots
        self._listeners = told.listeners
        self._told: FIFOCache[str, object] = FIFOCache(_TOLD)
        """What relatives were last told of an execution, by its uid."""
        stores.flows.on_removed(self.flow_gone)
        stores.executions.on_removed(self.execution_gone)
        stores.sources.on_removed(self.source_gone)
        stores.keyvalues.on_removed(self.keyvalue_gone)
        stores.triggers.on_removed(self.trigger_gone)
        stores.deployments.on_removed(self.listener_gone)

    def flow_seen(self, flow: Object) -> None:
        """Take in a Flow. Executions that wait for it look again by themselves."""
        meta = flow["metadata"]
        before = self._stores.flows.get(meta["namespace"], meta["name"])
        if self._stores.flows.put(flow):
            self._reconcilers.add("Flow", flow)
            self._doubt_namespace(flow, before)
            if leave_of(before) != leave_of(flow):
                for key in self._listeners.leave_changed(flow):
                    self._reconcilers.add_key(key)
            if before is None or before["metadata"].get("generation") != meta.get("generation"):
                self._slots.flow_changed(meta["namespace"], meta["name"])
                for state in self._stores.triggers.find((meta["namespace"], meta["name"])):
                    self._reconcilers.add("TriggerState", state)

    def flow_gone(self, flow: Object) -> None:
        """Take in that a Flow is gone."""
        self._reconcilers.removed("Flow", flow)
        self._reconcilers.add("Flow", flow)
        for other in self._stores.flows.find((flow["metadata"]["namespace"], *flow_name(flow))):
            self._reconcilers.add("Flow", other)

    def execution_seen(self, execution: Object) -> None:
        """Take in an Execution, as a watch, a list or a call has shown it."""
        if self._stores.executions.put(execution):
            self._reconcilers.add("Execution", execution)
            self._tell_relatives(execution)

    def execution_written(
        self, execution: Object, before: ExecutionStatus | None, status: ExecutionStatus
    ) -> None:
        """Take in that a new status of an Execution was written."""
        namespace = execution["metadata"]["namespace"]
        flow = None if status.flow is None else status.flow.name
        was_open = before is not None and not before.state.terminated
        if flow is not None and (status.state.terminated or not was_open):
            self._reconcilers.queue.add_later(Key("Flow", namespace, flow), FLOW_DELAY)
        if status.state.terminated:
            self._tell_trigger(execution)
        written = self._stores.executions.get(namespace, execution["metadata"]["name"])
        if written is not None:
            self._tell_relatives(written)

    def execution_gone(self, execution: Object) -> None:
        """Take in that an Execution is gone: nothing of it is remembered."""
        meta = execution["metadata"]
        self._memories.forget(meta["uid"])
        self._told.pop(meta["uid"], None)
        self._orphaned_files.removed(execution)
        self._logs.execution_gone(execution)
        self._look_again(execution, makers_of(execution))
        self._tell_trigger(execution)

    def execution_ready(self, execution: Object) -> None:
        """Take in that an Execution can be decided again, as what it lacked is there."""
        self._reconcilers.add("Execution", execution)

    def source_seen(self, source: Object) -> None:
        """Take in a GitSource. What Git does for another spec of it is of no use any more."""
        meta = source["metadata"]
        before = self._stores.sources.get(meta["namespace"], meta["name"])
        if self._stores.sources.put(source):
            if before and before["metadata"].get("generation") != meta.get("generation"):
                self._reconcilers.removed("GitSource", before)
            self._doubt_namespace(source, before)
            self._reconcilers.add("GitSource", source)

    def source_gone(self, source: Object) -> None:
        """Take in that a GitSource is gone."""
        self._reconcilers.removed("GitSource", source)
        self._reconcilers.add("GitSource", source)

    def trigger_seen(self, state: Object) -> None:
        """Take in a TriggerState. Its Flow shows the next date of all of them in a column. That
        the reconciler's own write comes back from the watch calls for nothing."""
        meta = state["metadata"]
        before = self._stores.triggers.get(meta["namespace"], meta["name"])
        if self._stores.triggers.put(state):
            if before is None or version_of(before) != version_of(state):
                self._reconcilers.add("TriggerState", state)
            self._reconcilers.queue.add_later(_flow_of(state), FLOW_DELAY)

    def trigger_gone(self, state: Object) -> None:
        """Take in that a TriggerState is gone: that of a trigger that is still there is made
        anew."""
        self._listeners.remove(state)
        self._reconcilers.removed("TriggerState", state)
        self._reconcilers.add_key(_flow_of(state))

    def listener_seen(self, deployment: Object) -> None:
        """Take in the Deployment of a namespace's listener."""
        if self._stores.deployments.put(deployment):
            self._look_at_listener(deployment)

    def listener_gone(self, deployment: Object) -> None:
        """Take in that the Deployment of a listener is gone: it is made anew where it is needed."""
        self._look_at_listener(deployment)

    def _look_at_listener(self, deployment: Object) -> None:
        key = key_of(deployment["metadata"]["namespace"])
        self._reconcilers.queue.add_later(key, LISTENER_DELAY)

    def keyvalue_seen(self, keyvalue: Object) -> None:
        """Take in a KeyValue."""
        if self._stores.keyvalues.put(keyvalue):
            self._reconcilers.add("KeyValue", keyvalue)

    def keyvalue_gone(self, keyvalue: Object) -> None:
        """Take in that a KeyValue is gone."""
        self._reconcilers.removed("KeyValue", keyvalue)

    def job_seen(self, job: Object) -> None:
        """Take in a Job of an attempt."""
        for own in self._attempts.put_job(job):
            self._logs.seen(own)
        self._add_owner(job)

    def job_gone(self, job: Object) -> None:
        """Take in that a Job of an attempt is gone."""
        self._attempts.remove_job(job)
        self._starting.left(job["metadata"]["namespace"], job["metadata"]["name"])
        self._add_owner(job)

    def pod_seen(self, pod: Object) -> None:
        """Take in a pod of an attempt, or of several."""
        self._starting.pod_seen(pod)
        for own in self._attempts.put_pod(pod):
            self._logs.seen(own)
        self._add_owner(pod)

    def pod_gone(self, pod: Object) -> None:
        """Take in that a pod is gone: its last state may tell how its attempt ended."""
        self.pod_seen(gone(pod))

    def _doubt_namespace(self, seen: Object, before: Object | None) -> None:
        """Let it be looked at whether the namespace of a new object is a new one as well."""
        if before is None or before["metadata"]["uid"] != seen["metadata"]["uid"]:
            self._folders.doubt(seen["metadata"]["namespace"])

    def _tell_trigger(self, execution: Object) -> None:
        """Let the trigger that started an Execution look whether it may start the next."""
        by = started_by(execution)
        if by is not None:
            name = trigger_state_name(by.flow, by.trigger)
            self._reconcilers.add_key(Key("TriggerState", by.namespace, name))

    def _add_owner(self, owned: Object) -> None:
        """Let the Execution of a Job or pod be reconciled, which names it in an annotation."""
        meta = owned["metadata"]
        name = (meta.get("annotations") or {}).get(EXECUTION_NAME)
        if name:
            self._reconcilers.add_key(Key("Execution", meta["namespace"], name))

    def _tell_relatives(self, execution: Object) -> None:
        """Let those look again that want to know how an execution is, where that is news."""
        uid, status = execution["metadata"]["uid"], execution.get("status") or {}
        news = (status.get("state"), [result["id"] for result in status.get("controls", [])])
        if self._told.get(uid) == news:
            return self._look_again(execution, ())
        self._told[uid] = news
        self._look_again(execution, makers_of(execution))
        for key in self._listeners.tell(execution):
            self._reconcilers.add_key(key)

    def _look_again(self, execution: Object, names: Iterable[str]) -> None:
        """Let executions of these names look again, and those whose task waits for this one."""
        meta = execution["metadata"]
        for name in names:
            self._reconcilers.add_key(Key("Execution", meta["namespace"], name))
        waits = WaitsForExecution(meta["namespace"], meta["name"])
        for uid, waiting in self._memories.marked(waits).items():
            self._memories.unmark(uid, waits)
            self._reconcilers.add_key(waiting)


def _flow_of(state: Object) -> Key:
    """Tell the key of the Flow that a TriggerState names."""
    return Key("Flow", state["metadata"]["namespace"], str(state["spec"].get("flow")))
