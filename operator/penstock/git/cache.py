"""How a commit becomes files, by way of a cache that may be deleted at any time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from git.exc import GitCommandError

from penstock.git.checks import Address, check_commit, check_path
from penstock.git.disk import CacheFull, size_of
from penstock.git.model import (
    Begun,
    Cancelled,
    Deadline,
    GitError,
    Limits,
    Record,
    Reference,
    Remote,
    Terms,
    Wanted,
)
from penstock.git.process import HardenedGit, hardened_git
from penstock.git.redaction import redact_text
from penstock.git.remote import Unclassified, check_remote, fetch, has_commit
from penstock.git.tree import Chosen, choose_files, list_files, read_files, tree_failure

MAX_PACKS = 64
"""The most packs of a cache. Each fetch leaves one; fetching afresh is cheaper than ``git gc`` and
cannot go wrong."""

_LAYOUT = "1"


def snapshot(
    remote: Remote,
    wanted: Wanted,
    cache: Path,
    terms: Terms,
    make_room: Callable[[], None] = lambda: None,
) -> Iterator[Record]:
    """The files of a commit, as :func:`resolve` named it, below ``remote.path``.

    ``cache`` belongs to this source alone; it is created with mode 0700, and may be deleted
    between calls. If it holds the commit already, nothing is fetched. A cache that turns out to
    be damaged, or to be of another repository, is wiped, and the commit is fetched once more.
    ``make_room`` is called before git writes to it and while it does, and raises ``GitError`` where
    there is no room.

    See :func:`penstock.git.remote.fetch` for the one case in which another commit than the wanted
    one is read. The time of ``terms`` is that of the fetch; each file that is read has its own.
    """
    address, reference = check_remote(remote)
    commit, path = check_commit(wanted.commit), check_path(remote.path)
    with hardened_git(terms) as git, _opened(cache, terms.deadline):
        attempt = _Attempt(git, address, reference, path, wanted, cache, make_room)
        try:
            try:
                chosen, commit = attempt.prepared(commit)
            except _StaleCache:
                chosen, commit = attempt.prepared(commit)
            yield Begun(commit)
            yield from attempt.read(chosen)
        except OSError as error:
            raise _unusable(error) from None


class _StaleCache(Exception):
    """The cache was not fresh and failed; it is gone now, so another attempt starts afresh."""


@dataclass(frozen=True)
class _Attempt:
    """What one snapshot is made of."""

    git: HardenedGit
    address: Address
    reference: Reference
    path: str
    wanted: Wanted
    cache: Path
    make_room: Callable[[], None]

    @property
    def repository(self) -> HardenedGit:
        return self.git.inside(self.cache / "repository.git")

    def prepared(self, commit: str) -> tuple[Chosen, str]:
        """Have the commit in the cache; which files are to be read, and of which commit."""
        mark = _mark(self.address, commit, self.wanted.limits)
        fresh = not _usable(self.cache, mark)
        repository = self.repository
        try:
            self.make_room()
            if fresh:
                _create(repository, self.cache, mark, commit)
            if not has_commit(repository, commit):
                commit = fetch(
                    *(repository, self.address, self.reference, commit, self.wanted.limits),
                    self._watch,
                )
            return self._chosen(repository, commit), commit
        except Cancelled:
            _wipe(self.cache)
            raise
        except (GitError, GitCommandError) as error:
            failed = tree_failure(error) if isinstance(error, GitCommandError) else error
            if _harms(failed):
                # A git that was killed leaves locks and half a pack; wiping also frees the disk.
                _wipe(self.cache)
                if not fresh and failed.reason != "Timeout" and not isinstance(failed, CacheFull):
                    raise _StaleCache from None
            raise failed from None

    def read(self, chosen: Chosen) -> Iterator[Record]:
        """The files. A cache that is damaged goes, so that the next snapshot begins afresh."""
        try:
            yield from read_files(self.repository, chosen, self.wanted.known)
        except Unclassified:
            _wipe(self.cache)
            raise

    def _chosen(self, repository: HardenedGit, commit: str) -> Chosen:
        limits = self.wanted.limits
        listing = list_files(repository, commit, self.path, self.wanted.suffixes, limits)
        return choose_files(repository, listing, limits)

    def _watch(self) -> None:
        """Look how much git has written."""
        limit = self.wanted.limits.max_fetch_bytes
        if size_of(self.cache / "repository.git" / "objects" / "pack") > limit:
            raise GitError(
                "TooLarge",
                f"The repository needs more than {limit} bytes. Keep flows in a smaller "
                "repository, or raise the limit.",
            )
        self.make_room()


def _harms(failed: GitError) -> bool:
    """Whether a cache is of no use, or takes room in vain, after such a failure."""
    return isinstance(failed, Unclassified | CacheFull) or failed.reason in ("Timeout", "TooLarge")


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
def _opened(cache: Path, deadline: Deadline) -> Iterator[None]:
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
                deadline.remaining()
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def _unusable(error: OSError) -> GitError:
    reason = error.strerror or str(error)
    return GitError("GitOperationFailed", f"The cache directory cannot be used: {reason}.")
