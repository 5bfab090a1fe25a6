"""Git, as the controller calls it: over HTTP, in another process."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader, TCPConnector
from aiohttp.http_exceptions import HttpProcessingError

from penstock.controller.runtime.certificates import CertificatesMissing
from penstock.controller.runtime.outcomes import WaitingError
from penstock.git.model import Record, Remote, Wanted
from penstock.git.wire import (
    LONGEST_LINE,
    RESOLVE,
    SNAPSHOT,
    Done,
    Failed,
    Piece,
    Resolved,
    ResolveRequest,
    SnapshotRequest,
    Told,
    decoded,
    resolve_requests,
    snapshot_requests,
)
from penstock.kubernetes.api.client import ApiError
from penstock.network import RefusedNetworks
from penstock.tls.trust import GIT

_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 45.0
"""The service shows every few seconds that it is alive, however long Git takes."""

Address = Callable[[], Awaitable[str]]
"""Gives the URL of the service. Raises :class:`ApiError` where nobody can say it."""
Credentials = Callable[[], str]
"""Gives the token with which the controller shows who it is; read anew for each call."""
Trust = Callable[[], ssl.SSLContext]
"""Gives what knows the service's certificate. Raises :class:`CertificatesMissing`."""


class GitServiceUnavailable(WaitingError):
    """The Git service does not answer, or broke off."""

    reason = "GitServiceUnavailable"


class Git(Protocol):
    """What a reconcile needs of Git. Both raise ``GitError`` and :class:`GitServiceUnavailable`.

    Whoever stops waiting ends the call: the service kills its git.
    """

    async def resolve(self, tenant: str, remote: Remote) -> str:
        """The commit that the reference of a remote names."""
        ...

    def snapshot(
        self, tenant: str, source: str, remote: Remote, wanted: Wanted
    ) -> AbstractAsyncContextManager[AsyncIterator[Record]]:
        """The files of a commit. Whoever has seen the last record has seen them all."""
        ...


class GitClient:
    """Git by way of the Git service."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        refused: RefusedNetworks | None = None,
        trust: Trust | None = None,
    ) -> None:
        """``refused``: the service refuses what is our own there, too. ``trust``: the service shows
        a certificate of the installation; without it, one that anybody would take, or none."""
        self._address = address
        self._credentials = credentials
        self._refused = refused or RefusedNetworks()
        self._trust = trust
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Close all connections, and so end all calls."""
        if self._session is not None:
            await self._session.close()

    async def resolve(self, tenant: str, remote: Remote) -> str:
        """Do what :class:`Git` says."""
        body = resolve_requests.dump_json(ResolveRequest(tenant, remote, self._own))
        async with self._answer(RESOLVE, body) as told:
            async for record in told:
                if isinstance(record, Resolved):
                    return record.commit
        raise GitServiceUnavailable("the Git service gave an answer without a commit")

    @asynccontextmanager
    async def snapshot(
        self, tenant: str, source: str, remote: Remote, wanted: Wanted
    ) -> AsyncIterator[AsyncIterator[Record]]:
        """Do what :class:`Git` says."""
        request = SnapshotRequest(tenant, source, remote, wanted, self._own)
        body = snapshot_requests.dump_json(request)
        async with self._answer(SNAPSHOT, body) as told:
            yield _records(told)

    @property
    def _own(self) -> tuple[str, ...]:
        return tuple(sorted(self._refused.own))

    @asynccontextmanager
    async def _answer(self, path: str, body: bytes) -> AsyncIterator[AsyncIterator[Told]]:
        with _told_as_unavailable():
            token = await asyncio.to_thread(self._credentials)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            url = (await self._address()).rstrip("/") + path
            trust, name = (self._trust(), GIT) if self._trust is not None else (True, None)
            answer = await self._opened().post(
                url, data=body, headers=headers, ssl=trust, server_hostname=name
            )
        try:
            if answer.status != 200:
                with _told_as_unavailable():
                    said = (await answer.content.read(500)).decode("utf-8", "replace")
                raise GitServiceUnavailable(f"the Git service refuses: {answer.status} {said}")
            yield _told(answer.content)
        finally:
            answer.close()  # by this the service sees that nobody waits any more

    def _opened(self) -> ClientSession:
        if self._session is None:
            timeout = ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
            )
            # Each waits for the turn that the service gives it, which is fair.
            connector = TCPConnector(limit=0)
            self._session = ClientSession(
                connector=connector, timeout=timeout, read_bufsize=LONGEST_LINE, trust_env=False
            )
        return self._session


async def _records(told: AsyncIterator[Told]) -> AsyncIterator[Record]:
    async for record in told:
        if not isinstance(record, Resolved | Failed | Done):
            yield record


async def _told(content: StreamReader) -> AsyncIterator[Told]:
    """What an answer tells, up to its end mark. Raises ``GitError`` where it tells of one."""
    while True:
        with _told_as_unavailable():
            line = await content.readline()
            told = decoded(line)
            if isinstance(told, Piece):
                told = await content.readexactly(told.size)
        if not line:
            raise GitServiceUnavailable("the Git service broke off in the middle of its answer")
        match told:
            case None:
                continue
            case Failed(error):
                raise error
            case Done():
                return
        yield told


@contextmanager
def _told_as_unavailable() -> Iterator[None]:
    """Tell what goes wrong between here and the service, and of nothing else."""
    try:
        yield
    except (
        *(OSError, ClientError, HttpProcessingError, asyncio.IncompleteReadError),
        ApiError,  # which says where the service is
        CertificatesMissing,
    ) as error:
        what = str(error) or type(error).__name__
        raise GitServiceUnavailable(f"the Git service can't be reached: {what}") from error
    except ValueError as error:
        raise GitServiceUnavailable(f"the Git service is not understood: {error}") from error
