"""Text as Java counts it: in UTF-16, in which a character beyond U+FFFF has two units.

Where no such character is there, and that is nearly always, Python's own indexes are Java's. Half a
character can't be kept in a text that is to be written as UTF-8; it becomes U+FFFD.
"""

from __future__ import annotations

from penstock.expressions.errors import ExpressionError

_LAST = "\uffff"


def _is_wide(text: str) -> bool:
    return not text.isascii() and max(text, default="") > _LAST


def _units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def length(text: str) -> int:
    """The number of units in a text."""
    return len(_units(text)) // 2 if _is_wide(text) else len(text)


def part(text: str, begin: int, end: int | None = None) -> str:
    """The units from one index up to another; Java's error if they are outside."""
    size = length(text)
    stop = size if end is None else end
    if not 0 <= begin <= stop <= size:
        raise ExpressionError(
            f"the part from {begin} to {stop} is outside of a text of the length {size}"
        )
    if not _is_wide(text):
        return text[begin:stop]
    return _units(text)[2 * begin : 2 * stop].decode("utf-16-be", "replace")


def unit(text: str, index: int) -> str:
    """The unit at an index."""
    _inside(text, index)
    return part(text, index, index + 1)


def code_point(text: str, index: int) -> int:
    """The number of the character that begins at an index."""
    _inside(text, index)
    if not _is_wide(text):
        return ord(text[index])
    rest = _units(text)[2 * index : 2 * index + 4]
    first, second = int.from_bytes(rest[:2], "big"), int.from_bytes(rest[2:], "big")
    if 0xD800 <= first < 0xDC00 <= second < 0xE000:
        return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
    return first


def find(text: str, wanted: str, begin: int) -> int:
    """Where a text first stands, from an index on, or -1. Indexes outside are moved to the ends."""
    begin = min(max(begin, 0), length(text))
    if not _is_wide(text):
        return text.find(wanted, begin)
    found = text.find(wanted, len(part(text, 0, begin)))
    return found if found < 0 else length(text[:found])


def find_last(text: str, wanted: str, begin: int) -> int:
    """Where a text last stands that begins at an index or before it, or -1."""
    if begin < 0:
        return -1
    if not _is_wide(text):
        return text.rfind(wanted, 0, min(begin, len(text)) + len(wanted))
    begins_by = len(part(text, 0, min(begin, length(text))))
    found = text.rfind(wanted, 0, begins_by + len(wanted))
    return found if found < 0 else length(text[:found])


def compare(left: str, right: str) -> int:
    """``String.compareTo``: the difference of the first units that differ, else of the lengths."""
    one, two = _units(left), _units(right)
    least, most = 0, min(len(one), len(two)) // 2  # how many units are equal at least, and at most
    while least < most:
        middle = (least + most + 1) // 2
        same = one[2 * least : 2 * middle] == two[2 * least : 2 * middle]
        least, most = (middle, most) if same else (least, middle - 1)
    first, second = one[2 * least : 2 * least + 2], two[2 * least : 2 * least + 2]
    if first and second:
        return int.from_bytes(first, "big") - int.from_bytes(second, "big")
    return (len(one) - len(two)) // 2


def hash_code(text: str) -> int:
    """``String.hashCode``: in 32 bits."""
    units = _units(text)
    code = 0
    for at in range(0, len(units), 2):
        code = (31 * code + (units[at] << 8) + units[at + 1]) & 0xFFFFFFFF
    return code - 2**32 if code >= 2**31 else code


def _inside(text: str, index: int) -> None:
    if not 0 <= index < length(text):
        raise ExpressionError(
            f"the index {index} is outside of a text of the length {length(text)}"
        )
