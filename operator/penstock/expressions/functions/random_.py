"""Functions that give random values. All of them come from the host's seeded generator."""

from __future__ import annotations

from typing import Any

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import need_integer, need_text

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NANO = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KSUID_EPOCH = 1_400_000_000
_KSUID_LENGTH = 27
_MAX_LENGTH = 1_000


def _uuid_bits(run: Rendering) -> int:
    """128 random bits with the version and variant of a random UUID."""
    bits = run.host.random.getrandbits(128)
    bits = bits & ~(0xF << 76) | (4 << 76)
    return bits & ~(0x3 << 62) | (2 << 62)


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits or "0"


@register_function("uuid")
def uuid(run: Rendering) -> str:
    """A random UUID.

    {{ uuid() }} → e3e70682-c209-4cac-a29f-6fbed82c07cd
    """
    text = f"{_uuid_bits(run):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@register_function("id")
def short_id(run: Rendering) -> str:
    """A random UUID in letters and digits, at most 22 of them.

    {{ id() }} → 6w2ptyoC9rI7pM8OyvJeJR
    """
    return _base62(_uuid_bits(run))


@register_function("randomInt")
def random_int(run: Rendering, lower: Any, upper: Any) -> int:
    """An integer from ``lower`` to below ``upper``.

    {{ randomInt(1, 7) }} → 4
    """
    low, high = need_integer(lower, "lower"), need_integer(upper, "upper")
    if low >= high:
        raise ExpressionError("`upper` must be greater than `lower`")
    return run.host.random.randrange(low, high)


@register_function("randomPort")
def random_port(run: Rendering) -> int:
    """The number of a port that anyone may use. Whether the port is free is not tried.

    {{ randomPort() }} → 61775
    """
    return run.host.random.randrange(49_152, 65_536)


@register_function("nanoId")
def nano_id(run: Rendering, length: Any = 21, alphabet: Any = _NANO) -> str:
    """Random letters of an alphabet.

    {{ nanoId() }} → LP3vYNAXHpfyfaugBa7EW
    {{ nanoId(4, '01') }} → 1101
    """
    count, letters = need_integer(length, "length"), need_text(alphabet, "alphabet")
    if count > _MAX_LENGTH:
        raise LimitError(f"`length` must not be greater than {_MAX_LENGTH}")
    if count < 1 or not letters:
        raise ExpressionError("`length` and the length of `alphabet` must be at least 1")
    return "".join(run.host.random.choice(letters) for _ in range(count))


@register_function("ksuid")
def ksuid(run: Rendering) -> str:
    """A random id whose text sorts by time.

    {{ ksuid() }} → 38I2wGjpETHlVxYCMWGSlVuXaWb
    """
    seconds = int(run.host.now().timestamp()) - _KSUID_EPOCH
    number = (max(seconds, 0) & 0xFFFFFFFF) << 128 | run.host.random.getrandbits(128)
    return _base62(number).rjust(_KSUID_LENGTH, "0")
