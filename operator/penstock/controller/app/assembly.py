"""The controller, put together: stores, reconcilers and the queue between them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path

from penstock.cluster.key_value_writer import KeyValueWriter
from penstock.controller.attempts.job_factory import JobFactory
from penstock.controller.attempts.jobs import Jobs
from penstock.controller.attempts.pending import Pending
from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.attempts.working_directories import WorkingDirectories
from penstock.controller.executions.actions import Actions
from penstock.controller.executions.cluster_tasks import ClusterTasks
from penstock.controller.executions.concurrency import ConcurrencyLimits
from penstock.controller.executions.decisions import Decisions
from penstock.controller.executions.expression_functions import ExpressionFunctions
from penstock.controller.executions.expression_reads import ExpressionReads
from penstock.controller.executions.fileinputs import FileInputs
from penstock.controller.executions.inputsecrets import InputSecrets
from penstock.controller.executions.reconciler import ExecutionReconciler
from penstock.controller.executions.related import RelatedExecutions
from penstock.controller.executions.resolution import Resolution
from penstock.controller.executions.status_store import StatusStore
from penstock.controller.files.access import FileAccess
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.files.grants import Grants
from penstock.controller.files.provenance import Provenance
from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.flows.reconciler import FlowReconciler
from penstock.controller.flows.revisions import Revisions
from penstock.controller.gc.orphaned_files import OrphanedFiles
from penstock.controller.gc.package_cache import PackageCleaner
from penstock.controller.gc.purge_tasks import PurgeTasks
from penstock.controller.gc.retention import Retention
from penstock.controller.gitsources.namespacefiles import NamespaceFolders
from penstock.controller.gitsources.reconciler import GitSourceReconciler
from penstock.controller.keyvalues.index import KeyValueIndex, pair_keys
from penstock.controller.keyvalues.reconciler import KeyValueReconciler
from penstock.controller.keyvalues.task_effects import TaskEffects, recorded_in
from penstock.controller.logs.archiver import Logs
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.informer import Informer
from penstock.controller.runtime.keys import execution_keys, flow_keys
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.outcomes import Outcome, after, outcome_of
from penstock.controller.runtime.queue import Key, KeyedQueue
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.settings import Settings
from penstock.controller.runtime.throttle import Throttle
from penstock.controller.runtime.waits import Told, Waits
from penstock.controller.triggers.clock import Clock
from penstock.controller.triggers.starter import Starter
from penstock.kubernetes.api.client import (
    EXECUTIONS,
    FLOWS,
    GIT_SOURCES,
    JOBS,
    KEY_VALUES,
    PODS,
    Api,
    Object,
)
from penstock.kubernetes.api.labels import EXECUTION_NAME, EXECUTION_UID
from penstock.kubernetes.jobs.job import JobDefaults
from penstock.kubernetes.observation.podstatus import gone
from penstock.kubernetes.observation.shared_pod import attempts_in
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import TaskRunArchive
from penstock.resources.execution import ExecutionStatus, State

SOURCE_WORKERS = 4
"""GitSources have workers of their own: remotes that hang must not hold up executions."""
FLOW_DELAY = 1.0
"""Seconds for which what executions did to their flow is gathered: it only changes a column."""

Reconcile = Callable[[str, str], Awaitable[float | None]]


class Operator:
    """Everything that lives as long as the controller does."""

    def __init__(self, api: Api, settings: Settings, metrics: Metrics, cache: Path) -> None:
        self.api = api
        self.settings = settings
        self.metrics = metrics
        self.flows = ObjectStore(flow_keys, self._flow_gone)
        self.executions = ObjectStore(execution_keys, self._execution_gone)
        self.sources = ObjectStore(removed=self._source_gone)
        self.pairs = ObjectStore(pair_keys, self._pair_gone)
        pairs = KeyValueIndex(self.pairs)
        self.attempts = AttemptStore()
        self.recorder = Recorder(api)
        self.storage = StorageAccess(api, settings.storage)
        self.queue = KeyedQueue(self._reconcile, settings.workers)
        self.logs = Logs(api, self.storage, self.executions, self.queue.add_later)
        self._source_queue = KeyedQueue(self._reconcile, SOURCE_WORKERS)
        self.listed = asyncio.Event()
        """Set once everything that is there was looked at."""
        is_recorded = partial(recorded_in, self.executions)
        writer = KeyValueWriter(api, pairs, is_recorded)
        provenance = Provenance(lambda: self.storage.key)
        places = FileAccess(self.executions, provenance)
        reading = ExpressionReads(self.storage.storage, places)
        self._purges = OrphanedFiles(self.storage.root, self.executions, settings.namespaces)
        functions = ExpressionFunctions(reading.readers, partial(self._add, "Execution"), pairs.of)
        revisions = Revisions(api, settings.limits, functions.of)
        self._flow_reconciler = FlowReconciler(
            api,
            self.flows,
            self.executions,
            revisions,
            Clock(Starter(api, self.executions), pairs),
            Retention(api, self.executions, settings.executions),
            self.recorder,
        )
        secrets = SecretLocations(settings.secrets, self.flows)
        defaults = JobDefaults.from_mapping(settings.jobs)
        pending = Pending(api, settings.pending_timeout_seconds)
        task_pairs = TaskEffects(pairs, writer)
        spared = CachedTasks(self.storage.storage)
        waiting = timedelta(seconds=settings.pending_timeout_seconds)
        blueprints = JobFactory(
            defaults,
            secrets,
            task_pairs,
            Grants(self.storage, places.parents, waiting),
            spared,
        )
        jobs = Jobs(
            api,
            self.attempts,
            blueprints,
            WorkingDirectories(api, self.attempts, defaults, pending),
            Throttle(settings.job_creates_per_second, settings.job_create_burst),
            metrics,
            pending,
            task_pairs,
            self.logs,
            spared,
        )
        archive = TaskRunArchive(api)
        statuses = StatusStore(api, self.executions, OutputsKeeper(api), archive)
        self._turns = ConcurrencyLimits(self.executions, self.flows, revisions)
        self._family = RelatedExecutions(
            api,
            self.executions,
            statuses,
            self.recorder,
            secrets,
            provenance,
            self.execution_seen,
        )
        known = ExecutionIndex(self.executions, places)
        self._commands = ClusterTasks(
            api,
            self.executions,
            self.flows,
            revisions,
            self.attempts,
            known,
            PurgeTasks(api, known, self.storage.storage, pairs, writer, self.queue.add_later),
            secrets,
        )
        starts = Resolution(self.executions, self.flows, revisions, statuses)
        environment = _environment(settings.env_prefix)
        self._execution_reconciler = ExecutionReconciler(
            self.executions,
            statuses,
            starts,
            self._turns,
            Decisions(starts, jobs, self._family, provenance, environment, settings.variables),
            Actions(
                jobs,
                self._family,
                self._commands,
                InputSecrets(api, self.recorder, self.execution_seen),
            ),
            self.attempts,
            jobs,
            self._family,
            self.recorder,
            metrics,
            functions,
            FileInputs(reading, self._purges),
            self.logs.with_place,
            self._execution_changed,
        )
        self._source_reconciler = GitSourceReconciler(
            api,
            self.sources,
            self.flows,
            self.recorder,
            cache,
            NamespaceFolders(self.storage.storage),
        )
        self._pair_reconciler = KeyValueReconciler(
            api, self.pairs, pairs, is_recorded, self.recorder
        )
        self._reconcilers: dict[str, Reconcile] = {
            "Flow": self._flow_reconciler.reconcile,
            "Execution": self._execution_reconciler.reconcile,
            "GitSource": self._source_reconciler.reconcile,
            "KeyValue": self._pair_reconciler.reconcile,
        }
        kinds = {
            "Flow": Told(self.flows, FLOWS),
            "Execution": Told(self.executions, EXECUTIONS),
            "GitSource": Told(self.sources, GIT_SOURCES),
            "KeyValue": Told(self.pairs, None),
        }
        self._waits = Waits(api, self.recorder, kinds)
        self.informers = self._informers()
        metrics.watch_state(self.executions, lambda: self.queue.depth + self._source_queue.depth)

    async def run(self) -> None:
        """Work until cancelled. What is there is listed before anything is decided, so that no
        Job is taken for missing that was only not seen yet.
        """
        for informer in self.informers:
            await informer.list_until_done()
        self.listed.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run())
            tasks.create_task(self._source_queue.run())
            tasks.create_task(self.recorder.run())
            tasks.create_task(self.storage.run())
            tasks.create_task(self._purges.run())
            tasks.create_task(PackageCleaner(self.storage.root, self.settings.namespaces).run())
            tasks.create_task(self.logs.run())
            for informer in self.informers:
                tasks.create_task(informer.run())

    def _informers(self) -> tuple[Informer, ...]:
        """In the order in which they list first: children before their owners."""
        namespaces = self.settings.namespaces
        owned = partial(Informer, self.api, namespaces=namespaces, selector=EXECUTION_UID)
        stored = partial(Informer, self.api, namespaces=namespaces)
        return (
            owned(JOBS, self.attempts.jobs, self.job_seen, self.job_removed),
            owned(PODS, self.attempts.pods, self.pod_seen, self.pod_removed),
            stored(KEY_VALUES, self.pairs.__iter__, self.pair_seen, self.pairs.remove),
            stored(FLOWS, self.flows.__iter__, self.flow_seen, self.flows.remove),
            stored(GIT_SOURCES, self.sources.__iter__, self.source_seen, self.sources.remove),
            stored(
                EXECUTIONS, self.executions.__iter__, self.execution_seen, self.executions.remove
            ),
        )

    def flow_seen(self, body: Object) -> None:
        """A Flow was added or changed. Executions that wait for it look again by themselves; those
        that wait for each other do, as its limit may be another now."""
        meta = body["metadata"]
        known = self.flows.get(meta["namespace"], meta["name"])
        if self.flows.put(body):
            self._add("Flow", body)
            if known is None or known["metadata"].get("generation") != meta.get("generation"):
                self._call_next(meta["namespace"], meta["name"])

    def _flow_gone(self, body: Object) -> None:
        self._flow_reconciler.removed(body)
        self._add("Flow", body)

    def execution_seen(self, body: Object) -> None:
        if self.executions.put(body):
            self._add("Execution", body)
            self._tell(body, self._family.told(body))

    def _execution_gone(self, body: Object) -> None:
        self._execution_reconciler.forget(body)
        self._purges.removed(body)
        self.logs.forget(body)
        self._tell(body, self._family.removed(body))
        flow = ((body.get("status") or {}).get("flow") or {}).get("name")
        if flow:
            self._call_next(body["metadata"]["namespace"], flow)

    def source_seen(self, body: Object) -> None:
        if self.sources.put(body):
            self._add("GitSource", body)

    def _source_gone(self, body: Object) -> None:
        self._source_reconciler.removed(body)
        self._add("GitSource", body)

    def pair_seen(self, body: Object) -> None:
        if self.pairs.put(body):
            self._add("KeyValue", body)

    def _pair_gone(self, body: Object) -> None:
        self._pair_reconciler.forget(body)

    def job_seen(self, body: Object) -> None:
        self.attempts.put_job(body)
        self._add_owner(body)

    def job_removed(self, body: Object) -> None:
        self.attempts.remove_job(body)
        self._add_owner(body)

    def pod_seen(self, body: Object) -> None:
        self.attempts.put_pod(body)
        for own in attempts_in(body):
            self.logs.seen(own)
        self._add_owner(body)

    def pod_removed(self, body: Object) -> None:
        self.pod_seen(gone(body))

    async def _reconcile(self, key: Key) -> Outcome:
        started = time.monotonic()
        try:
            outcome = after(await self._reconcilers[key.kind](key.namespace, key.name))
        except Exception as error:
            outcome = outcome_of(error)
        self.metrics.reconciled(key.kind, time.monotonic() - started)
        await self._waits.tell(key, outcome)
        return outcome

    def _add(self, kind: str, body: Object) -> None:
        meta = body["metadata"]
        self._queue_of(kind).add(Key(kind, meta["namespace"], meta["name"]))

    def _queue_of(self, kind: str) -> KeyedQueue:
        return self._source_queue if kind == "GitSource" else self.queue

    def _add_owner(self, body: Object) -> None:
        """The Execution of a Job or pod, which names it in an annotation."""
        meta = body["metadata"]
        name = (meta.get("annotations") or {}).get(EXECUTION_NAME)
        if name:
            self.queue.add(Key("Execution", meta["namespace"], name))

    def _execution_changed(
        self, body: Object, before: ExecutionStatus | None, status: ExecutionStatus
    ) -> None:
        """A new status was written: whoever waits for it looks again."""
        namespace = body["metadata"]["namespace"]
        flow = None if status.flow is None else status.flow.name
        was_open = before is not None and not before.state.terminated
        if flow is not None and (status.state.terminated or not was_open):
            self.queue.add_later(Key("Flow", namespace, flow), FLOW_DELAY)
        left_queue = (
            before is not None and before.state is State.QUEUED and status.state is not before.state
        )
        if flow is not None and (status.state.terminated or left_queue):
            self._call_next(namespace, flow)
        written = self.executions.get(namespace, body["metadata"]["name"])
        if written is not None:
            self._tell(written, self._family.told(written))

    def _tell(self, body: Object, relatives: Iterable[str]) -> None:
        """Let the relatives of an execution look again, and those whose task waits for it."""
        namespace = body["metadata"]["namespace"]
        for name in (*relatives, *self._commands.waiting_for(body)):
            self.queue.add(Key("Execution", namespace, name))

    def _call_next(self, namespace: str, flow: str) -> None:
        """Let the next of a flow's queue look whether its turn has come; where it has, it calls
        the one behind it."""
        waiting = self._turns.next_in_line(namespace, flow)
        if waiting is not None:
            self._add("Execution", waiting)


def _environment(prefix: str) -> dict[str, str]:
    """What expressions see as `envs.…`: only what an administrator chose by its prefix."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in os.environ.items()
        if prefix and name.startswith(prefix)
    }
