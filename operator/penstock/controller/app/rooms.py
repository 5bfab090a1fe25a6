"""Builds the parts of the controller, room by room: each function takes what was built before, and
nothing here calls back into what is not whole yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from penstock.cluster.key_value_writer import KeyValueWriter
from penstock.controller.app.events import Events, Told
from penstock.controller.app.reconcilers import Reconcilers
from penstock.controller.app.stores import Stores
from penstock.controller.attempts.directory_observation import DirectoryObserver
from penstock.controller.attempts.job_factory import JobFactory
from penstock.controller.attempts.jobs import Jobs
from penstock.controller.attempts.observation import AttemptObserver
from penstock.controller.attempts.pending import Pending
from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.attempts.settle import AttemptEffects
from penstock.controller.attempts.start import AttemptStarter
from penstock.controller.attempts.starting_jobs import StartingJobs
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.attempts.working_directories import WorkingDirectories
from penstock.controller.concurrency.calls import SlotCalls
from penstock.controller.concurrency.slots import SlotLimits
from penstock.controller.executions.abandon import Abandonment
from penstock.controller.executions.actions import Actions
from penstock.controller.executions.cluster_tasks import ClusterTasks
from penstock.controller.executions.concurrency import ConcurrencyLimits
from penstock.controller.executions.decide import Decisions
from penstock.controller.executions.execution_maker import ExecutionMaker
from penstock.controller.executions.expression_functions import ExpressionFunctions
from penstock.controller.executions.expression_http import HttpRules
from penstock.controller.executions.expression_reads import ExpressionReads
from penstock.controller.executions.fileinputs import FileInputs
from penstock.controller.executions.identities import Identities
from penstock.controller.executions.inputsecrets import InputSecrets
from penstock.controller.executions.observe import Observer
from penstock.controller.executions.publisher import StatusPublisher
from penstock.controller.executions.reconciler import ExecutionReconciler
from penstock.controller.executions.related import RelatedExecutions
from penstock.controller.executions.resolution import Resolution
from penstock.controller.executions.resume_task import ResumeTasks
from penstock.controller.executions.settle import Effects
from penstock.controller.executions.status_store import StatusStore
from penstock.controller.executions.toggle_task import ToggleTasks
from penstock.controller.files.access import FileAccess
from penstock.controller.files.arrivals import Arrivals
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.files.grants import Grants
from penstock.controller.files.provenance import Provenance
from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.files.stored_bytes import StoredBytes
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.controller.flows.reconciler import FlowReconciler
from penstock.controller.flows.revisions import Revisions
from penstock.controller.gc.orphaned_files import OrphanedFiles
from penstock.controller.gc.purge_tasks import PurgeTasks
from penstock.controller.gc.retention import Retention
from penstock.controller.gitsources.file_reader import FileReader
from penstock.controller.gitsources.git_client import Git
from penstock.controller.gitsources.namespacefiles import NamespaceFolders
from penstock.controller.gitsources.reconciler import GitSourceReconciler
from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.keyvalues.reconciler import KeyValueReconciler
from penstock.controller.keyvalues.task_effects import TaskEffects, recorded_in
from penstock.controller.listeners.deployments import DELAY as LISTENER_DELAY
from penstock.controller.listeners.deployments import KIND as LISTENER
from penstock.controller.listeners.deployments import (
    ListenerDeployments,
    ListenerSurroundings,
)
from penstock.controller.listeners.deployments import key_of as listener_key
from penstock.controller.listeners.secrets import TriggerSecrets
from penstock.controller.logs.archiver import Logs
from penstock.controller.logs.reference import LogReferences
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.bench import Bench
from penstock.controller.runtime.certificates import Certificates
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.keys import is_source_trigger
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.quarantine import Quarantine
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.settings import ExecutionSettings, Settings
from penstock.controller.runtime.throttle import Throttle
from penstock.controller.runtime.waits import Waits
from penstock.controller.triggers.arming import Arming
from penstock.controller.triggers.clock import Clock
from penstock.controller.triggers.contexts import Contexts
from penstock.controller.triggers.histories import Histories
from penstock.controller.triggers.leaves import Leaves
from penstock.controller.triggers.listener_problems import ListenerProblems
from penstock.controller.triggers.listeners import Listeners
from penstock.controller.triggers.reconciler import TriggerReconciler
from penstock.controller.triggers.requests import RequestServer
from penstock.controller.triggers.serving import TriggerServers
from penstock.controller.triggers.sources import SourceServer
from penstock.controller.triggers.starter import Starter
from penstock.controller.triggers.upstream import UpstreamServer
from penstock.controller.workers.checking import Checking
from penstock.controller.workers.deciding import Deciding
from penstock.controller.workers.pool import Workers
from penstock.kubernetes.api.client import Api, Object
from penstock.kubernetes.jobs.job import JobDefaults
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import TaskRunArchive
from penstock.network import AllowedHosts, RefusedNetworks
from penstock.storage.usage import Usage
from penstock.triggers.kinds import (
    ClockTrigger,
    ExecutionTrigger,
    PollTrigger,
    RequestTrigger,
    StreamTrigger,
)


class Runtime:
    """What every room stands on: the API server, what was seen of it, and who is called."""

    def __init__(self, api: Api, settings: Settings, metrics: Metrics, bench: Bench | None) -> None:
        self.api = api
        self.settings = settings
        self.metrics = metrics
        self.stores = Stores()
        self.memories = ExecutionMemories()
        self.attempts = AttemptStore(self.memories, self.stores.executions.uid_of)
        self.recorder = Recorder(api)
        told = self.stores.told()
        waits = Waits(api, self.recorder, told)
        quarantine = Quarantine(bench, told, metrics)
        self.reconcilers = Reconcilers(metrics, waits, quarantine, settings.workers)
        self.starting = StartingJobs(
            settings.jobs_starting_at_once, self.reconcilers.add_key, self.memories.is_forgotten
        )
        self.slots = SlotCalls(
            self.stores.executions, _slot_limits(settings.executions), self.reconcilers.add_key
        )
        self.leaves = Leaves(self.stores.flows)
        self.listeners = Listeners(self.leaves.hears)
        self.secrets = SecretLocations(settings.secrets, self.stores.flows)
        self.workers = Workers()


class Files:
    """The internal storage, and who may use what of it."""

    def __init__(
        self, runtime: Runtime, refused: RefusedNetworks, certificates: Certificates | None
    ) -> None:
        executions, settings = runtime.stores.executions, runtime.settings
        self.storage = StorageAccess(runtime.api, settings.storage, certificates)
        self.arrivals = Arrivals.of_environment(runtime.api, self.storage)
        self.provenance = Provenance(lambda: self.storage.key)
        self.access = FileAccess(executions, self.provenance)
        http = HttpRules(refused, AllowedHosts(settings.http.allow), settings.http.enabled)
        self.folders = TenantFolders(runtime.api, self.storage.root, settings.namespaces)
        self.reads = ExpressionReads(self.folders.storage, self.access, http)
        self.bytes = StoredBytes(self.storage.root, settings.namespaces)
        runtime.metrics.task_registry.register(self.bytes)
        self.orphaned = OrphanedFiles(self.storage.root, executions, settings.namespaces)
        self.execution_index = ExecutionIndex(executions, self.access)


class KeyValues:
    """Key-value pairs: read from memory, changed once for each attempt that asks."""

    def __init__(self, runtime: Runtime) -> None:
        stores = runtime.stores
        is_recorded = partial(recorded_in, stores.executions)
        self._reconcilers, self._objects = runtime.reconcilers, stores.keyvalues
        self.index = KeyValueIndex(stores.keyvalues, is_listed=False)
        self.writer = KeyValueWriter(runtime.api, self.index, is_recorded)
        self.task_effects = TaskEffects(self.index, self.writer)
        reconciler = KeyValueReconciler(
            runtime.api, stores.keyvalues, self.index, is_recorded, runtime.recorder
        )
        runtime.reconcilers.serve("KeyValue", reconciler.reconcile, reconciler.forget)

    def listed(self) -> None:
        """Take in that all KeyValues were listed: what is to be said of them is, and whoever asked
        for one is reconciled."""
        self.index.is_listed = True
        for keyvalue in self._objects:
            self._reconcilers.add("KeyValue", keyvalue)
        self._reconcilers.listed()


def build_logs(runtime: Runtime, files: Files) -> Logs:
    """Build what archives the logs of tasks."""
    return Logs(
        runtime.api,
        files.storage,
        runtime.stores.executions,
        runtime.memories,
        runtime.reconcilers.queue.add_later,
    )


def build_log_references(runtime: Runtime, files: Files) -> LogReferences:
    """Build what says in the statuses where the logs are."""
    return LogReferences(
        files.storage,
        runtime.stores.executions,
        runtime.settings.executions.keep_days,
        partial(runtime.reconcilers.add, "Execution"),
    )


def build_events(runtime: Runtime, files: Files, logs: Logs) -> Events:
    """Build what says what news leads to."""
    return Events(
        runtime.stores,
        runtime.attempts,
        runtime.memories,
        runtime.reconcilers,
        Told(
            logs, files.orphaned, files.folders, runtime.starting, runtime.slots, runtime.listeners
        ),
    )


class Flows:
    """Flows: their revisions, and the executions that their triggers start."""

    def __init__(
        self, runtime: Runtime, files: Files, keyvalues: KeyValues, events: Events
    ) -> None:
        stores, settings = runtime.stores, runtime.settings
        self.functions = ExpressionFunctions(
            runtime.memories, files.reads.readers, events.execution_ready, keyvalues.index.of
        )
        checking = Checking(runtime.workers)
        self.revisions = Revisions(runtime.api, settings.limits, self.functions.of, checking)
        reconciler = FlowReconciler(
            runtime.api,
            stores.flows,
            stores.executions,
            self.revisions,
            Arming(
                runtime.api,
                stores.triggers,
                events.trigger_seen,
                partial(runtime.reconcilers.add, "TriggerState"),
            ),
            Retention(runtime.api, stores.executions, settings.executions),
            runtime.recorder,
        )
        runtime.reconcilers.serve("Flow", reconciler.reconcile, reconciler.removed)
        starter, contexts = Starter(runtime.api, stores.executions), Contexts(keyvalues.index)
        problems = ListenerProblems(
            stores.triggers, partial(runtime.reconcilers.add, "TriggerState")
        )
        sources = SourceServer(settings.has_listeners, problems)
        listeners = build_listeners(self, runtime, files, problems)
        triggers = TriggerReconciler(
            runtime.api,
            stores.triggers,
            stores.flows,
            stores.executions,
            self.revisions,
            TriggerServers(
                {
                    ClockTrigger: Clock(starter, contexts),
                    ExecutionTrigger: UpstreamServer(
                        starter,
                        contexts,
                        stores.executions,
                        Histories(runtime.api, self.revisions),
                        runtime.listeners,
                        runtime.leaves,
                    ),
                    RequestTrigger: RequestServer(
                        settings.gateway.enabled, files.folders.claim_soon
                    ),
                    StreamTrigger: sources,
                    PollTrigger: sources,
                },
                listeners,
            ),
            runtime.recorder,
        )
        runtime.reconcilers.serve("TriggerState", triggers.reconcile, listeners)


def build_listeners(
    flows: Flows, runtime: Runtime, files: Files, problems: ListenerProblems
) -> Callable[[Object], None]:
    """Build the reconciler of listeners: what is to be told of TriggerStates that may be theirs."""
    stores, settings = runtime.stores, runtime.settings
    reconciler = ListenerDeployments(
        runtime.api,
        stores.deployments,
        TriggerSecrets(stores.triggers, stores.flows, flows.revisions, runtime.secrets),
        JobDefaults.from_mapping(settings.jobs),
        ListenerSurroundings(runtime.api, settings.listener, settings.network).needs,
        problems,
        files.folders.claim_soon,
    )
    runtime.reconcilers.serve(LISTENER, reconciler.reconcile)

    def told(state: Object) -> None:
        if is_source_trigger(state):
            key = listener_key(state["metadata"]["namespace"])
            runtime.reconcilers.queue.add_later(key, LISTENER_DELAY)

    return told


class Attempts:
    """Attempts: how they are observed, settled, started and stopped."""

    def __init__(self, runtime: Runtime, files: Files, keyvalues: KeyValues, logs: Logs) -> None:
        api, settings, attempts = runtime.api, runtime.settings, runtime.attempts
        patience = settings.pending_timeout_seconds
        defaults = JobDefaults.from_mapping(settings.jobs)
        pending = Pending(api, patience)
        task_cache = CachedTasks(files.folders.storage)
        grants = Grants(files.storage, files.folders, files.access, timedelta(seconds=patience))
        job_factory = JobFactory(
            defaults, runtime.secrets, keyvalues.task_effects, grants, task_cache
        )
        throttle = Throttle(settings.job_creates_per_second, settings.job_create_burst)
        self.jobs = Jobs(api, attempts, runtime.starting, throttle, runtime.metrics, logs)
        self.directories = WorkingDirectories(api, attempts, self.jobs, defaults)
        self.observer = AttemptObserver(
            api, attempts, DirectoryObserver(attempts, pending), pending
        )
        self.effects = AttemptEffects(attempts, self.jobs, keyvalues.task_effects, task_cache, logs)
        self.starter = AttemptStarter(
            attempts, job_factory, self.jobs, self.directories, task_cache, logs, pending
        )


@dataclass(frozen=True)
class Rooms:
    """What executions are reconciled with."""

    runtime: Runtime
    files: Files
    keyvalues: KeyValues
    flows: Flows
    attempts: Attempts
    logs: Logs
    references: LogReferences
    events: Events


def build_executions(rooms: Rooms) -> None:
    """Build the reconciler of Executions: what it observes with, decides with and acts with."""
    runtime, files, attempts = rooms.runtime, rooms.files, rooms.attempts
    api, stores, memories = runtime.api, runtime.stores, runtime.memories
    settings, revisions = runtime.settings, rooms.flows.revisions
    seen = rooms.events.execution_seen
    statuses = StatusStore(
        api, stores.executions, memories, OutputsKeeper(api), TaskRunArchive(api)
    )
    resolution = Resolution(stores.executions, stores.flows, revisions, statuses)
    identities = Identities(_environment(settings.env_prefix), settings.variables)
    maker = ExecutionMaker(api, stores.executions, runtime.secrets, files.provenance, seen)
    related = RelatedExecutions(
        api, stores.executions, memories, statuses, maker, runtime.recorder, seen
    )
    reconciler = ExecutionReconciler(
        stores.executions,
        memories,
        Observer(resolution, attempts.observer, related, identities),
        Effects(
            resolution, FileInputs(files.reads, files.orphaned, files.folders), attempts.effects
        ),
        Decisions(
            resolution,
            ConcurrencyLimits(runtime.slots, stores.flows, revisions),
            files.provenance,
            identities,
            rooms.flows.functions,
            Deciding(runtime.workers, settings.limits, rooms.flows.functions.of),
        ),
        StatusPublisher(
            statuses,
            runtime.recorder,
            runtime.metrics,
            rooms.references.renewed,
            rooms.events.execution_written,
        ),
        Actions(
            attempts.starter,
            attempts.jobs,
            attempts.directories,
            maker,
            related,
            _cluster_tasks(rooms),
            InputSecrets(api, memories, runtime.recorder, seen),
        ),
    )
    runtime.reconcilers.serve("Execution", reconciler.reconcile)
    abandonment = Abandonment(
        api, stores.executions, runtime.recorder, runtime.metrics, rooms.events.execution_written
    )
    runtime.reconcilers.serve_faults("Execution", abandonment.give_up)


def _cluster_tasks(rooms: Rooms) -> ClusterTasks:
    """Build what does the tasks that need no pod."""
    runtime, keyvalues = rooms.runtime, rooms.keyvalues
    api, stores, index = runtime.api, runtime.stores, rooms.files.execution_index
    return ClusterTasks(
        runtime.attempts,
        ResumeTasks(api, stores.executions, runtime.memories, runtime.secrets),
        ToggleTasks(
            api, stores.flows, stores.triggers, rooms.flows.revisions, rooms.events.trigger_seen
        ),
        PurgeTasks(
            api,
            index,
            rooms.files.storage.storage,
            keyvalues.index,
            keyvalues.writer,
            runtime.reconcilers.queue.add_later,
        ),
        index,
    )


def build_gitsources(runtime: Runtime, files: Files, git: Git) -> None:
    """Build the reconciler of GitSources."""
    stores, storage = runtime.stores, runtime.settings.storage
    usage = Usage(files.storage.root, storage.quota_bytes())
    folders = NamespaceFolders(git, files.folders.prepared, usage)
    reconciler = GitSourceReconciler(
        runtime.api,
        stores.sources,
        stores.flows,
        runtime.recorder,
        git,
        folders,
        FileReader(runtime.workers),
    )
    runtime.reconcilers.serve("GitSource", reconciler.reconcile, reconciler.stop)


def _slot_limits(settings: ExecutionSettings) -> SlotLimits:
    return SlotLimits(
        settings.max_running,
        settings.max_running_per_namespace,
        settings.max_running_by_namespace,
    )


def _environment(prefix: str) -> dict[str, str]:
    """Read what expressions see as `envs.…`: only what an administrator chose by its prefix."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in os.environ.items()
        if prefix and name.startswith(prefix)
    }
