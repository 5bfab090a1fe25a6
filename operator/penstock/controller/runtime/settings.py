"""What an administrator can set: one YAML file, mounted from a ConfigMap, checked at the start."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from penstock.engine.interface.limits import Limits
from penstock.flow.model import Document
from penstock.kubernetes.secrets.locations import DEFAULT_NAME, SecretKey
from penstock.network import REFUSED, AllowedHosts, RefusedNetworks
from penstock.storage.settings import StorageSettings


class ExecutionSettings(Document):
    """Limits and retention of executions."""

    max_task_runs: Annotated[int, Field(ge=1)] = Limits.task_runs
    """Task runs of one execution."""
    max_loop_values: Annotated[int, Field(ge=1)] = Limits.loop_values
    """Values of one loop."""
    max_children: Annotated[int, Field(ge=1)] = Limits.children
    """Executions that one task has running at once; further ones wait."""
    max_depth: Annotated[int, Field(ge=1)] = Limits.depth
    """How deep executions may be nested."""
    max_running: Annotated[int, Field(ge=0)] = 0
    """Executions that run at once in all namespaces together; further ones wait. 0 for any number.
    Those that a task of another execution made run in the slot of that one, here and below."""
    max_running_per_namespace: Annotated[int, Field(ge=0)] = 0
    """Executions that run at once in each Kubernetes namespace that `max_running_by_namespace` does
    not name; 0 for any number."""
    max_running_by_namespace: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Executions that run at once in single Kubernetes namespaces, by their names; 0 for any
    number."""
    lost_task_retries: Annotated[int, Field(ge=0)] = Limits.lost_attempts
    """How often a task that was lost with its node is run again by itself."""
    keep: Annotated[int, Field(ge=0)] = 100
    """How many ended executions of a flow are kept."""
    keep_days: Annotated[float, Field(gt=0)] = 30
    """How many days ended executions are kept."""


class SecretPlace(Document):
    """A key of a Secret in the namespace of the Flow."""

    name: str
    """The name of the Secret."""
    key: str
    """The key in it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        SecretKey(self.name, self.key)
        return self


class SecretSettings(Document):
    """Where `secret('NAME')` is found."""

    name: str = DEFAULT_NAME
    """The Secret of each namespace that holds the flows' secrets, each under its own name."""
    map: dict[str, SecretPlace] = {}
    """Secrets that stand elsewhere, by the name that flows use."""


class NetworkSettings(Document):
    """Whom Penstock asks for users: `http()` in expressions, and Git."""

    refused: list[str] = list(REFUSED)
    """Networks that are not asked, such as `10.0.0.0/8`; beside them, Penstock's own Services."""

    @field_validator("refused")
    @classmethod
    def _check(cls, refused: list[str]) -> list[str]:
        for network in refused:
            ip_network(network)
        return refused


class HttpSettings(Document):
    """Whom `http()` in expressions may ask."""

    enabled: bool = True
    """Whether expressions may ask servers at all."""
    allow: list[str] = []
    """Hosts (`api.example.com`, `*.example.com`) and networks that may be asked; all that are not
    refused where none is named."""

    @field_validator("allow")
    @classmethod
    def _check(cls, allow: list[str]) -> list[str]:
        AllowedHosts(allow)
        return allow


class GitSettings(Document):
    """How the controller reaches Git."""

    service_url: str | None = None
    """Where the Git service is; the one that the chart installs where it is null."""


class GatewaySettings(Document):
    """The gateway, which receives webhooks and push hooks."""

    enabled: bool = True
    """Whether there is one. Without it, the TriggerStates of webhooks say that nothing is
    received."""


class ListenerSettings(Document):
    """The listeners, which poll and listen to brokers: one in each namespace that needs one."""

    enabled: bool = True
    """Whether there are any. They need the gateway."""
    gateway_url: str | None = None
    """Where listeners reach the gateway; the address of its Service where it is null."""
    resources: dict[str, dict[str, str]] = {
        "requests": {"cpu": "20m", "memory": "96Mi"},
        "limits": {"memory": "512Mi"},
    }
    """What a listener's pod asks for, and may take."""


class Settings(Document):
    """All settings, with the defaults that are shipped."""

    namespaces: list[str] = []
    """The namespaces to serve; all where none is named."""
    workers: Annotated[int, Field(ge=1, le=64)] = 16
    """How many objects are reconciled at once."""
    job_creates_per_second: Annotated[float, Field(gt=0)] = 20
    """The Job controller's own limits are lower: more than this only makes it fall behind."""
    job_create_burst: Annotated[int, Field(ge=1)] = 100
    jobs_starting_at_once: Annotated[int, Field(ge=0)] = 32
    """Jobs of one namespace whose pods are being started, while no other namespace starts any;
    further ones wait. 0 for no bound."""
    pending_timeout_seconds: Annotated[int, Field(ge=1)] = 600
    """How long a task's pod may wait for its image or a node before the task fails."""
    executions: ExecutionSettings = ExecutionSettings()
    storage: StorageSettings = StorageSettings()
    """The internal storage."""
    git: GitSettings = GitSettings()
    gateway: GatewaySettings = GatewaySettings()
    listener: ListenerSettings = ListenerSettings()
    network: NetworkSettings = NetworkSettings()
    http: HttpSettings = HttpSettings()
    jobs: dict[str, Any] = {}
    """Defaults of the tasks' pods (see `penstock.kubernetes.jobs.job.JobDefaults`)."""
    secrets: SecretSettings = SecretSettings()
    env_prefix: str = "ENV_"
    """Variables of the controller's own environment with this prefix are `envs.…`."""
    variables: dict[str, Any] = {}
    """What expressions see as `globals.…`."""

    @property
    def has_listeners(self) -> bool:
        """Whether triggers that poll or listen are served."""
        return self.listener.enabled and self.gateway.enabled

    @property
    def refused_networks(self) -> RefusedNetworks:
        """The networks that are set, and the addresses of this pod."""
        own = os.environ.get("PENSTOCK_POD_IPS", "")
        return RefusedNetworks(self.network.refused, filter(None, own.split(",")))

    @property
    def limits(self) -> Limits:
        chosen = self.executions
        return Limits(
            task_runs=chosen.max_task_runs,
            loop_values=chosen.max_loop_values,
            children=chosen.max_children,
            depth=chosen.max_depth,
            lost_attempts=chosen.lost_task_retries,
        )


def settings_of_environment() -> Settings:
    """The settings of the file that the environment names; the defaults where it names none."""
    path = os.environ.get("PENSTOCK_SETTINGS")
    return load_settings(Path(path) if path else None)


def load_settings(path: Path | None) -> Settings:
    """Read the settings file. Raises ``ValueError`` that names what is wrong."""
    if path is None or not path.exists():
        return Settings()
    from penstock.flow.loading import load_documents

    documents = load_documents(path.read_bytes())
    return Settings.model_validate(documents[0].value if documents else {})
