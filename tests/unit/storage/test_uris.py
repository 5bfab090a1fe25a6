"""Where files lie, and who may read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.storage.errors import AccessDenied, StorageError
from penstock.storage.uris import (
    ExecutionPlace,
    may_read,
    namespace_file,
    own_part,
    parse,
    readable,
    uri_of,
)

HERE = ExecutionPlace("company.team", "My_Flow", "run-1")
OTHER = ExecutionPlace("company.team", "My_Flow", "run-12")


def test_files_have_the_paths_of_kestra() -> None:
    assert HERE.task_file("make_it", "ab12", "out/a b.csv") == (
        "/company/team/my-flow/executions/run-1/tasks/make-it/ab12/out/a b.csv"
    )
    assert HERE.input_file("data.file", "a.csv") == (
        "/company/team/my-flow/executions/run-1/inputs/data-file/a.csv"
    )
    assert namespace_file("company.team", "/x/y.py") == "/company/team/_files/x/y.py"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("kestra:///a/b%20c.txt", "/a/b c.txt"),
        ("nsfile:///x/y.py", "/company/team/_files/x/y.py"),
        ("nsfile://other.ns/y.py", "/other/ns/_files/y.py"),
    ],
)
def test_a_uri_names_a_path(uri: str, path: str) -> None:
    assert parse(uri, "company.team") == path


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "a.txt",
        "/etc/passwd",
        "file:///etc/passwd",
        "https://example.com/a",
        "KESTRA:///a",
        "kestra://company/a",
        "kestra://",
        "kestra:///",
        "kestra:////etc/passwd",
        "kestra:///a/../b",
        "kestra:///a/%2e%2e/b",
        "kestra:///a/%2E%2E%2Fb",
        "kestra:///a/./b",
        "kestra:///a//b",
        "kestra:///a/",
        "kestra:///a%00b",
        "kestra:///a\0b",
        "kestra:///a%0ab",
        "kestra:///a\\..\\b",
        "kestra:///a%5Cb",
        "kestra:///a%zz",
        "kestra:///%ff",
        "kestra:///" + "x" * 2000,
        "nsfile:///../b",
        "nsfile:///",
        "nsfile:////etc/../x",
        "nsfile://../x",
        "nsfile://a..b/x",
        "nsfile://_files/x",
        "nsfile://user@ns/x",
    ],
)
def test_what_is_no_uri_of_the_storage_is_refused(uri: str) -> None:
    with pytest.raises(StorageError):
        parse(uri, "company.team")


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\/"), min_size=1)
)
def test_every_file_name_comes_back_from_its_uri(name: str) -> None:
    # given
    if name in (".", "..") or len(name.encode()) > 240:
        return
    path = HERE.task_file("t", "r", name)
    # then
    assert parse(uri_of(path), "any") == path
    assert uri_of(path).isascii()
    assert not any(character in uri_of(path) for character in " '\"$`;&|<>()*?[]{}\n")


def test_an_execution_reads_its_own_files_its_parents_and_its_namespaces() -> None:
    # given
    parent = ExecutionPlace("company", "caller", "run-0")
    # then
    assert may_read(HERE.task_file("t", "r", "a"), HERE)
    assert may_read(HERE.input_file("t", "a"), HERE)
    assert may_read(parent.task_file("t", "r", "a"), HERE, [parent])
    assert may_read("/company/team/_files/a", HERE)


def test_an_execution_reads_nothing_else() -> None:
    assert not may_read(OTHER.task_file("t", "r", "a"), HERE)
    assert not may_read("/company/_files/a", HERE)
    assert not may_read("/company/team/sub/_files/a", HERE)
    assert not may_read("/company/team/_kv/key.json", HERE)
    assert not may_read("/company/team/my-flow/executions/run-1/else/a", HERE)


def test_another_namespace_is_read_where_it_is_named_and_open() -> None:
    # given
    uri = "nsfile://other/a"
    # then
    assert readable(uri, HERE, any_namespace=True) == "/other/_files/a"
    with pytest.raises(AccessDenied, match="didn't belong to the current execution"):
        readable(uri, HERE)
    with pytest.raises(AccessDenied):
        readable("kestra:///other/_files/a", HERE, any_namespace=True)


def test_executions_whose_names_look_alike_have_folders_of_their_own() -> None:
    dotted, dashed = (ExecutionPlace("a", "f", name) for name in ("run.1", "run-1"))
    assert not may_read(dotted.task_file("t", "r", "x"), dashed)
    assert not may_read(dashed.task_file("t", "r", "x"), dotted)


def test_no_name_can_be_chosen_so_that_it_has_the_folder_of_another() -> None:
    names = ["run.1", "run-1", "Run-1", "run_1"]
    names += [own_part(name) for name in names]
    assert len({own_part(name) for name in names}) == len(set(names))


def test_flows_of_like_names_share_no_cache() -> None:
    made = {
        ExecutionPlace("company.team", flow, "run").cache_file(name)
        for flow in ("my_flow", "my-flow", "My-Flow")
        for name in ("a_b", "a-b")
    }
    assert len(made) == 6
    assert all(path.startswith("/company/team/my-flow/cache/") for path in made)
