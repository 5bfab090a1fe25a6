"""Lists ask for pages of bounded size, whatever size the objects are."""

from __future__ import annotations

import json
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.kubernetes.api.client import KEY_VALUES, Object
from penstock.kubernetes.api.lists import MOST_BYTES, PageSize
from tests.fixtures.apiserver import ApiServer

MEGABYTE = 1_000_000


def keyvalue(number: int, size: int) -> Object:
    meta = {"name": f"key-{number:03}", "namespace": "team"}
    spec = {"namespace": "company.team", "key": f"key-{number:03}", "value": "x" * size}
    return {"metadata": meta, "spec": spec}


async def listed(server: ApiServer) -> list[list[Object]]:
    return [page.items async for page in server.api.pages(KEY_VALUES)]


async def test_objects_of_a_megabyte_come_in_small_pages_and_all_of_them_come() -> None:
    # given: small ones, behind which many large ones hide
    server = ApiServer()
    for number in range(100):
        server.put(KEY_VALUES, keyvalue(number, 10 if number < 40 else MEGABYTE))
    # when
    pages = await listed(server)
    # then
    names = [item["metadata"]["name"] for page in pages for item in page]
    assert names == [f"key-{number:03}" for number in range(100)]
    assert max(len(json.dumps(page)) for page in pages) < MOST_BYTES
    assert server.count("GET", KEY_VALUES) < 60, "answers that were broken off are few"


async def test_thousands_of_small_objects_come_in_few_pages() -> None:
    server = ApiServer()
    for number in range(2_000):
        server.put(KEY_VALUES, keyvalue(number, 100))
    assert len(await listed(server)) == 6


async def test_an_object_that_is_larger_than_a_page_comes_alone() -> None:
    server = ApiServer()
    for number in range(3):
        server.put(KEY_VALUES, keyvalue(number, MOST_BYTES))
    assert [len(page) for page in await listed(server)] == [1, 1, 1]


SIZES = st.lists(st.integers(1, 12 * MEGABYTE), min_size=1, max_size=200)


@given(SIZES)
@settings(max_examples=200)
def test_whatever_the_sizes_no_page_is_too_large_and_the_list_ends(sizes: list[int]) -> None:
    size, taken, asked = PageSize(), 0, 0
    while taken < len(sizes):
        asked += 1
        page = sizes[taken : taken + size.limit]
        read = next((n for n in accumulate(page) if n > MOST_BYTES), sum(page))
        if size.most_bytes is not None and read > size.most_bytes:
            size.was_too_large()
            continue
        assert len(page) == 1 or sum(page) <= MOST_BYTES
        size.took(len(page), sum(page))
        taken += len(page)
    assert asked <= 4 * len(sizes) + 4
