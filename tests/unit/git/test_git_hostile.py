"""What an ill-meaning user or repository tries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.gitserver import GitServer, Repository
from penstock.git import GitError, Limits, Reference, Remote, redact_url
from tests.fixtures.git import resolve, snapshot

Make = Callable[..., Remote]


@pytest.mark.parametrize(
    "name",
    [
        "--upload-pack=touch /tmp/x", "-x", "a..b", " ", "", "a b", "/a", "a/", "a//b", ".a",
        "a/.b", "a.lock", "a.lock/b", "a.", "@", "a@{1}", "a~1", "a^", "a:b", "a?", "a*", "a[",
        "a\\b", "a\nb", "a\0b", "a\x7f", "\udcff", "x" * 256,
    ],
)  # fmt: skip
def test_hostile_references_are_refused(name: str) -> None:
    for reference in (Reference(branch=name), Reference(tag=name), Reference(commit=name)):
        with pytest.raises(GitError) as caught:
            resolve(Remote("http://127.0.0.1:9/x.git", reference))
        assert caught.value.reason == "InvalidReference"


def test_only_one_reference_and_full_commits() -> None:
    for reference in (
        Reference(branch="main", tag="v1"),
        Reference(commit="abc123"),
        Reference(commit="HEAD~1"),
        Reference(commit="g" * 40),
    ):
        with pytest.raises(GitError) as caught:
            resolve(Remote("http://127.0.0.1:9/x.git", reference))
        assert caught.value.reason == "InvalidReference"


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x", "file:///etc", "/etc", "ssh://git@host/x", "git@host:x.git",
        "git://host/x", "http://-oProxyCommand=x/y", "http://u:p@-oProxyCommand/y", "http:///x",
        "--upload-pack=x", "-x", "", "http://host:99999/x", "http://host:x/y", "http:host/x",
        "http://host/x?token=1", "http://host/x#y", "http://host/a b", "http://host/\n", "ftp://h/",
        "http://host\\@evil/x", "http://hö.example/x", "http::http://host/x", "http://[::1/x",
    ],
)  # fmt: skip
def test_hostile_urls_are_refused(url: str, cache: Path) -> None:
    for call in (resolve, lambda remote: snapshot(remote, "0" * 40, cache)):
        with pytest.raises(GitError) as caught:
            call(Remote(url, Reference()))
        assert caught.value.reason == "InvalidURL"
    assert not cache.exists()


@pytest.mark.parametrize(
    "url",
    ["ssh://user:s3cret@host/x", "https://u:s3/cret@host:bad/", "x:s3cret@y", "http://s3cret@"],
)
def test_userinfo_is_never_shown(url: str) -> None:
    remote = Remote(url, Reference())
    with pytest.raises(GitError) as caught:
        resolve(remote)
    for text in (caught.value.message, repr(remote), redact_url(url)):
        assert "s3" not in text
        assert "cret" not in text


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../b", "a\0b", "a\nb", "x" * 3000])
def test_hostile_paths_are_refused(path: str, cache: Path) -> None:
    with pytest.raises(GitError, match="is refused") as caught:
        snapshot(Remote("http://127.0.0.1:9/x", Reference(), path), "0" * 40, cache)
    assert caught.value.reason == "NotFound"


def test_links_submodules_and_odd_names_are_skipped(
    repository: Repository, remote: Make, cache: Path
) -> None:
    first = repository.commit({"ok.yaml": "ok", "link-target/a.yaml": "a"})
    blob = repository.git("rev-parse", "HEAD:ok.yaml")
    target = repository.git("hash-object", "-w", "--stdin", stdin=b"/etc/passwd")
    inner = repository.git("mktree", stdin=f"100644 blob {blob}\tconfig.yaml\n".encode())
    tree = repository.git(
        "mktree", "-z", "--missing",
        stdin=b"".join(
            b"%s %s %s\t%s\0" % (mode, kind, sha.encode(), name)
            for mode, kind, sha, name in (
                (b"100644", b"blob", blob, b"ok.yaml"),
                (b"100755", b"blob", blob, b"executable.yaml"),
                (b"120000", b"blob", target, b"link.yaml"),
                (b"120000", b"blob", target, b"link"),
                (b"160000", b"commit", first, b"submodule"),
                (b"100644", b"blob", blob, b"\xff\xfe.yaml"),
                (b"100644", b"blob", blob, b"new\nline.yaml"),
                (b"100644", b"blob", blob, "zero\u200bwidth.yaml".encode()),
                (b"100644", b"blob", blob, b"\xff.txt"),
                (b"100644", b"blob", blob, b"-x.yaml"),
                (b"040000", b"tree", inner, b".git"),
                (b"040000", b"tree", inner, b".."),
            )
        ),
    )  # fmt: skip
    sha = repository.git("commit-tree", "-m", "odd", tree)
    repository.push(f"{sha}:refs/heads/odd")
    result = snapshot(remote(branch="odd"), sha, cache)
    assert [f.path for f in result.files] == ["-x.yaml", "executable.yaml", "ok.yaml"]
    assert {s.path: s.reason for s in result.skipped} == {
        "../config.yaml": "the name is reserved",
        ".git/config.yaml": "the name is reserved",
        "\\xff\\xfe.yaml": "the name is not UTF-8",
        "link": "symbolic links are not followed",
        "link.yaml": "symbolic links are not followed",
        "new\\nline.yaml": "the name holds unprintable characters",
        "submodule": "submodules are not read",
        "zero\\u200bwidth.yaml": "the name holds unprintable characters",
    }
    for path in ("link", "link/x", "submodule"):
        with pytest.raises(GitError) as caught:
            snapshot(remote(path=path), sha, cache)
        assert caught.value.reason == "NotFound"


def test_git_lfs_pointers_are_skipped(repository: Repository, remote: Make, cache: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    sha = repository.commit({"a.yaml": pointer, ".gitattributes": "* filter=lfs\n"})
    result = snapshot(remote(), sha, cache)
    assert not result.files
    assert "LFS" in result.skipped[0].reason


@pytest.mark.parametrize(
    "limits", [Limits(max_files=2), Limits(max_total_bytes=5), Limits(max_fetch_bytes=100)]
)
def test_too_much_fails_as_a_whole(
    repository: Repository, remote: Make, cache: Path, limits: Limits
) -> None:
    sha = repository.commit({"a.yaml": "aa", "b.yaml": "bb", "c.yaml": "cc"})
    for _ in range(2):
        with pytest.raises(GitError, match=r"more than|together") as caught:
            snapshot(remote(), sha, cache, limits=limits)
        assert caught.value.reason == "TooLarge"
    assert len(snapshot(remote(), sha, cache).files) == 3


def test_a_huge_file_of_a_server_that_leaves_nothing_out_takes_no_memory(
    server: GitServer,
    repository: Repository,
    remote: Make,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given: a pack of a few hundred kilobytes, whose file is larger than git's memory may be
    limit = 160 * 1024 * 1024
    monkeypatch.setattr("penstock.git.process.MEMORY", limit)
    directory = server.root / f"{repository.name}.git"
    for setting in (("uploadpack.allowFilter", "false"), ("core.bigFileThreshold", "1m")):
        repository.git(f"--git-dir={directory}", "config", *setting)
    repository.git("config", "core.bigFileThreshold", "1m")
    sha = repository.commit({"huge.yaml": bytes(limit + 1), "small.yaml": "a"})
    # when
    result = snapshot(remote(timeout=120), sha, cache)
    # then
    assert [file.path for file in result.files] == ["small.yaml"]
    assert [item.path for item in result.skipped] == ["huge.yaml"]
