"""The two conversations with a Git server: which commit a reference names, and to fetch it.

What git says becomes one of the reasons of :class:`GitError` here, so that a user reads what to
change, not git's own words alone.
"""

from __future__ import annotations

import contextlib
import re

from git.exc import GitCommandError

from penstock.git.checks import Address, check_commit, check_path, check_reference, check_url
from penstock.git.model import GitError, Limits, Reason, Reference, Remote, Terms
from penstock.git.process import MEMORY, HardenedGit, Watch, hardened_git
from penstock.git.redaction import redact_text
from penstock.git.route import Route, converse, words_of

CURRENT = "refs/penstock/current"
"""The cache's ref for what was fetched last: the next fetch transfers the difference to it."""

_LS_REMOTE_LIMIT = 8 * 1024 * 1024
_HISTORY_DEPTHS = (50, 0x7FFFFFFF)
"""The depths of a search: first the recent history, then all (this number is how git spells
``--unshallow``)."""

_REFUSED_OBJECT = re.compile(
    r"not allow request for unadvertised object|not our ref|want [0-9a-f]+ not valid"
    r"|couldn't find remote ref|no such remote ref|remote did not send all necessary objects",
    re.IGNORECASE,
)

_CAUSES: tuple[tuple[str, Reason, str], ...] = (
    (
        r"authentication failed|could not read (username|password)|error: 40[13]\b|http 40[13]",
        "AuthenticationFailed",
        "The Git server wants other credentials. Check user and token, and that they may "
        "read this repository; some servers answer like this when it does not exist.",
    ),
    (
        r"out of memory|cannot allocate memory|mmap failed",
        "TooLarge",
        f"Git needs more than {MEMORY} bytes of memory for this repository. Keep flows in a "
        "smaller one.",
    ),
    (
        r"repository '.*' not found|error: 404\b|does not appear to be a git repository",
        "NotFound",
        "The Git server has no such repository. Check the URL.",
    ),
    (
        r"could not resolve host|could not resolve proxy",
        "GitOperationFailed",
        "The host's name cannot be resolved. Check the URL and the cluster's DNS.",
    ),
    (
        r"ssl|certificate|gnutls",
        "GitOperationFailed",
        "There is no trusted TLS connection to the Git server. Check its certificate.",
    ),
    (
        r"failed to connect|couldn't connect|connection (refused|reset|timed out)"
        r"|empty reply|unable to access|the remote end hung up|error: 5\d\d\b",
        "GitOperationFailed",
        "The Git server cannot be reached or is in trouble. It is tried again.",
    ),
)
"""Patterns for git's output, the first match counts; each with its reason and what a user can
do."""


class Unclassified(GitError):
    """Git failed and it is not evident that the server was the cause: the cache may be."""


def failure(error: GitCommandError, address: Address) -> GitError:
    """The error that a failed conversation is for the user."""
    text = words_of(error)
    detail = redact_text(text, address.secrets)
    for pattern, reason, advice in _CAUSES:
        if re.search(pattern, text, re.IGNORECASE):
            return GitError(reason, f"{advice} ({address.url}: {detail})")
    return Unclassified("GitOperationFailed", f"Git failed for {address.url}: {detail}")


def check_remote(remote: Remote) -> tuple[Address, Reference]:
    """Check a remote without asking it. Raises :class:`GitError` for what is refused."""
    address, reference = check_url(remote.url), check_reference(remote.reference)
    check_path(remote.path)
    return address, reference


def resolve(remote: Remote, terms: Terms) -> str:
    """The id of the commit that the reference names now; one ``ls-remote``, no download.

    An annotated tag is peeled. A commit is returned as it is, in lower case, and without asking
    the server: whether it exists shows in :func:`penstock.git.cache.snapshot`.
    """
    address, reference = check_remote(remote)
    if reference.commit is not None:
        return reference.commit
    with hardened_git(terms) as git:
        return ask(git, address, reference)


def ask(git: HardenedGit, address: Address, reference: Reference) -> str:
    """The id of the commit that a checked branch, tag or default branch names now."""
    names = _names(reference)

    def listed(route: Route) -> bytes:
        url = route.address.url
        output, _ = git.run(
            "ls-remote", "--", url, *names, config=route.config, limit=_LS_REMOTE_LIMIT
        )
        return output

    try:
        output = converse(git, address, listed)
    except GitCommandError as error:
        raise failure(error, address) from None
    found: dict[str, str] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        commit, _, name = line.partition("\t")
        found[name] = commit
    # The patterns match the ends of names: "a/refs/heads/main" would be printed as well.
    for name in names:
        if name in found:
            return check_commit(found[name])
    what = f"The {reference} does not exist" if reference != Reference() else "There is no commit"
    raise GitError("NotFound", f"{what} in {address.url}. Check the reference, or push it.")


def _names(reference: Reference) -> tuple[str, ...]:
    """The full names under which a reference is looked for, the best first."""
    if reference.branch is not None:
        return (f"refs/heads/{reference.branch}",)
    if reference.tag is not None:
        return (f"refs/tags/{reference.tag}^{{}}", f"refs/tags/{reference.tag}")
    return ("HEAD",)


def has_commit(git: HardenedGit, commit: str) -> bool:
    """Whether the cache holds the commit; fetched commits come with all of their trees."""
    try:
        git.run("cat-file", "-e", f"{commit}^{{commit}}")
    except GitCommandError:
        return False
    return True


def fetch(
    git: HardenedGit,
    address: Address,
    reference: Reference,
    commit: str,
    limits: Limits,
    watch: Watch,
) -> str:
    """Bring a commit into the cache, and give the id of the one that is there now.

    That is ``commit``, whatever the branch names meanwhile. Only if the server does not hand it
    out any more (a force push in between, or a server that hands out the tips of refs alone) it is
    the commit that the branch or tag names now: newer, and whole as well.
    """
    try:
        _fetch(git, address, limits, watch, "--depth=1", refspecs=[f"+{commit}:{CURRENT}"])
        return commit
    except GitCommandError as error:
        if not _REFUSED_OBJECT.search(words_of(error)):
            raise failure(error, address) from None
        refusal = words_of(error)
    try:
        if reference.commit is None:
            newer = ask(git, address, reference)
            _fetch(git, address, limits, watch, "--depth=1", refspecs=[f"+{newer}:{CURRENT}"])
            return newer
        if "unadvertised" in refusal or "not valid" in refusal:
            _fetch_history(git, address, commit, limits, watch)
    except GitCommandError as error:
        raise failure(error, address) from None
    if not has_commit(git, commit):
        raise GitError(
            "NotFound",
            f"The commit {commit} does not exist in {address.url}, or in none of its branches "
            "and tags. Check the commit, or push it.",
        )
    return commit


def _fetch_history(
    git: HardenedGit, address: Address, commit: str, limits: Limits, watch: Watch
) -> None:
    """Look for a commit in the history of all branches and tags.

    This serves servers that do not let a client ask for any commit (protocol version 0 without
    ``uploadpack.allowReachableSHA1InWant``): they hand out the tips of refs, and their history.
    """
    for depth in _HISTORY_DEPTHS:
        _fetch(
            git,
            address,
            limits,
            watch,
            f"--depth={depth}",
            "--prune",
            refspecs=["+refs/heads/*:refs/penstock/heads/*", "+refs/tags/*:refs/penstock/tags/*"],
        )
        if has_commit(git, commit):
            with contextlib.suppress(GitCommandError):
                git.run("update-ref", CURRENT, commit)
            return


def _fetch(
    git: HardenedGit,
    address: Address,
    limits: Limits,
    watch: Watch,
    *options: str,
    refspecs: list[str],
) -> None:
    """Do one ``git fetch``. The URL is configuration, so it is not among the arguments at all.

    Files that would be skipped for their size are not even sent, if the server knows filters. Only
    this command is told that the remote is a promisor: the commands that read the cache must not
    ask the server for what is missing.
    """
    filters = f"blob:limit={limits.max_file_bytes + 1}"

    def fetched(route: Route) -> None:
        config = route.config | {
            "remote.origin.url": route.address.url,
            "remote.origin.promisor": "true",
            "remote.origin.partialCloneFilter": filters,
        }
        git.run(
            "fetch",
            "--quiet",
            "--force",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            *options,
            "--",
            "origin",
            *refspecs,
            config=config,
            watch=watch,
        )

    converse(git, address, fetched)
