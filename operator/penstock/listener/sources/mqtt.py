"""Subscribes to topics of an MQTT broker.

The broker keeps the session while the listener is away, and a message counts as received once its
Execution is stored. MQTT gives a message no name, so one that comes again to another process has a
new key.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from penstock.listener.source import SourceError, Surroundings
from penstock.listener.sources.certificates import client_context
from penstock.listener.sources.consumer import Message, poll_of, stream_of
from penstock.listener.sources.deserializing import deserialized, read_event
from penstock.triggers.brokers.mqtt import MqttBatch, MqttRealtime
from penstock.triggers.brokers.properties import wait_of

SESSION_SECONDS = 7 * 24 * 3600
"""How long a broker of version 5 keeps the session while the listener is away."""
MOST_AT_ONCE = 100
"""How many messages such a broker sends that are not acknowledged."""
CONNECT_TIMEOUT = timedelta(seconds=30)
_PORTS = {"tcp": 1883, "mqtt": 1883, "ssl": 8883, "mqtts": 8883, "ws": 80, "wss": 443}


class MqttConsumer:
    """A session of the trigger. The client's thread calls in; all else is the event loop's."""

    def __init__(self, properties: MqttRealtime | MqttBatch) -> None:
        self._properties = properties
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[MQTTMessage | None] = asyncio.Queue()
        self._returned: list[Message[MQTTMessage]] = []
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._why = ""
        url = urlsplit(properties.server)
        self._where = f"{url.hostname}:{url.port or _PORTS[url.scheme]}"
        self._client = self._made(url.scheme, url.path)

    async def connect(self) -> None:
        """Connect, and subscribe; returns once the broker has taken both."""
        host, _, port = self._where.rpartition(":")
        timeout = wait_of(self._properties.connection_timeout, CONNECT_TIMEOUT).total_seconds()
        self._client.connect_timeout = timeout
        try:
            await asyncio.to_thread(
                self._client.connect, host, int(port), **self._session_options()
            )
            self._client.loop_start()
            await asyncio.wait_for(asyncio.shield(self._ready), timeout)
        except TimeoutError:
            raise SourceError(f"MQTT at {self._where} does not answer") from None
        except (OSError, ValueError) as error:
            raise SourceError(f"MQTT at {self._where} can't be reached: {error}") from None

    async def close(self) -> None:
        """End the connection; the session stays."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()

    async def next(self) -> Message[MQTTMessage]:
        if self._returned:
            return self._returned.pop(0)
        message = await self._arrived.get()
        if message is None:
            self._arrived.put_nowait(None)
            raise SourceError(f"MQTT at {self._where} closed the connection: {self._why}")
        key = f"{message.topic}/{secrets.token_hex(16)}"
        return Message(read_event(key, partial(self._read, message)), message)

    def _read(self, message: MQTTMessage) -> dict[str, Any]:
        what = f"a message of the topic `{message.topic}`"
        payload = deserialized(bytes(message.payload), self._properties.serde_type, what)
        return {**described(message), "payload": payload}

    async def acknowledge(self, messages: Sequence[Message[MQTTMessage]]) -> None:
        for message in messages:
            code = self._client.ack(message.handle.mid, message.handle.qos)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise SourceError(f"MQTT at {self._where} closed the connection: {self._why}")

    async def give_back(self, messages: Sequence[Message[MQTTMessage]]) -> None:
        """Deliver them once more from memory, under their keys: the broker would send them to a new
        connection only."""
        self._returned = [*messages, *self._returned]

    async def reject(self, message: Message[MQTTMessage]) -> None:
        """Acknowledge it: MQTT has no place for such ones."""
        await self.acknowledge([message])

    def _made(self, scheme: str, path: str) -> Client:
        properties = self._properties
        is_five = properties.mqtt_version == "V5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=properties.client_id,
            clean_session=None if is_five else False,
            protocol=MQTTProtocolVersion.MQTTv5 if is_five else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if scheme in ("ws", "wss") else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if scheme in ("ws", "wss"):
            client.ws_set_options(path=path or "/mqtt")
        if scheme in ("ssl", "mqtts", "wss"):
            client.tls_set_context(client_context(properties.crt))
        if properties.username is not None:
            client.username_pw_set(properties.username, properties.password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _session_options(self) -> dict[str, Any]:
        if self._properties.mqtt_version != "V5":
            return {}
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = SESSION_SECONDS
        wanted.ReceiveMaximum = MOST_AT_ONCE
        return {"clean_start": False, "properties": wanted}

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            self._settle(f"MQTT at {self._where} refuses the connection: {code}")
            return
        topics = self._properties.topic
        # By quality 2 a message is the client's before its Execution is stored.
        quality = min(int(self._properties.qos), 1)
        wanted = [topics] if isinstance(topics, str) else topics
        try:
            client.subscribe([(topic, quality) for topic in wanted])
        except ValueError as error:
            self._settle(f"`topic` can't be subscribed to: {error}")

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        text = f"MQTT at {self._where} refuses the subscription: {', '.join(refused)}"
        self._settle(text if refused else None)

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self._call(self._arrived.put_nowait, message)

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        self._why = str(code)
        self._settle(f"MQTT at {self._where} closed the connection: {code}")
        self._call(self._arrived.put_nowait, None)

    def _settle(self, error: str | None) -> None:
        def settle() -> None:
            if self._ready.done():
                return
            if error is None:
                self._ready.set_result(None)
            else:
                self._ready.set_exception(SourceError(error))

        self._call(settle)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)


def described(message: MQTTMessage) -> dict[str, Any]:
    """What a message has beside its payload, by Kestra's names."""
    properties = getattr(message, "properties", None)
    correlation = getattr(properties, "CorrelationData", None)
    return {
        "id": message.mid,
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
        "properties": [
            {"key": name, "value": value}
            for name, value in getattr(properties, "UserProperty", None) or []
        ],
        "responseTopic": getattr(properties, "ResponseTopic", None),
        "correlationData": None if correlation is None else correlation.decode("utf-8", "replace"),
    }


@asynccontextmanager
async def consumer(
    properties: MqttRealtime | MqttBatch, surroundings: Surroundings
) -> AsyncIterator[MqttConsumer]:
    """Open the session of a trigger."""
    url = urlsplit(properties.server)
    if url.scheme not in _PORTS or not url.hostname:
        raise SourceError("`server` must be an address such as tcp://host:1883 or ssl://host:8883")
    opened = MqttConsumer(properties)
    try:
        await opened.connect()
        yield opened
    finally:
        await opened.close()


stream = stream_of(consumer)
poll = poll_of(consumer)
