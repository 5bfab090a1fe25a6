"""How git gets to a server: by an address that was looked at, by way of no other server.

Git follows no redirect by itself: its target is read, checked as the URL of a GitSource is, and
asked in place of the first. So do real servers: from HTTP to HTTPS, and from a repository's old
name to its new one.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # what `getproxies` stands on
    getproxies_environment,
    proxy_bypass_environment,
)

from git.exc import GitCommandError

from penstock.git.checks import Address, check_url
from penstock.git.model import GitError
from penstock.git.process import HardenedGit
from penstock.git.redaction import redact_text, redact_url
from penstock.network import AddressRefused, Resolved, is_address

MOST_REDIRECTS = 2
"""The most redirects that are followed: one to HTTPS, and one to a repository's new name."""

_REDIRECTED = re.compile(r"error: 30[12378]\b", re.IGNORECASE)
_LOCATION = re.compile(r"<= Recv header: location: *(\S+)", re.IGNORECASE)
_ASKED = "/info/refs?service=git-upload-pack"
"""What git puts behind the URL of a repository, first of all."""
_TRACE = {"GIT_TRACE_CURL": "2", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
_LOOK = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Route:
    """A URL, and the configuration by which git gets there and nowhere else."""

    address: Address
    config: dict[str, str]


def converse(git: HardenedGit, address: Address, talk: Callable[[Route], T]) -> T:
    """Talk to the server of an address, or to the one that it redirects to.

    Raises ``GitError`` where one of them may not be asked, and what ``talk`` raises.
    """
    for _ in range(MOST_REDIRECTS + 1):
        route = route_to(git, address)
        try:
            return talk(route)
        except GitCommandError as error:
            if not _REDIRECTED.search(words_of(error)):
                raise
        target = _target(git, route)
        if target is None:
            break
        address = _followed(address, target)
    raise GitError(
        "GitOperationFailed",
        f"The Git server of {address.url} redirects, and not to a repository. Give its final URL; "
        "often it ends with .git.",
    )


def route_to(git: HardenedGit, address: Address) -> Route:
    """The way to an address. Raises ``GitError`` where it may not be asked."""
    proxy = _proxy_for(address)
    config = {"http.followRedirects": "false", "http.proxy": proxy}
    if address.authorization is not None:
        config["http.extraHeader"] = f"Authorization: {address.authorization}"
    # A proxy finds the host by itself; an address needs no finding.
    if not proxy or is_address(address.host):
        resolved = _resolved(git, address)
        places = ",".join(f"[{at}]" if ":" in at else at for at in resolved.addresses)
        if not is_address(address.host):
            config["http.curloptResolve"] = f"{address.host}:{address.port}:{places}"
    return Route(address, config)


def words_of(error: GitCommandError) -> str:
    """What git complained about."""
    # GitCommandError puts quotes and a label around what the process wrote.
    return str(error.stderr).strip().removeprefix("stderr: '").removesuffix("'")


def _proxy_for(address: Address) -> str:
    """The proxy of our environment for an address, as curl would choose it; empty for none."""
    proxies = getproxies_environment()
    scheme = urlsplit(address.url).scheme
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass_environment(f"{address.host}:{address.port}", proxies):
        return ""
    return proxy


def _resolved(git: HardenedGit, address: Address) -> Resolved:
    """The host's addresses. A resolver can't be stopped: one that is late is left to itself."""
    found: queue.SimpleQueue[Resolved | Exception] = queue.SimpleQueue()

    def look() -> None:
        try:
            found.put(git.terms.refused.resolve(address.host, address.port))
        except (OSError, UnicodeError, AddressRefused) as error:
            found.put(error)

    threading.Thread(target=look, name="resolver", daemon=True).start()
    while True:
        try:
            answer = found.get(timeout=min(git.terms.deadline.remaining(), _LOOK))
            break
        except queue.Empty:
            continue
    if isinstance(answer, AddressRefused):
        raise GitError("GitOperationFailed", f"{answer}.")
    if isinstance(answer, Exception):
        raise GitError(
            "GitOperationFailed",
            "The host's name cannot be resolved. Check the URL and the cluster's DNS. "
            f"({address.url}: {redact_text(str(answer))})",
        )
    return answer


def _target(git: HardenedGit, route: Route) -> str | None:
    """Where the server redirects to: the URL of a repository, if it is one."""
    command = ("ls-remote", "--", route.address.url, "HEAD")
    try:
        git.run(*command, config=route.config, environment=_TRACE)
    except GitCommandError as error:
        told = _LOCATION.findall(words_of(error))
        if not told:
            return None
        target = urljoin(route.address.url.rstrip("/") + _ASKED, told[-1])
        return target.removesuffix(_ASKED) if target.endswith(_ASKED) else None
    return None


def _followed(address: Address, target: str) -> Address:
    """The address to ask in place of another. Raises ``GitError`` with the URL to use where it is
    for a person to decide."""
    shown = redact_url(target)
    where = f"The Git server of {address.url} redirects to {shown}"
    if address.authorization is not None:
        raise GitError(
            "GitOperationFailed",
            f"{where}, which is not followed together with credentials. If it is right, use that "
            "URL.",
        )
    if address.url.startswith("https:") and not target.startswith("https:"):
        raise GitError("GitOperationFailed", f"{where}, which is not followed: it leaves HTTPS.")
    try:
        followed = check_url(target)
    except GitError as error:
        raise GitError("GitOperationFailed", f"{where}. {error}") from None
    if followed.authorization is not None:
        raise GitError("GitOperationFailed", f"{where}, with credentials: that is not followed.")
    return followed
