"""A log is read up to a limit, in whole lines, and without what is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from penstock.kubernetes.logs.kubelet import Piece, Unreadable, read_piece


def line(second: int, text: str) -> bytes:
    return f"2026-11-21T16:00:{second:02}.000000000Z {text}\n".encode()


def at(second: int) -> str:
    return f"2026-11-21T16:00:{second:02}.000000000Z"


async def answer(text: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def text_of(piece: Piece) -> bytes:
    piece.file.seek(0)
    return piece.file.read()


LINES = line(1, "one") + line(2, "two") + line(3, "three")


@pytest.mark.parametrize("size", [1, 7, 31, 4096])
async def test_all_of_it_is_read_with_its_times(size: int) -> None:
    piece = await read_piece(answer(LINES, size), 1000, is_whole=True)
    assert text_of(piece) == LINES
    assert (piece.size, piece.first, piece.last) == (len(LINES), at(1), at(3))
    assert not piece.is_cut
    assert piece.follows


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_what_is_there_already_is_left_out(size: int) -> None:
    piece = await read_piece(answer(LINES, size), 1000, at(2), is_whole=True)
    assert text_of(piece) == line(3, "three")
    assert (piece.first, piece.last, piece.follows) == (at(3), at(3), True)


async def test_a_log_that_was_moved_away_meanwhile_does_not_follow() -> None:
    piece = await read_piece(answer(LINES), 1000, at(0), is_whole=True)
    assert text_of(piece) == LINES
    assert not piece.follows


async def test_nothing_new_is_nothing() -> None:
    for text in (b"", LINES):
        piece = await read_piece(answer(text), 1000, at(3), is_whole=True)
        assert (piece.size, piece.first, piece.last) == (0, None, None)


@pytest.mark.parametrize("size", [7, 4096])
async def test_more_than_the_limit_is_cut(size: int) -> None:
    piece = await read_piece(answer(LINES, size), len(line(1, "one")) + 5, is_whole=True)
    assert piece.is_cut
    assert text_of(piece) == line(1, "one")


async def test_one_line_that_is_longer_than_the_limit_is_cut_itself() -> None:
    piece = await read_piece(answer(line(1, "x" * 1000)), 100, is_whole=True)
    assert piece.is_cut
    assert text_of(piece) == line(1, "x" * 1000)[:100] + b"\n"


async def test_where_there_is_room_for_less_than_a_time_there_is_none() -> None:
    piece = await read_piece(answer(line(1, "one")), 10, is_whole=True)
    assert (piece.size, piece.first, piece.last, piece.is_cut) == (0, None, None, True)


async def test_a_line_that_is_still_being_printed_is_left_for_the_next_time() -> None:
    piece = await read_piece(answer(LINES + b"2026-11-21T16:00"), 1000, is_whole=False)
    assert text_of(piece) == LINES
    assert piece.last == at(3)


async def test_a_last_line_without_an_end_gets_one() -> None:
    piece = await read_piece(answer(LINES[:-1]), 1000, is_whole=True)
    assert text_of(piece) == LINES


async def test_a_long_line_is_no_trouble() -> None:
    long = line(1, "x" * 300_000) + line(2, "y" * 300_000)
    piece = await read_piece(answer(long, 10_000), 10**6, is_whole=True)
    assert (piece.size, piece.last) == (len(long), at(2))


async def test_words_of_the_kubelet_are_no_log() -> None:
    with pytest.raises(Unreadable, match="unable to retrieve"):
        await read_piece(answer(b"unable to retrieve container logs"), 1000, is_whole=True)


async def test_a_note_and_a_tail_stand_at_the_end() -> None:
    piece = await read_piece(answer(line(1, "one")), 1000, is_whole=True)
    tail = await read_piece(answer(line(5, "five")), 1000, is_whole=True)
    piece.add_note("cut")
    piece.add(tail)
    assert text_of(piece) == line(1, "one") + line(1, "::penstock-note:: cut") + line(5, "five")
    assert (piece.first, piece.last) == (at(1), at(5))
