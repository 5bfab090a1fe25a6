"""Reads a commit out of the cache: its tree, then the bytes of the files.

No path is ever a path of this machine. Names are checked all the same, because callers show them to
people and make identifiers of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from git.exc import GitCommandError

from penstock.git.model import GitError, Limits, Skipped, SourceFile
from penstock.git.process import HardenedGit
from penstock.git.remote import Unclassified

_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_RESERVED = frozenset({"", ".", "..", ".git", "git~1"})
_SYMLINK = b"120000"
_MAX_SHOWN = 512


class CorruptCache(Unclassified):
    """The cache is damaged: git's answers do not fit together."""

    def __init__(self, detail: str) -> None:
        super().__init__("GitOperationFailed", f"The cached repository is damaged: {detail}")


@dataclass(frozen=True)
class Entry:
    """One line of ``git ls-tree``."""

    mode: bytes
    kind: bytes
    blob: str
    name: bytes


@dataclass
class Listing:
    """The entries of a commit below a path: the files to read, and the entries that are skipped."""

    files: dict[str, str]
    """The blob of each path."""
    skipped: list[Skipped]


def _entries(output: bytes) -> Iterator[Entry]:
    for line in output.split(b"\0"):
        if line:
            head, _, name = line.partition(b"\t")
            fields = head.split(b" ")
            if len(fields) != 3:
                raise CorruptCache("a tree cannot be read")
            yield Entry(fields[0], fields[1], fields[2].decode("ascii", "replace"), name)


def list_files(
    git: HardenedGit, commit: str, path: str, suffixes: tuple[str, ...], limits: Limits
) -> Listing:
    """The files with one of the suffixes below ``path``, a checked path.

    Skipped are symbolic links and submodules, whatever their names are, and files whose name
    cannot be used. Links are not followed on the way to ``path`` either.
    """
    entries, prefix = _below(git, commit, path)
    listing = Listing({}, [])
    endings = tuple(suffix.encode() for suffix in suffixes)
    for entry in entries:
        name = prefix + entry.name
        text, reason = _judge(entry, name)
        if reason is None and not name.endswith(endings):
            continue
        if reason is None and text in listing.files:
            reason = "the tree holds this name twice"
        if reason is None:
            listing.files[text] = entry.blob
        elif entry.kind == b"commit" or entry.mode == _SYMLINK or name.endswith(endings):
            listing.skipped.append(Skipped(text[:_MAX_SHOWN], reason))
        if len(listing.files) + len(listing.skipped) > limits.max_files:
            raise GitError(
                "TooLarge",
                f"There are more than {limits.max_files} files below {path or '.'!r}. Choose a "
                "narrower path, or raise the limit.",
            )
    return listing


def _below(git: HardenedGit, commit: str, path: str) -> tuple[Iterator[Entry], bytes]:
    """The entries below a path, and the prefix of their names."""
    if not path:
        output, _ = git.run("ls-tree", "-r", "-z", "--full-tree", f"{commit}^{{tree}}")
        return _entries(output), b""
    output, _ = git.run("ls-tree", "-z", "--full-tree", f"{commit}^{{tree}}", "--", path)
    found = [entry for entry in _entries(output) if entry.name == path.encode()]
    if not found:
        raise GitError(
            "NotFound",
            f"The path {path!r} does not exist in commit {commit}. Check the path and the "
            "reference; symbolic links are not followed.",
        )
    entry = found[0]
    if entry.kind == b"tree":
        output, _ = git.run("ls-tree", "-r", "-z", "--full-tree", entry.blob)
        return _entries(output), entry.name + b"/"
    if entry.kind == b"commit" or entry.mode == _SYMLINK:
        raise GitError(
            "NotFound",
            f"The path {path!r} is a symbolic link or a submodule in commit {commit}, and these "
            "are not followed. Give a directory of this repository.",
        )
    return iter((entry,)), b""


def _judge(entry: Entry, name: bytes) -> tuple[str, str | None]:
    """The printable path of an entry, and why it is skipped; None where it is read."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("utf-8", "backslashreplace"), "the name is not UTF-8"
    if not text.isprintable():
        escaped = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
        )
        return escaped, "the name holds unprintable characters"
    if _RESERVED & set(text.lower().split("/")):
        return text, "the name is reserved"
    if entry.kind == b"commit":
        return text, "submodules are not read"
    if entry.mode == _SYMLINK:
        return text, "symbolic links are not followed"
    return text, None


def read_files(
    git: HardenedGit, listing: Listing, known: frozenset[str], limits: Limits
) -> tuple[tuple[SourceFile, ...], tuple[Skipped, ...]]:
    """The listed files with their content; those whose blob is in ``known`` come without it."""
    sizes = _sizes(git, sorted(set(listing.files.values())))
    skipped = list(listing.skipped)
    total = 0
    chosen: dict[str, str] = {}
    for path, blob in listing.files.items():
        size = sizes[blob]
        if size is None or size > limits.max_file_bytes:
            reason = f"the file is larger than {limits.max_file_bytes} bytes"
            skipped.append(Skipped(path, reason))
            continue
        chosen[path] = blob
        total += size
    if total > limits.max_total_bytes:
        raise GitError(
            "TooLarge",
            f"The files have {total} bytes together, and the limit is {limits.max_total_bytes}. "
            "Choose a narrower path, or raise the limit.",
        )
    contents = _contents(git, sorted(set(chosen.values()) - known), total)
    files = []
    for path, blob in chosen.items():
        content = contents.get(blob)
        if content is not None and content.startswith(_LFS_POINTER):
            skipped.append(Skipped(path, "Git LFS files are not fetched"))
        else:
            files.append(SourceFile(path, blob, content))
    files.sort(key=lambda file: file.path)
    skipped.sort(key=lambda entry: entry.path)
    return tuple(files), tuple(skipped)


def _sizes(git: HardenedGit, blobs: list[str]) -> dict[str, int | None]:
    """The sizes of blobs; None for one that the server left out, as the filter of the fetch asked.

    Git also says "missing" of an object that it cannot read, but writes an error then.
    """
    if not blobs:
        return {}
    output, complaints = git.run("cat-file", "--batch-check", stdin=_request(blobs))
    lines = output.decode("ascii", "replace").splitlines()
    if complaints or len(lines) != len(blobs):
        raise CorruptCache("objects cannot be read")
    sizes: dict[str, int | None] = {}
    for blob, line in zip(blobs, lines, strict=True):
        fields = line.split(" ")
        if fields == [blob, "missing"]:
            sizes[blob] = None
        elif len(fields) == 3 and fields[:2] == [blob, "blob"]:
            sizes[blob] = int(fields[2])
        else:
            raise CorruptCache(f"{blob} is not a blob")
    return sizes


def _contents(git: HardenedGit, blobs: list[str], total: int) -> dict[str, bytes]:
    """The contents of blobs, each checked against its id: by the id a later sync knows the file."""
    if not blobs:
        return {}
    limit = total + 128 * len(blobs)
    output, _ = git.run("cat-file", "--batch", stdin=_request(blobs), limit=limit)
    contents: dict[str, bytes] = {}
    position = 0
    for blob in blobs:
        end = output.find(b"\n", position)
        fields = output[position:end].split(b" ")
        if end < 0 or len(fields) != 3 or not fields[2].isdigit():
            raise CorruptCache(f"{blob} cannot be read")
        position = end + 1 + int(fields[2])
        content = output[end + 1 : position]
        digest = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
        header = b"blob %d\0" % len(content)
        if digest(header + content, usedforsecurity=False).hexdigest() != blob:
            raise CorruptCache(f"{blob} has another content than its id says")
        contents[blob] = content
        position += 1
    return contents


def _request(blobs: list[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()


def tree_failure(error: GitCommandError) -> CorruptCache:
    """The error of a failed read of the cache: the cause is on this machine, so a fresh fetch may
    help."""
    return CorruptCache(f"{error.command} ended with {error.status}")
