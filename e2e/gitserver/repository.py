"""Making repositories on the server's side, and working with them from the other side."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Flow Author",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "Flow Author",
    "GIT_COMMITTER_EMAIL": "author@example.com",
}


def _environment() -> dict[str, str]:
    """The environment of git without the machine's configuration, so that a demo behaves alike
    everywhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return (
        environment
        | _IDENTITY
        | {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
    )


def create_repository(root: Path, name: str, *, object_format: str = "sha1") -> Path:
    """Create the bare repository ``<name>.git`` that can be pushed to; it may exist already."""
    directory = root / f"{name}.git"
    if (directory / "HEAD").exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], env=_environment(), check=True, capture_output=True)

    git(
        "init",
        "--quiet",
        "--bare",
        "--initial-branch=main",
        f"--object-format={object_format}",
        "--",
        str(directory),
    )
    for key in ("http.receivepack", "uploadpack.allowFilter"):
        git(f"--git-dir={directory}", "config", key, "true")
    return directory


class Repository:
    """A clone in a temporary directory; every change is pushed over HTTP at once.

    ``url`` is the clone URL, with user and password if the server asks for them.
    """

    def __init__(self, url: str, branch: str = "main", *, object_format: str = "sha1") -> None:
        self.url = url
        self.name = urlsplit(url).path.strip("/").removesuffix(".git")
        self._branch = branch
        self.worktree = Path(tempfile.mkdtemp(prefix="gitserver-clone-"))
        self.git(
            "init", "--quiet", f"--initial-branch={branch}", f"--object-format={object_format}"
        )
        self.git("remote", "add", "origin", url)
        self.git("fetch", "--quiet", "origin")
        if self.git("ls-remote", "origin", f"refs/heads/{branch}"):
            self.git("reset", "--quiet", "--hard", f"refs/remotes/origin/{branch}")

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the clone; the server keeps its repository."""
        shutil.rmtree(self.worktree, ignore_errors=True)

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run any git command in the clone, and give its output."""
        result = subprocess.run(
            ["git", *arguments],
            cwd=self.worktree,
            env=_environment(),
            input=stdin,
            capture_output=True,
            check=False,
        )
        if result.returncode != 0:
            complaint = result.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"git {arguments[0]} failed: {complaint}")
        return result.stdout.decode(errors="surrogateescape").strip()

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "Change flows",
        *,
        branch: str | None = None,
    ) -> str:
        """Write (or, for ``None``, delete) files, commit and push; the commit's id.

        ``branch`` is created from the present commit if it does not exist.
        """
        if branch is not None and branch != self._branch:
            self._switch(branch)
        for name, content in files.items():
            path = self.worktree / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", "--force")
        return self.commit_index(message)

    def commit_index(self, message: str = "Change flows") -> str:
        """Commit and push what :meth:`git` put into the index, which may be no real file."""
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.push(f"HEAD:refs/heads/{self._branch}")
        return self.head()

    def push(self, refspec: str, *, force: bool = False) -> None:
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", refspec)

    def head(self) -> str:
        """The id of the present commit."""
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, commit: str = "HEAD", *, force: bool = False) -> str:
        """Set a branch of the server to a commit, and give the commit's id. The clone stays as it
        is."""
        sha = self.git("rev-parse", f"{commit}^{{commit}}")
        self.push(f"{sha}:refs/heads/{name}", force=force)
        return sha

    def tag(self, name: str, commit: str = "HEAD", *, annotated: bool = True) -> str:
        """Make and push a tag; the id of the commit (not of the tag object)."""
        message = ["--annotate", "--message", name] if annotated else []
        self.git("tag", *message, name, commit)
        self.push(f"refs/tags/{name}")
        return self.git("rev-parse", f"{commit}^{{commit}}")

    def delete(self, reference: str) -> None:
        """Delete a full reference, such as ``refs/heads/old``, on the server."""
        self.push(f":{reference}")

    def _switch(self, branch: str) -> None:
        exists = self.git("ls-remote", "origin", f"refs/heads/{branch}")
        if exists:
            self.git("fetch", "--quiet", "origin")
            self.git("checkout", "--quiet", "-B", branch, f"refs/remotes/origin/{branch}")
        else:
            self.git("checkout", "--quiet", "-b", branch)
        self._branch = branch
