"""What a well-meaning repository and server give: references, files, and no work twice."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.gitserver import GitServer, Repository, create_repository
from penstock.git import GitError, Limits, Reference, Remote
from tests.fixtures.git import Snapshot, resolve, snapshot

Make = Callable[..., Remote]


def contents(result: Snapshot) -> dict[str, bytes | None]:
    return {file.path: file.content for file in result.files}


def test_the_default_branch_is_followed_without_a_reference(
    repository: Repository, remote: Make, cache: Path
) -> None:
    sha = repository.commit({"a.yaml": "id: a\n", "flows/b.yml": "id: b\n", "README.md": "#"})
    assert resolve(remote()) == sha
    result = snapshot(remote(), sha, cache)
    assert result.commit == sha
    assert contents(result) == {"a.yaml": b"id: a\n", "flows/b.yml": b"id: b\n"}
    assert result.skipped == ()
    assert [f.blob for f in result.files] == [
        repository.git("rev-parse", f"HEAD:{f.path}") for f in result.files
    ]


def test_branch_tag_and_commit(repository: Repository, remote: Make, cache: Path) -> None:
    first = repository.commit({"a.yaml": "1"})
    repository.tag("v1", annotated=True)
    repository.tag("light", annotated=False)
    second = repository.commit({"a.yaml": "2"}, branch="feature/x")
    assert resolve(remote(branch="main")) == first
    assert resolve(remote(branch="feature/x")) == second
    assert resolve(remote(tag="v1")) == resolve(remote(tag="light")) == first
    assert resolve(remote(commit=first.upper())) == first
    for at, text in ((remote(tag="v1"), b"1"), (remote(branch="feature/x"), b"2")):
        assert contents(snapshot(at, resolve(at), cache)) == {"a.yaml": text}


def test_a_branch_whose_name_ends_another_is_not_mistaken(
    repository: Repository, remote: Make
) -> None:
    first = repository.commit({"a.yaml": "1"})
    repository.push(f"{first}:refs/heads/team/refs/heads/x")
    with pytest.raises(GitError, match="branch 'x' does not exist") as caught:
        resolve(remote(branch="x"))
    assert caught.value.reason == "NotFound"


def test_a_branch_moves_and_unchanged_blobs_are_not_read(
    repository: Repository, remote: Make, cache: Path
) -> None:
    repository.commit({"a.yaml": "a", "b.yaml": "b", "c.yaml": "c"})
    before = snapshot(remote(), resolve(remote()), cache)
    repository.commit({"b.yaml": "b2", "c.yaml": None, "d.yaml": "a"})
    known = {file.path: file.blob for file in before.files}
    after = snapshot(remote(), resolve(remote()), cache, known=known)
    assert after.commit != before.commit
    assert contents(after) == {"a.yaml": None, "b.yaml": b"b2", "d.yaml": b"a"}


def test_a_cached_commit_needs_no_server(
    server: GitServer, repository: Repository, remote: Make, cache: Path
) -> None:
    sha = repository.commit({"a.yaml": "a"})
    snapshot(remote(), sha, cache)
    server.requests.clear()
    assert contents(snapshot(remote(), sha, cache)) == {"a.yaml": b"a"}
    assert not server.requests
    resolve(remote())
    assert len([r for r in server.requests if repository.name in r]) == 2


def test_the_given_commit_is_fetched_even_if_the_branch_moved(
    repository: Repository, remote: Make, cache: Path
) -> None:
    first = repository.commit({"a.yaml": "1"})
    repository.commit({"a.yaml": "2"})
    result = snapshot(remote(branch="main"), first, cache)
    assert (result.commit, contents(result)) == (first, {"a.yaml": b"1"})


def test_a_commit_that_vanished_makes_way_for_the_branch(
    repository: Repository, remote: Make, cache: Path
) -> None:
    sha = repository.commit({"a.yaml": "1"})
    result = snapshot(remote(branch="main"), "1" * 40, cache)
    assert (result.commit, contents(result)) == (sha, {"a.yaml": b"1"})
    with pytest.raises(GitError, match="does not exist") as caught:
        snapshot(remote(commit="1" * 40), "1" * 40, cache)
    assert caught.value.reason == "NotFound"


@pytest.mark.parametrize("length", [3, 55])
def test_a_server_that_hands_out_tips_alone(tmp_path: Path, cache: Path, length: int) -> None:
    create_repository(tmp_path, "old")
    with (
        GitServer(tmp_path, protocol_v2=False) as server,
        Repository(server.clone_url("old")) as repository,
    ):
        first = repository.commit({"a.yaml": "1"})
        for _ in range(length):
            repository.git("commit", "--quiet", "--allow-empty", "--message", "more")
        last = repository.commit({"a.yaml": "2"})
        old = Remote(repository.url, Reference(commit=first))
        assert contents(snapshot(old, first, cache)) == {"a.yaml": b"1"}
        branch = Remote(repository.url, Reference(branch="main"))
        moved = snapshot(branch, repository.git("rev-parse", "HEAD~1"), cache / "other")
        assert moved.commit == last
        gone = Remote(repository.url, Reference(commit="2" * 40))
        with pytest.raises(GitError) as caught:
            snapshot(gone, "2" * 40, cache)
        assert caught.value.reason == "NotFound"


def test_repositories_with_sha256(server: GitServer, cache: Path) -> None:
    create_repository(server.root, "sha256", object_format="sha256")
    with Repository(server.clone_url("sha256"), object_format="sha256") as repository:
        sha = repository.commit({"a.yaml": "a"})
        at = Remote(repository.url, Reference(branch="main"))
        assert len(sha) == 64
        assert resolve(at) == sha
        assert contents(snapshot(at, sha, cache)) == {"a.yaml": b"a"}


@pytest.mark.parametrize("path", ["flows", "./flows/", "flows//"])
def test_the_path_narrows(repository: Repository, remote: Make, cache: Path, path: str) -> None:
    files = {"flows/x/a.yaml": "a", "flows/b.yaml": "b", "flows-old/c.yaml": "c", "d.yaml": "d"}
    sha = repository.commit(files)
    result = snapshot(remote(path=path), sha, cache)
    assert contents(result) == {"flows/x/a.yaml": b"a", "flows/b.yaml": b"b"}


def test_the_path_may_be_one_file_and_holds_no_patterns(
    repository: Repository, remote: Make, cache: Path
) -> None:
    sha = repository.commit({"a.yaml": "a", "[a]*/b.yaml": "b", "größe/c.yaml": "c"})
    assert contents(snapshot(remote(path="a.yaml"), sha, cache)) == {"a.yaml": b"a"}
    assert contents(snapshot(remote(path="[a]*"), sha, cache)) == {"[a]*/b.yaml": b"b"}
    assert contents(snapshot(remote(path="größe"), sha, cache)) == {"größe/c.yaml": b"c"}
    with pytest.raises(GitError):
        snapshot(remote(path=":(top)a.yaml"), sha, cache)


def test_what_is_missing_is_named(repository: Repository, remote: Make, cache: Path) -> None:
    with pytest.raises(GitError, match="no commit") as empty:
        resolve(remote())
    sha = repository.commit({"a.yaml": "a"})
    with pytest.raises(GitError, match="'flows/none'") as path:
        snapshot(remote(path="flows/none"), sha, cache)
    with pytest.raises(GitError, match="tag 'v9'") as tag:
        resolve(remote(tag="v9"))
    with pytest.raises(GitError, match=r"no such repository.*none\.git") as url:
        resolve(Remote(repository.url.replace(repository.name, "none"), Reference()))
    assert {e.value.reason for e in (empty, path, tag, url)} == {"NotFound"}


def test_the_cache_is_private_and_serves_one_remote(
    server: GitServer, repository: Repository, remote: Make, cache: Path
) -> None:
    sha = repository.commit({"a.yaml": "a"})
    snapshot(remote(), sha, cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    create_repository(server.root, "another")
    with Repository(server.clone_url("another")) as other:
        at = Remote(other.url, Reference())
        other.commit({"z.yaml": "z"})
        assert contents(snapshot(at, resolve(at), cache)) == {"z.yaml": b"z"}
        with pytest.raises(GitError):
            snapshot(Remote(other.url, Reference(commit=sha)), sha, cache)


@pytest.mark.parametrize("filters", ["true", "false"])
def test_large_files_are_skipped_and_not_even_fetched(
    server: GitServer, repository: Repository, remote: Make, cache: Path, filters: str
) -> None:
    directory = server.root / f"{repository.name}.git"
    repository.git(f"--git-dir={directory}", "config", "uploadpack.allowFilter", filters)
    sha = repository.commit({"big.yaml": "x" * 1001, "fits.yaml": "x" * 1000})
    for _ in range(2):
        result = snapshot(remote(), sha, cache, limits=Limits(max_file_bytes=1000))
        assert [file.path for file in result.files] == ["fits.yaml"]
        assert [(s.path, "larger than 1000" in s.reason) for s in result.skipped] == [
            ("big.yaml", True)
        ]
    assert len(snapshot(remote(), sha, cache).files) == 2


def test_a_push_larger_than_a_buffer(repository: Repository, remote: Make, cache: Path) -> None:
    noise = b"".join(i.to_bytes(4, "big") * 3 + (i * i).to_bytes(8, "big") for i in range(100_000))
    repository.git("config", "http.postBuffer", "65536")
    sha = repository.commit({"noise.bin": noise, "a.yaml": "a"})
    assert contents(snapshot(remote(), sha, cache)) == {"a.yaml": b"a"}


def test_the_cache_does_not_grow_without_end(
    repository: Repository, remote: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.git.cache.MAX_PACKS", 2)
    packs = cache / "repository.git" / "objects" / "pack"
    for number in range(5):
        sha = repository.commit({"a.yaml": str(number)})
        assert contents(snapshot(remote(), sha, cache)) == {"a.yaml": str(number).encode()}
        assert len(list(packs.glob("*.pack"))) <= 3
