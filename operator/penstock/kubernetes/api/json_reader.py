"""Reads what the API server answers, however deep an object in it is nested.

The API server takes objects of 10,000 levels. The standard library's parser calls itself for each
level and gives up at about a thousand, and with it all objects of a list, or a watch. So a text
that is nested deeper than anything of use is cut first: what stands deeper than `OBJECT_LEVELS` in
an object becomes null. That is still deeper than any value may be (`nesting.MAX_NESTING`), so
whoever reads the value refuses it; all other objects are read as they are. So it is with values
that are too large (`large_values`).

A page of a list may have megabytes, and what is done with it takes a second where it is made for
that. So a large one is read in a thread, and the event loop goes on.
"""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from penstock.kubernetes.api.large_values import cut_values, is_large
from penstock.nesting import is_deeper

OBJECT_LEVELS = 200
"""Levels of an object that are read: a value, what stands around it, and what
`metadata.managedFields` makes of it."""
LEVELS_OF_LIST = 2
"""Levels of a list around each of its objects."""
LEVELS_OF_EVENT = 1
"""Levels of an event of a watch around its object."""

_LARGE_LIST = 128 * 1024
"""Bytes above which a list is read in a thread: less takes a millisecond or two."""
_READER = ThreadPoolExecutor(1, "penstock-lists")

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_QUOTE = ord('"')
_OPENING = b"[{"


def read_json(text: bytes, around: int = 0) -> Any:
    """Read an answer in which objects stand so many levels deep. Raises ``ValueError`` where it is
    no JSON."""
    value = _read_shallow(text, OBJECT_LEVELS + around)
    if is_large(text):
        cut_values(value)
    return value


async def read_list(text: bytes) -> Any:
    """Read a page of a list, a large one beside everything else. Raises ``ValueError`` where it is
    no JSON."""
    if len(text) < _LARGE_LIST:
        return read_json(text, LEVELS_OF_LIST)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_READER, read_json, text, LEVELS_OF_LIST)


def shallow_text(text: bytes, around: int = 0) -> bytes:
    """Give a text back as it is, unless an object in it is nested too deep, or too large: then it
    is cut. A text that is no JSON is left to whoever reads it."""
    levels = OBJECT_LEVELS + around
    try:
        value = json.loads(text)
        if is_deeper(value, levels):
            text = cut_text(text, levels)
            value = json.loads(text)
    except RecursionError:
        text = cut_text(text, levels)
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(value).encode() if is_large(text) and cut_values(value) else text


def _read_shallow(text: bytes, levels: int) -> Any:
    try:
        value = json.loads(text)
    except RecursionError:
        return json.loads(cut_text(text, levels))
    return json.loads(cut_text(text, levels)) if is_deeper(value, levels) else value


def cut_text(text: bytes, levels: int) -> bytes:
    """Put null in the place of each list and map that stands deeper than so many levels."""
    kept: list[bytes] = []
    depth = begin = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == _QUOTE:
            continue
        if first in _OPENING:
            depth += 1
            if depth == levels + 1:
                kept += (text[begin : token.start()], b"null")
        else:
            if depth == levels + 1:
                begin = token.end()
            depth -= 1
    return b"".join((*kept, text[begin:]))
