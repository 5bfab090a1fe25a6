"""The URIs of files, the paths that they name, and which of them an execution may use.

    kestra:///company/team/flow/executions/<id>/tasks/<task>/<task run>/<file>
    kestra:///company/team/flow/executions/<id>/inputs/<input>/<file>
    kestra:///company/team/_files/<path>
    nsfile:///<path>, nsfile://other.namespace/<path>

A *path* is what a URI names within the storage: decoded, absolute, with no part that is empty, `.`
or `..`. Everything here is computed; nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from urllib.parse import quote, unquote

from penstock.storage.errors import AccessDenied, StorageError

FILES = "_files"
PAIRS = "_kv"

_SCHEME = re.compile(r"^(kestra|nsfile)://([^/]*)(/.*)$", re.DOTALL)
_NAMESPACE = re.compile(r"^[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*$")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_OF_EXECUTION = ("tasks/", "inputs/", "trigger/")
_EXECUTIONS = "executions"
_MAX_CANDIDATES = 4

URI_IN_TEXT = re.compile(r"kestra:///[-A-Za-z0-9%._~+#=/]*[-A-Za-z0-9%_~+#=/]")
"""Finds a URI of the storage within a text, without the full stop that may end a sentence behind
it."""

Refused = Callable[[str], str | None]
"""Tells why a file of another execution, given by its path, may not be used; None where it may: see
:mod:`penstock.storage.access`."""
_MAX_PATH = 1024
_MAX_PART = 240
"""The most bytes of a part: what file systems and object stores take, with room for a suffix."""


@dataclass(frozen=True)
class ExecutionPlace:
    """An execution, and the folders of its files."""

    namespace: str
    flow: str
    execution: str

    @property
    def folder(self) -> str:
        """The path that all files of the execution begin with."""
        return f"{flow_folder(self.namespace, self.flow)}{_EXECUTIONS}/{own_part(self.execution)}/"

    def task_folder(self, task: str, task_run: str) -> str:
        """The path that all files begin with that a task run makes."""
        return f"{self.folder}tasks/{slug(task)}/{slug(task_run)}/"

    def task_file(self, task: str, task_run: str, name: str) -> str:
        """The path of a file that a task makes."""
        return checked(f"{self.task_folder(task, task_run)}{name}")

    def cache_file(self, name: str) -> str:
        """The path of a file that the executions of the flow have in common under a name."""
        flow = flow_folder(self.namespace, self.flow)
        own = "" if own_part(self.flow) == slug(self.flow) else f"{own_part(self.flow)}/"
        return checked(f"{flow}cache/{own}{own_part(name)}.tar")

    def input_file(self, input_id: str, name: str) -> str:
        """The path of a file that is given as an input."""
        return checked(f"{self.folder}inputs/{slug(input_id)}/{name}")

    def holds(self, path: str) -> bool:
        """Whether a path is of a file of the execution."""
        rest = path.removeprefix(self.folder)
        return rest != path and rest.startswith(_OF_EXECUTION)


def slug(text: str) -> str:
    """An id as a part of a path. Raises :class:`StorageError` where nothing of it is left."""
    made = _NOT_SLUG.sub("-", text.lower()).strip("-")
    if not made:
        raise StorageError(f"`{text}` can't be a part of a file's path")
    return made


def own_part(name: str) -> str:
    """A name as a part of a path that no other name has: `run.1` is not `run-1`. A plain name never
    has the character before the hash."""
    made = slug(name)
    return made if made == name else f"{made}~{sha256(name.encode()).hexdigest()[:10]}"


def namespace_folder(namespace: str) -> str:
    """The path that everything of a namespace begins with."""
    if _NAMESPACE.fullmatch(namespace) is None:
        raise StorageError(f"`{namespace}` is not a namespace that can have files")
    return f"/{namespace.replace('.', '/')}/"


def flow_folder(namespace: str, flow: str) -> str:
    """The path that everything of a flow begins with."""
    return f"{namespace_folder(namespace)}{slug(flow)}/"


def namespace_file(namespace: str, path: str) -> str:
    """The path of a namespace file."""
    return checked(f"{namespace_folder(namespace)}{FILES}/{path.lstrip('/')}")


def checked(path: str) -> str:
    """The path, where it is valid. Raises :class:`StorageError`."""
    parts = path.split("/")[1:]
    if not path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise StorageError(f"`{path}` is not the path of a file: a part is empty, `.` or `..`")
    if any(ord(character) < 32 or character in "\\\x7f" for character in path):
        raise StorageError(f"{path!r} is not the path of a file: it has a control character or \\")
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
    if sum(sizes) > _MAX_PATH or max(sizes) > _MAX_PART:
        raise StorageError(f"the path of a file is too long: `{path[:100]}…`")
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise StorageError(f"{path!a} is not the path of a file: it is not text")
    return path


def uri_of(path: str) -> str:
    """The URI of a path; ASCII, with no character that a shell or a space would break."""
    return "kestra://" + quote(path, safe="/-._~")


def is_uri(text: str) -> bool:
    """Whether a text names a file of the storage."""
    return text.startswith(("kestra://", "nsfile://"))


def parse(uri: str, namespace: str) -> str:
    """The path that a URI names, seen from a namespace. Raises :class:`StorageError`."""
    match = _SCHEME.match(uri)
    if match is None:
        shown = uri if len(uri) <= 200 else uri[:200] + "…"
        raise StorageError(
            f"`{shown}` is not a URI of the internal storage; write kestra:///… or nsfile:///…"
        )
    scheme, host, encoded = match.groups()
    if _BAD_ESCAPE.search(encoded) or re.search(r"%2f|%00", encoded, re.IGNORECASE):
        raise StorageError(f"`{uri}` has an escape that no file's name has")
    path = unquote(encoded, errors="surrogateescape")
    if scheme == "nsfile":
        return namespace_file(host or namespace, path[1:])
    if host:
        raise StorageError(f"`{uri}` names a host; three slashes are needed: kestra:///…")
    return checked(path)


def paths_in(text: str) -> Iterator[str]:
    """The paths of the files that a text names by `kestra:///…`."""
    if "kestra:///" not in text:
        return
    whole = [text] if text.startswith("kestra:///") else []
    for uri in dict.fromkeys([*whole, *URI_IN_TEXT.findall(text)]):
        try:
            yield parse(uri, "")
        except StorageError:
            continue


def executions_in(path: str) -> list[str]:
    """The names of the executions to which a path may belong. There is one, unless a namespace or a
    flow has the name of the folder."""
    parts = path.split("/")
    names = [after for part, after in pairwise(parts) if part == _EXECUTIONS]
    return names[:_MAX_CANDIDATES]


def may_read(
    path: str,
    execution: ExecutionPlace,
    parents: Sequence[ExecutionPlace] = (),
    namespaces: Collection[str] = (),
) -> bool:
    """Whether an execution may read a file: its own, one of an execution that called it, or a
    namespace file of its own namespace and of further ``namespaces``.
    """
    if any(place.holds(path) for place in (execution, *parents)):
        return True
    open_to_it = (execution.namespace, *namespaces)
    return any(path.startswith(f"{namespace_folder(item)}{FILES}/") for item in open_to_it)


def readable(
    uri: str,
    execution: ExecutionPlace,
    parents: Sequence[ExecutionPlace] = (),
    *,
    any_namespace: bool = False,
    refused: Refused = lambda path: "",
) -> str:
    """The path of a URI that the execution may read. Raises :class:`StorageError`.

    With ``any_namespace`` it may read what `nsfile://other.namespace/…` names as well. ``refused``
    is asked about files of executions that are not its parents.
    """
    path = parse(uri, execution.namespace)
    match = _SCHEME.match(uri)
    named = match[2] if match is not None and any_namespace else ""
    if may_read(path, execution, parents, [named] if named else []):
        return path
    why = refused(path) if executions_in(path) else ""
    if why is None:
        return path
    message = f"Unable to read the file '{uri}' as it didn't belong to the current execution"
    raise AccessDenied(f"{message}: {why}" if why else message)
