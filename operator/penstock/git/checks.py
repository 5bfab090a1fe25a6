"""Checks of what a user writes into a GitSource: URL, reference and path, before git sees them.

Whoever may create a GitSource would otherwise choose git's arguments and transports:
``--upload-pack=…`` as a branch and ``ext::sh -c …`` as a URL are code execution.
"""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from penstock.git.model import GitError, Reference
from penstock.git.redaction import redact_url

MAX_LENGTH = 2048
MAX_REFERENCE_LENGTH = 255

_OBJECT_ID = re.compile(r"(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_REFERENCE_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


@dataclass(frozen=True)
class Address:
    """A URL that is safe to hand to git, and the credentials that were inside it."""

    url: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """All spellings of the credentials that a message could contain."""

    @property
    def authorization(self) -> str | None:
        """The value of the ``Authorization`` header, if there are credentials."""
        if not self.username and not self.password:
            return None
        return "Basic " + _basic(self.username, self.password)


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def check_url(url: str) -> Address:
    """The address of an ``http`` or ``https`` URL. Raises :class:`GitError` for any other."""

    def refuse(why: str) -> GitError:
        return GitError("InvalidURL", f"The URL {redact_url(url)!r} is refused: {why}.")

    if not url or len(url) > MAX_LENGTH:
        raise refuse(f"it must have 1 to {MAX_LENGTH} characters")
    if not all("\x21" <= character <= "\x7e" for character in url) or "\\" in url:
        raise refuse("it may hold printable ASCII only; percent-encode the rest")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("host and port cannot be read") from None
    if parts.scheme not in ("http", "https") or not url.lower().startswith(parts.scheme + "://"):
        raise refuse("use https:// (or http://)")
    if "?" in url or "#" in url:
        raise refuse("leave out the query and the fragment")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise refuse("it has no valid host name")
    # Git takes a host that ends with a dot for another one than what it was told of that host.
    name_of_host = _canonical(parts.hostname.rstrip("."))
    host = f"[{name_of_host}]" if ":" in name_of_host else name_of_host
    clean = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"
    raw_name, raw_password = parts.username or "", parts.password or ""
    name, password = unquote(raw_name), unquote(raw_password)
    # A name beside a password is no secret, and may be a word like "git"; alone it is a token.
    spellings = {raw_password, password} if raw_password else {raw_name, name}
    if name or password:
        spellings.add(_basic(name, password))
    number = port or {"http": 80, "https": 443}[parts.scheme]
    secrets = tuple(sorted(spellings - {""}))
    return Address(clean, name_of_host, number, name, password, secrets)


def _canonical(host: str) -> str:
    """The host; an address in its usual form, however it was written (`127.1`, `0x7f000001`)."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return host
    return str(found[0][4][0])


def check_commit(commit: str) -> str:
    """The full object id in lower case; abbreviations and revision syntax are refused."""
    if not _OBJECT_ID.fullmatch(commit):
        raise GitError(
            "InvalidReference",
            f"The commit {commit[:MAX_REFERENCE_LENGTH]!r} is refused: "
            "give the full id of 40 (or 64) hexadecimal digits.",
        )
    return commit.lower()


def is_refname(name: str) -> bool:
    """Whether a name keeps the rules of ``git check-ref-format`` for the part behind
    ``refs/heads/``, and begins with no ``-``, as ``git branch`` demands.
    """
    if not name or len(name) > MAX_REFERENCE_LENGTH or name == "@" or not name.isprintable():
        return False
    if name.startswith(("-", "/")) or name.endswith(("/", ".")):
        return False
    if _REFERENCE_FORBIDDEN.search(name):
        return False
    return not any(part.startswith(".") or part.endswith(".lock") for part in name.split("/"))


def check_reference(reference: Reference) -> Reference:
    """The reference, where at most one kind is given and it is well-formed. Raises
    :class:`GitError`."""
    given = {
        kind: name
        for kind in ("branch", "tag", "commit")
        if (name := getattr(reference, kind)) is not None
    }
    if len(given) > 1:
        raise GitError(
            "InvalidReference",
            f"Only one of {', '.join(given)} can be followed: leave out the others.",
        )
    if reference.commit is not None:
        return Reference(commit=check_commit(reference.commit))
    for kind, name in given.items():
        if not is_refname(name):
            raise GitError(
                "InvalidReference",
                f"The {kind} {name[:MAX_REFERENCE_LENGTH]!r} is refused: it is not a valid name "
                "(see git check-ref-format). Give the short name, such as 'main'.",
            )
    return reference


def check_path(path: str) -> str:
    """The path in normal form, ``""`` for the top. Raises :class:`GitError` for one that leads out
    of the repository."""

    def refuse(why: str) -> GitError:
        return GitError("NotFound", f"The path {path[:MAX_LENGTH]!r} is refused: {why}.")

    if len(path) > MAX_LENGTH:
        raise refuse(f"it is longer than {MAX_LENGTH} characters")
    if path.startswith("/"):
        raise refuse("it must be relative to the top of the repository")
    if not path.isprintable():
        raise refuse("it may hold printable characters only")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse("'..' is not allowed")
    return "/".join(parts)
