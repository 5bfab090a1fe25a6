"""Triggers that subscribe to topics of an MQTT broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from penstock.flow.model import DurationProperty, Rendered
from penstock.flow.problems import Location
from penstock.triggers.brokers.properties import BatchTrigger, BrokerTrigger, in_capitals
from penstock.triggers.kinds import PollTrigger, StreamTrigger

REALTIME = "io.kestra.plugin.mqtt.RealtimeTrigger"
BATCH = "io.kestra.plugin.mqtt.Trigger"


class _Mqtt(BrokerTrigger):
    server: Annotated[str, Field(min_length=1)]
    """The address of the broker: `tcp://host:1883`, `ssl://host:8883`, `ws://host/path` or
    `wss://host/path`."""
    client_id: Annotated[str, Field(min_length=1)]
    """The name of the session, which the broker keeps while the listener is away. No other client
    may use it."""
    topic: str | list[str]
    """The topics to subscribe to, `+` and `#` included."""
    mqtt_version: Annotated[Literal["V5", "V3"], BeforeValidator(in_capitals), Rendered] = "V5"
    """The version of the protocol: `V5`, or `V3` for 3.1.1."""
    username: str | None = None
    """The user."""
    password: str | None = None
    """The user's password."""
    crt: str | None = None
    """The certificate of the authority that signed the broker's, as PEM or the base64 of it."""
    connection_timeout: DurationProperty = timedelta(seconds=30)
    """How long a connection may take."""
    qos: Annotated[Annotated[int, Field(ge=0, le=2)], Rendered] = 1
    """0: what can't be handed over at once is lost; 1 and 2: it comes at least once."""
    serde_type: Annotated[
        Literal["JSON", "STRING", "BYTES"], BeforeValidator(in_capitals), Rendered
    ] = "JSON"
    """How a payload is read: `JSON`, `STRING`, or `BYTES`, which gives base64."""
    https_hostname_verification_enabled: Any = None
    """No effect: the name in the broker's certificate is always checked."""
    auth_method: Any = None
    """Not served: give `username` and `password`."""

    @property
    def not_served(self) -> str | None:
        if self.auth_method is not None:
            return "`authMethod` is not served: give `username` and `password`"
        return super().not_served

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        yield from super().without_effect()
        if self.https_hostname_verification_enabled is not None:
            reason = "has no effect: the name in the broker's certificate is always checked"
            yield ("httpsHostnameVerificationEnabled",), reason


class MqttRealtime(_Mqtt):
    """Starts an execution for each message of a topic.

    ```yaml
    id: doors
    type: io.kestra.plugin.mqtt.RealtimeTrigger
    server: tcp://mosquitto:1883
    clientId: penstock-doors
    topic: building/+/door
    ```
    """


class MqttBatch(_Mqtt, BatchTrigger):
    """Starts one execution for the messages that came meanwhile, from time to time.

    ```yaml
    id: doors
    type: io.kestra.plugin.mqtt.Trigger
    server: tcp://mosquitto:1883
    clientId: penstock-doors
    topic: building/+/door
    maxRecords: 100
    interval: PT30S
    ```
    """


TRIGGERS = (
    StreamTrigger(
        REALTIME, MqttRealtime, served=True, driver="penstock.listener.sources.mqtt:stream"
    ),
    PollTrigger(BATCH, MqttBatch, served=True, driver="penstock.listener.sources.mqtt:poll"),
)
