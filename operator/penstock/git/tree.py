"""Reads a commit out of the cache: its tree, then the bytes of the files.

No path is ever a path of this machine. Names are checked all the same, because callers show them to
people and make identifiers of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from git.exc import GitCommandError

from penstock.git.model import FileHead, GitError, Limits, Skipped
from penstock.git.process import Answers, HardenedGit
from penstock.git.remote import Unclassified

_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_RESERVED = frozenset({"", ".", "..", ".git", "git~1"})
_SYMLINK = b"120000"
_MAX_PATH = 1024
_MAX_SHOWN = 512
_SECONDS_TO_READ = 300.0
"""Seconds for one file, with all that its reader does meanwhile."""


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
    start = 0
    while start < len(output):  # line by line: there may be more of them than are ever needed
        end = output.find(b"\0", start)
        head, _, name = output[start:end].partition(b"\t")
        fields = head.split(b" ")
        if end < 0 or len(fields) != 3:
            raise CorruptCache("a tree cannot be read")
        yield Entry(fields[0], fields[1], fields[2].decode("ascii", "replace"), name)
        start = end + 1


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
    if len(text) > _MAX_PATH:
        return text, f"the path is longer than {_MAX_PATH} characters"
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


@dataclass(frozen=True)
class File:
    """A file that is to be read."""

    path: str
    blob: str
    size: int


@dataclass(frozen=True)
class Chosen:
    """What of a listing is read, ordered by path, and what is not."""

    files: tuple[File, ...]
    skipped: tuple[Skipped, ...]


def choose_files(git: HardenedGit, listing: Listing, limits: Limits) -> Chosen:
    """The listed files that are small enough, each and together."""
    sizes = _sizes(git, sorted(set(listing.files.values())))
    skipped = list(listing.skipped)
    files: list[File] = []
    for path, blob in sorted(listing.files.items()):
        size = sizes[blob]
        if size is None or size > limits.max_file_bytes:
            reason = f"the file is larger than {limits.max_file_bytes} bytes"
            skipped.append(Skipped(path, reason))
        else:
            files.append(File(path, blob, size))
    total = sum(file.size for file in files)
    if total > limits.max_total_bytes:
        raise GitError(
            "TooLarge",
            f"The files have {total} bytes together, and the limit is {limits.max_total_bytes}. "
            "Choose a narrower path, or raise the limit.",
        )
    return Chosen(tuple(files), tuple(sorted(skipped, key=lambda entry: entry.path)))


def read_files(
    git: HardenedGit, chosen: Chosen, known: Mapping[str, str]
) -> Iterator[FileHead | bytes | Skipped]:
    """The files with their bytes, one after the other, but for the bytes of those that are known.

    None is held in memory, nor two of them read at once: whoever takes the records says how fast.
    """
    yield from chosen.skipped
    unread = [file for file in chosen.files if known.get(file.path) != file.blob]
    for file in chosen.files:
        if known.get(file.path) == file.blob:
            yield FileHead(file.path, file.blob, None)
    if not unread:
        return
    with git.answering("cat-file", "--batch") as answers:
        for file in unread:
            git.terms.deadline.restart(_SECONDS_TO_READ)
            yield from _content(answers, file)


def _content(answers: Answers, file: File) -> Iterator[FileHead | bytes | Skipped]:
    """One file, checked against its id: the id decides later what is skipped."""
    expected = f"{file.blob} blob {file.size}".encode()
    if answers.ask(file.blob) != expected:
        raise CorruptCache(f"{file.blob} cannot be read")
    digest = (hashlib.sha1 if len(file.blob) == 40 else hashlib.sha256)(usedforsecurity=False)
    digest.update(b"blob %d\0" % file.size)
    pieces = answers.pieces(file.size)
    start = b""
    while len(start) < len(_LFS_POINTER) and (piece := next(pieces, b"")):
        start += piece
    is_pointer = start.startswith(_LFS_POINTER)
    yield (
        Skipped(file.path, "Git LFS files are not fetched")
        if is_pointer
        else FileHead(file.path, file.blob, file.size)
    )
    for piece in chain((start,), pieces):
        digest.update(piece)
        if piece and not is_pointer:
            yield piece
    if b"".join(answers.pieces(1)) != b"\n" or digest.hexdigest() != file.blob:
        raise CorruptCache(f"{file.blob} has another content than its id says")


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


def _request(blobs: list[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()


def tree_failure(error: GitCommandError) -> CorruptCache:
    """The error of a failed read of the cache: the cause is on this machine, so a fresh fetch may
    help."""
    return CorruptCache(f"{error.command} ended with {error.status}")
