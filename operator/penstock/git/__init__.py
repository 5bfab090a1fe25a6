"""How a commit becomes files. This room knows neither Kubernetes nor YAML.

:func:`resolve` asks a remote which commit a reference names, so that a sync with nothing to do is
one call; :func:`snapshot` reads the files of that commit, and only those that changed. Both block:
call them in a thread. Both fail with :class:`GitError` alone.

The repository is somebody else's, and may be hostile: files are read as blobs of a bare, shallow
repository, so that no hook, filter, link or path of it ever meets this machine.
"""

from penstock.git.cache import snapshot
from penstock.git.model import (
    GitError,
    Limits,
    Reason,
    Reference,
    Remote,
    Skipped,
    Snapshot,
    SourceFile,
)
from penstock.git.redaction import redact_url
from penstock.git.remote import resolve

__all__ = [
    "GitError",
    "Limits",
    "Reason",
    "Reference",
    "Remote",
    "Skipped",
    "Snapshot",
    "SourceFile",
    "redact_url",
    "resolve",
    "snapshot",
]
