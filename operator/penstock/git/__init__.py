"""How a commit becomes files. This room knows neither Kubernetes nor YAML.

:func:`penstock.git.remote.resolve` asks a remote which commit a reference names, so that a sync
with nothing to do is one call; :func:`penstock.git.cache.snapshot` reads the files of that commit,
and only those that changed. Both block, and run programs: the Git service calls them, each in a
thread. Who asks that service needs the values of this module, and :mod:`penstock.git.wire`.

The repository is somebody else's, and may be hostile: files are read as blobs of a bare, shallow
repository, so that no hook, filter, link or path of it ever meets this machine.
"""

from penstock.git.model import (
    Begun,
    FileHead,
    GitError,
    Limits,
    Reason,
    Record,
    Reference,
    Remote,
    Skipped,
    Wanted,
)
from penstock.git.redaction import redact_url

__all__ = [
    "Begun",
    "FileHead",
    "GitError",
    "Limits",
    "Reason",
    "Record",
    "Reference",
    "Remote",
    "Skipped",
    "Wanted",
    "redact_url",
]
