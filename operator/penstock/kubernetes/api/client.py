"""The few calls to the API server that Penstock makes, with plain dicts in and out.

It stands on the official client's asynchronous part for connections, credentials and TLS. The
client's typed models are left aside: turning objects into them and back costs more than the calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from aiohttp import ClientError, ClientTimeout
from kubernetes import aio

from penstock.kubernetes.api.json_reader import read_json, read_list
from penstock.kubernetes.api.lists import Page, PageSize, PageTooLarge
from penstock.resources import GROUP, VERSION

Object = dict[str, Any]
"""A Kubernetes object as JSON."""

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = "penstock"
TIMEOUT = 30.0
"""Seconds after which a call is given up; the reconcile is tried again."""
CONNECTIONS = 64
"""Calls to the API server that go on at once; further ones wait."""
_LIST_TRIES = 3
"""How often a list is begun whose moment the API server forgot before all pages were read."""


class ApiError(Exception):
    """The API server refused. `reason` is its own word, such as `AlreadyExists`."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: float = 0.0,
        fields: Iterable[str] = (),
    ) -> None:
        super().__init__(message or reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        """Seconds for which the API server asks to be left alone."""
        self.fields = tuple(fields)
        """The fields of the object that are wrong, where it is invalid."""

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def is_gone(self) -> bool:
        """Whether the object is not there. A path that the server does not know, such as that of a
        kind whose CRD is missing, has no reason."""
        return self.status == 404 and self.reason == "NotFound"

    @property
    def conflict(self) -> bool:
        """The object was changed by somebody else meanwhile, or exists already."""
        return self.status == 409

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed later."""
        return self.status in (0, 401, 408, 410, 429) or self.status >= 500

    @property
    def is_over_quota(self) -> bool:
        return self.status == 403 and "quota" in str(self).lower()

    @property
    def is_terminating(self) -> bool:
        """Whether the namespace is being deleted: nothing is made in it any more."""
        return self.status == 403 and "because it is being terminated" in str(self)

    @property
    def told(self) -> str:
        """What of it may be shown to everybody. Of an invalid object the API server repeats the
        values that it finds wrong, and those may be secret."""
        if self.status != 422:
            return str(self)
        what = str(self).partition(" is invalid")[0].partition(":")[0]
        return f"{what} is invalid" + (f" in {', '.join(self.fields)}" if self.fields else "")


@dataclass(frozen=True)
class Resource:
    """A kind of object, as it stands in a URL."""

    group: str
    version: str
    plural: str

    @property
    def prefix(self) -> str:
        if self.group:
            return f"/apis/{self.group}/{self.version}"
        return f"/api/{self.version}"


FLOWS = Resource(GROUP, VERSION, "flows")
EXECUTIONS = Resource(GROUP, VERSION, "executions")
GIT_SOURCES = Resource(GROUP, VERSION, "gitsources")
KEY_VALUES = Resource(GROUP, VERSION, "keyvalues")
TRIGGER_STATES = Resource(GROUP, VERSION, "triggerstates")
JOBS = Resource("batch", "v1", "jobs")
PODS = Resource("", "v1", "pods")
CONFIG_MAPS = Resource("", "v1", "configmaps")
SERVICES = Resource("", "v1", "services")
NAMESPACES = Resource("", "v1", "namespaces")
SECRETS = Resource("", "v1", "secrets")
EVENTS = Resource("events.k8s.io", "v1", "events")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions")


Observer = Callable[[str, str, int], None]
"""Told of each call: verb, plural, HTTP status (0 where no answer came)."""

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Api:
    """The API server. Raises :class:`ApiError` for every refusal and lost connection."""

    def __init__(self, client: Any, observer: Observer | None = None) -> None:
        self._client = client
        self._observe = observer or (lambda verb, plural, status: None)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        return await self._call("GET", resource, namespace, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        selector: str | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        """Every object as of one moment. All of them are in memory together: of many objects,
        `pages` gives some after the other."""
        items: list[Object] = []
        async for page in self.pages(resource, namespace, selector, fields):
            items = page.items if page.is_first else items + page.items
        return items

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        selector: str | None = None,
        fields: str | None = None,
    ) -> AsyncIterator[Page]:
        """Every object as of one moment, in pages of bounded size.

        All pages show the moment of the first one. The API server forgets it after some minutes: a
        list that takes longer is begun anew, with another page that is the first.
        """
        query = {"labelSelector": selector} if selector else {}
        query |= {"fieldSelector": fields} if fields else {}
        for _ in range(_LIST_TRIES - 1):
            try:
                async for page in self._pages(resource, namespace, query):
                    yield page
            except ApiError as error:
                if error.status != 410:
                    raise
            else:
                return
        async for page in self._pages(resource, namespace, query):
            yield page

    async def _pages(
        self, resource: Resource, namespace: str | None, query: Mapping[str, str]
    ) -> AsyncIterator[Page]:
        size, version, token = PageSize(), "", ""
        while True:
            asked = {**query, "limit": str(size.limit)} | ({"continue": token} if token else {})
            try:
                raw = await self._request(
                    "GET", resource, namespace, None, "", asked, None, "", size.most_bytes
                )
            except PageTooLarge:
                size.was_too_large()
                continue
            answer = await read_list(raw)
            items, meta = answer.get("items") or [], answer.get("metadata") or {}
            size.took(len(items), len(raw))
            version = version or str(meta.get("resourceVersion", ""))
            yield Page(items, version, is_first=not token)
            token = meta.get("continue") or ""
            if not token:
                return

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("POST", resource, namespace, query=query, body=body)

    async def replace_status(self, resource: Resource, body: Object) -> Object:
        """Write a status whole. Its resourceVersion guards against a lost update."""
        meta = body["metadata"]
        return await self._call(
            "PUT", resource, meta["namespace"], meta["name"], "status", body=body
        )

    async def replace(self, resource: Resource, body: Object) -> Object:
        """Write an object whole. Its resourceVersion guards against a lost update."""
        meta = body["metadata"]
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call(
            "PUT", resource, meta["namespace"], meta["name"], query=query, body=body
        )

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Object, part: str = ""
    ) -> Object:
        return await self._call(
            "PATCH", resource, namespace, name, part, body=body, content_type=MERGE_PATCH
        )

    async def add_containers(
        self, namespace: str, pod: str, containers: Sequence[Object]
    ) -> Object:
        """Add ephemeral containers to a pod. Those that it has may not be changed."""
        body = {"spec": {"ephemeralContainers": list(containers)}}
        part = "ephemeralcontainers"
        return await self._call(
            "PATCH", PODS, namespace, pod, part, body=body, content_type=STRATEGIC_PATCH
        )

    async def apply(
        self, resource: Resource, namespace: str, name: str, body: Object, manager: str
    ) -> Object:
        """Server-side apply, never forced: a field that somebody else owns is a conflict."""
        query = {"fieldManager": manager, "force": "false"}
        return await self._call(
            "PATCH", resource, namespace, name, query=query, body=body, content_type=APPLY_PATCH
        )

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str | None = None,
        version: str | None = None,
    ) -> None:
        """Delete in the background. What is already gone, is another object now, or was changed
        since that version, is left."""
        body: Object = {"propagationPolicy": "Background"}
        wanted = {"uid": uid, "resourceVersion": version}
        if conditions := {name: value for name, value in wanted.items() if value is not None}:
            body["preconditions"] = conditions
        try:
            await self._call("DELETE", resource, namespace, name, body=body)
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise

    async def log(
        self, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> str:
        """The end of a container's log."""
        query = {
            "container": container,
            "tailLines": str(tail_lines),
            "limitBytes": str(limit_bytes),
        }
        raw = await self._request("GET", PODS, namespace, pod, "log", query, None, "")
        return raw.decode("utf-8", "replace")

    async def log_stream(
        self, namespace: str, pod: str, query: Mapping[str, str], silence: float | None = TIMEOUT
    ) -> AsyncIterator[bytes]:
        """A container's log as it comes, piece by piece; none of it is held in memory."""
        path = _path(PODS, namespace, pod, "log")
        async for piece in self.stream(path, query, silence=silence):
            yield piece

    async def stream(
        self,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        silence: float | None = TIMEOUT,
    ) -> AsyncGenerator[bytes, None]:
        """The answer to a GET, piece by piece; given up after so many seconds of silence."""
        sent = {"Accept": "*/*", "User-Agent": "penstock", **(headers or {})}
        status, response = 0, None
        timeout = ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=silence)
        try:
            response = await self._send("GET", path, query, sent, None, timeout)
            status = response.status
            if status >= 400:
                raise _refusal(status, await response.read())
            async for piece in response.response.content.iter_any():
                yield piece
        except (OSError, TimeoutError, ClientError, aio.client.ApiException) as error:
            raise ApiError(0, "Unreachable", f"the API server can't be reached: {error}") from error
        finally:
            self._observe("GET", "log", status)
            if response is not None:
                response.response.close()

    async def _call(
        self,
        verb: Verb,
        resource: Resource,
        namespace: str | None = None,
        name: str | None = None,
        part: str = "",
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        raw = await self._request(verb, resource, namespace, name, part, query, body, content_type)
        answer: Object = read_json(raw)
        return answer

    async def _request(
        self,
        verb: Verb,
        resource: Resource,
        namespace: str | None,
        name: str | None,
        part: str,
        query: Mapping[str, str] | None,
        body: Object | None,
        content_type: str,
        most_bytes: int | None = None,
    ) -> bytes:
        """Make a call. Raises ``PageTooLarge`` for an answer of more bytes than wanted."""
        path = _path(resource, namespace, name, part)
        headers = {"Accept": "application/json", "User-Agent": "penstock"}
        if content_type:
            headers["Content-Type"] = content_type
        status = 0
        try:
            response = await self._send(verb, path, query, headers, body, TIMEOUT)
            status = response.status
            raw = await _read(response, most_bytes)
        except (OSError, TimeoutError, ClientError, aio.client.ApiException) as error:
            raise ApiError(0, "Unreachable", f"the API server can't be reached: {error}") from error
        finally:
            self._observe(verb, resource.plural, status)
        if status >= 400:
            raise _refusal(status, raw, response.headers.get("Retry-After"))
        return raw

    async def _send(
        self,
        verb: Verb,
        path: str,
        query: Mapping[str, str] | None,
        headers: dict[str, str],
        body: Object | None,
        timeout: object,
    ) -> Any:
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, verb, body)
        url = self._client.configuration.host + path
        url += "?" + urlencode(query) if query else ""
        return await self._client.call_api(verb, url, headers, body, _request_timeout=timeout)


async def _read(response: Any, most_bytes: int | None) -> bytes:
    """Read an answer whole, unless it is too large: then the connection is closed."""
    if most_bytes is None or response.status >= 400:
        whole: bytes = await response.read()
        return whole
    pieces: list[bytes] = []
    size = 0
    async for piece in response.response.content.iter_any():
        size += len(piece)
        if size > most_bytes:
            response.response.close()
            raise PageTooLarge
        pieces.append(piece)
    return b"".join(pieces)


def _path(resource: Resource, namespace: str | None, name: str | None, part: str) -> str:
    """Write the path of an object, or of all objects of a kind where no name is given."""
    path = resource.prefix + (f"/namespaces/{_segment(namespace)}" if namespace else "")
    path += f"/{resource.plural}"
    path += "" if name is None else f"/{_segment(name)}"
    return path + (f"/{part}" if part else "")


def _segment(name: str) -> str:
    """Escape a name, which may be a person's text. One that no object can have is refused: it would
    lead to another object, or to all of them."""
    if name in ("", ".", "..") or "/" in name or "%" in name:
        raise ApiError(400, "BadRequest", f"`{name}` is no name that an object can have")
    return quote(name, safe="")


def _refusal(status: int, raw: bytes, retry_after: str | None = None) -> ApiError:
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else 0.0
    try:
        answer = read_json(raw)
        causes = (answer.get("details") or {}).get("causes") or ()
        fields = [str(cause["field"]) for cause in causes if cause.get("field")]
        reason, message = answer.get("reason") or str(status), answer.get("message") or ""
        return ApiError(status, reason, message, seconds, dict.fromkeys(fields))
    except (ValueError, AttributeError, TypeError):
        return ApiError(status, str(status), raw[:200].decode("utf-8", "replace"), seconds)


@asynccontextmanager
async def connect(
    observer: Observer | None = None, connections: int = CONNECTIONS
) -> AsyncIterator[Api]:
    """Connect with the service account of the pod, or with the current kubeconfig. Of calls and
    watches so many go on at once."""
    configuration = aio.client.Configuration()
    try:
        aio.config.load_incluster_config(client_configuration=configuration)
    except aio.config.ConfigException:
        await aio.config.load_kube_config(client_configuration=configuration)
    configuration.connection_pool_maxsize = connections
    async with aio.client.ApiClient(configuration) as client:
        yield Api(client, observer)
