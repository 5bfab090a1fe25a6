"""http.Trigger: asks a server again and again, and fires where its answer is as a flow wants it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from penstock.flow.model import DurationProperty
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.properties import TriggerProperties

HTTP = "io.kestra.plugin.core.http.Trigger"


class HttpTrigger(TriggerProperties):
    """The properties of an http.Trigger: those of a request, and when to fire."""

    uri: Annotated[str, Field(min_length=1)]
    interval: DurationProperty = timedelta(seconds=60)
    """How often to ask."""
    response_condition: str | bool = "{{ response.statusCode < 400 }}"
    """Fires where this is true; sees `response.statusCode`, `.body`, `.headers`."""
    encrypt_body: bool | str = False
    method: str = "GET"
    body: Any = None
    form_data: Any = None
    content_type: str | None = None
    headers: Any = None
    params: Any = None
    options: Any = None
    ssl_options: Any = None
    inputs: dict[str, Any] = {}


TRIGGER = PollTrigger(
    HTTP,
    HttpTrigger,
    ("io.kestra.plugin.fs.http.Trigger",),
    served=True,
    driver="penstock.listener.sources.http:poll",
    rendered_later=frozenset({"responseCondition"}),
)
