"""Objects as text: such as no client would make of values."""

from __future__ import annotations

import json
import re
from typing import Any

from penstock.kubernetes.api.client import Api, Object, Resource

_MARK = "\ue0ff"
_MARKED = re.compile(rf'"{_MARK}((?:[^"\\]|\\.)*){_MARK}"')


def raw(text: str) -> str:
    """A value that stands in the JSON as this text, such as a number of 500 digits."""
    return f"{_MARK}{text}{_MARK}"


def to_text(body: Object) -> str:
    """The JSON of an object, with the raw texts in it."""
    plain = json.dumps(body, ensure_ascii=False)
    return _MARKED.sub(lambda found: str(json.loads(f'"{found[1]}"')), plain)


async def send(
    api: Api, verb: str, resource: Resource, namespace: str, text: str, name: str = ""
) -> tuple[int, str]:
    """Send the text of an object to the API server: the status and the text of the answer."""
    client: Any = api._client
    url = f"{client.configuration.host}{resource.prefix}/namespaces/{namespace}/{resource.plural}"
    kind = "application/merge-patch+json" if verb == "PATCH" else "application/json"
    async with client.rest_client.pool_manager.request(
        verb,
        f"{url}/{name}" if name else url,
        data=text.encode(errors="replace"),
        headers={"Content-Type": kind},
    ) as answer:
        return answer.status, await answer.text(errors="replace")
