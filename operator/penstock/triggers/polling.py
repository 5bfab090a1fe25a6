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
    """Asks a server from time to time, and starts an execution where its answer is as the flow
    wants it.

    ```yaml
    id: low
    type: io.kestra.plugin.core.http.Trigger
    uri: https://shop.example.com/stock
    interval: PT5M
    responseCondition: "{{ (response.body | jq('.level') | first) < 5 }}"
    ```
    """

    uri: Annotated[str, Field(min_length=1)]
    """The address that is asked."""
    interval: DurationProperty = timedelta(seconds=60)
    """How often to ask."""
    response_condition: str | bool = "{{ response.statusCode < 400 }}"
    """Fires where this is true; sees `response.statusCode`, `.body`, `.headers`."""
    encrypt_body: bool | str = False
    """Refused: there is no key to encrypt with."""
    method: str = "GET"
    """The method of the request."""
    body: Any = None
    """What is sent, as text."""
    form_data: Any = None
    """The fields of a form that is sent, by name."""
    content_type: str | None = None
    """The `Content-Type` of what is sent."""
    headers: Any = None
    """The headers of the request, by name."""
    params: Any = None
    """The parameters that are added to the address, by name."""
    options: Any = None
    """How to connect and what to allow, as for the task `http.Request`."""
    ssl_options: Any = None
    """How the server's certificate is checked, as for the task `http.Request`."""
    inputs: dict[str, Any] = {}
    """The inputs of the execution."""


TRIGGER = PollTrigger(
    HTTP,
    HttpTrigger,
    ("io.kestra.plugin.fs.http.Trigger",),
    served=True,
    driver="penstock.listener.sources.http:poll",
    rendered_later=frozenset({"responseCondition"}),
)
