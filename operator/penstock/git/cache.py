"""How a commit becomes files, by way of a cache that may be deleted at any time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from git.exc import GitCommandError

from penstock.git.checks import Address, check_commit, check_path
from penstock.git.model import GitError, Limits, Reference, Remote, Snapshot
from penstock.git.process import HardenedGit, Watch, hardened_git
from penstock.git.redaction import redact_text
from penstock.git.remote import Unclassified, check_remote, fetch, has_commit
from penstock.git.tree import list_files, read_files, tree_failure

MAX_PACKS = 64
"""Each fetch leaves a pack; fetching afresh is cheaper than ``git gc`` and cannot go wrong."""

_LAYOUT = "1"


def snapshot(
    remote: Remote,
    commit: str,
    cache: Path,
    known: frozenset[str] = frozenset(),
    suffixes: tuple[str, ...] = (".yaml", ".yml"),
    limits: Limits = Limits(),  # noqa: B008  (frozen)
) -> Snapshot:
    """The files of a commit, as :func:`resolve` named it, below ``remote.path``.

    ``cache`` belongs to this source alone; it is created with mode 0700, and may be deleted
    between calls. If it holds the commit already, nothing is fetched. A cache that turns out to
    be damaged, or to be of another repository, is wiped, and the commit is fetched once more.

    See :func:`penstock.git.remote.fetch` for the one case in which ``Snapshot.commit`` is another
    commit than ``commit``.
    """
    address, reference = check_remote(remote)
    commit = check_commit(commit)
    path = check_path(remote.path)
    with hardened_git(remote.timeout) as git, _opened(cache, git.deadline):
        try:
            return _attempt(git, address, reference, commit, cache, path, known, suffixes, limits)
        except _StaleCache:
            return _attempt(git, address, reference, commit, cache, path, known, suffixes, limits)
        except OSError as error:
            raise _unusable(error) from None


class _StaleCache(Exception):
    """The cache was not fresh and failed; it is gone now, so another attempt starts afresh."""


def _attempt(
    git: HardenedGit,
    address: Address,
    reference: Reference,
    commit: str,
    cache: Path,
    path: str,
    known: frozenset[str],
    suffixes: tuple[str, ...],
    limits: Limits,
) -> Snapshot:
    directory = cache / "repository.git"
    mark = _mark(address, commit, limits)
    fresh = not _usable(cache, mark)
    repository = git.inside(directory)
    try:
        if fresh:
            _create(repository, cache, mark, commit)
        watch = Watch(directory / "objects" / "pack", limits.max_fetch_bytes)
        if not has_commit(repository, commit):
            commit = fetch(repository, address, reference, commit, limits, watch)
        listing = list_files(repository, commit, path, suffixes, limits)
        files, skipped = read_files(repository, listing, known, limits)
        return Snapshot(commit, files, skipped)
    except (GitError, GitCommandError) as error:
        failed = tree_failure(error) if isinstance(error, GitCommandError) else error
        if isinstance(failed, Unclassified) or failed.reason in ("Timeout", "TooLarge"):
            # A git that was killed leaves locks and half a pack; wiping also frees the disk.
            _wipe(cache)
            if not fresh and failed.reason != "Timeout":
                raise _StaleCache from None
        raise failed from None


def _mark(address: Address, commit: str, limits: Limits) -> str:
    """The mark of a cache: it names what the cache was made for. A limit of another size left other
    files out."""
    kind = "sha1" if len(commit) == 40 else "sha256"
    text = "\n".join((_LAYOUT, address.url, kind, str(limits.max_file_bytes)))
    return hashlib.sha256(text.encode()).hexdigest()


def _usable(cache: Path, mark: str) -> bool:
    """Whether the cache is of this remote and not worn out. Any other is wiped."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        packs = os.listdir(cache / "repository.git" / "objects" / "pack")
        if (cache / "mark").read_text() == mark and len(packs) < 3 * MAX_PACKS:
            return True
    _wipe(cache)
    return False


def _create(repository: HardenedGit, cache: Path, mark: str, commit: str) -> None:
    """Make an empty bare repository: without a template, so without even a sample of a hook."""
    kind = "sha1" if len(commit) == 40 else "sha256"
    assert repository.directory is not None
    try:
        repository.run("init", "--quiet", "--bare", "--template=", f"--object-format={kind}")
    except GitCommandError as error:
        detail = redact_text(str(error.stderr))
        raise GitError("GitOperationFailed", f"The cache cannot be created: {detail}") from None
    (cache / "mark").write_text(mark)


def _wipe(cache: Path) -> None:
    """Remove what is ours in the cache; the lock stays, because it is held."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(cache / "mark")
    directory = cache / "repository.git"
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
    except OSError:
        os.unlink(directory)  # a file or a symbolic link in its place


@contextlib.contextmanager
def _opened(cache: Path, deadline: float) -> Iterator[None]:
    """Open the cache as a private directory that this call alone holds.

    A caller that gave up on an earlier call may come again while that call still runs.
    """
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not stat.S_ISDIR(os.lstat(cache).st_mode):
            raise NotADirectoryError(f"{cache.name} is a symbolic link")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(cache / "lock", flags, 0o600)
    except OSError as error:
        raise _unusable(error) from None
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise GitError(
                        "Timeout", "An earlier sync of this source is still running."
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def _unusable(error: OSError) -> GitError:
    reason = error.strerror or str(error)
    return GitError("GitOperationFailed", f"The cache directory cannot be used: {reason}.")
