"""Triggers that take the messages of a stream of NATS JetStream."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from penstock.flow.model import DurationProperty, Rendered
from penstock.triggers.brokers.properties import BatchTrigger, BrokerTrigger, Count, wait_of
from penstock.triggers.kinds import PollTrigger, StreamTrigger

REALTIME = "io.kestra.plugin.nats.core.RealtimeTrigger"
BATCH = "io.kestra.plugin.nats.core.Trigger"

POLICIES = {
    "all": "All",
    "last": "Last",
    "new": "New",
    "bystartsequence": "ByStartSequence",
    "bystarttime": "ByStartTime",
    "lastpersubject": "LastPerSubject",
}


def _policy(value: Any) -> Any:
    return POLICIES.get(value.replace("_", "").lower(), value) if isinstance(value, str) else value


class _Nats(BrokerTrigger):
    url: Annotated[str, Field(min_length=1)]
    """The address of the server, such as `nats://nats:4222`."""
    username: str | None = None
    """The user."""
    password: str | None = None
    """The user's password."""
    token: str | None = None
    """A token, in place of a user."""
    creds: str | None = None
    """The text of a credentials file, in place of a user."""
    subject: Annotated[str, Field(min_length=1)]
    """The subject, which a stream of JetStream must have; `*` and `>` included."""
    durable_id: str | None = None
    """The name of the durable consumer; where it is not given, one that is named after the
    trigger."""
    deliver_policy: Annotated[
        Literal["All", "Last", "New", "ByStartSequence", "ByStartTime", "LastPerSubject"],
        BeforeValidator(_policy),
        Rendered,
    ] = "All"
    """Where a consumer that is new begins."""
    since: str | None = None
    """The time from which on messages count, with `deliverPolicy: ByStartTime`."""
    batch_size: Count = 10
    """No effect: how many messages are taken at once is the listener's affair."""
    poll_duration: DurationProperty = timedelta(seconds=2)
    """After how long without a message a batch ends."""

    @property
    def not_served(self) -> str | None:
        if self.deliver_policy == "ByStartSequence":
            return "`deliverPolicy: ByStartSequence` is not served: nothing says the sequence"
        if self.deliver_policy == "ByStartTime" and self.since is None:
            return "`deliverPolicy: ByStartTime` needs `since`"
        return super().not_served


class NatsRealtime(_Nats):
    """Starts an execution for each message of a subject.

    ```yaml
    id: orders
    type: io.kestra.plugin.nats.core.RealtimeTrigger
    url: nats://nats:4222
    subject: orders.>
    durableId: penstock
    ```
    """


class NatsBatch(_Nats, BatchTrigger):
    """Starts one execution for the messages that came meanwhile, from time to time.

    ```yaml
    id: orders
    type: io.kestra.plugin.nats.core.Trigger
    url: nats://nats:4222
    subject: orders.>
    durableId: penstock
    maxRecords: 100
    interval: PT30S
    ```
    """

    @property
    def idle(self) -> timedelta:
        return wait_of(self.poll_duration, timedelta(seconds=2))


TRIGGERS = (
    StreamTrigger(
        REALTIME,
        NatsRealtime,
        ("io.kestra.plugin.nats.RealtimeTrigger",),
        served=True,
        driver="penstock.listener.sources.nats:stream",
    ),
    PollTrigger(
        BATCH,
        NatsBatch,
        ("io.kestra.plugin.nats.Trigger",),
        served=True,
        driver="penstock.listener.sources.nats:poll",
    ),
)
