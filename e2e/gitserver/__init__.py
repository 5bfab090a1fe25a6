"""A real smart-HTTP Git server, for the demo and the tests; the standard library and git alone.

:class:`GitServer` serves the bare repositories of a directory and takes pushes.
:class:`Repository` is a person with a clone, who commits and pushes over HTTP.
As a program: ``python3 -m e2e.gitserver --root DIR --port 8080 --repository flows``.
"""

from e2e.gitserver.repository import Repository, create_repository
from e2e.gitserver.server import GitServer

__all__ = ["GitServer", "Repository", "create_repository"]
