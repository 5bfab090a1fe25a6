"""Filters that encode text or digest it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from penstock.expressions.errors import ExpressionError
from penstock.expressions.printing import to_text
from penstock.expressions.registry import register_filter
from penstock.expressions.run import Run


def _bytes(run: Run, value: Any) -> bytes:
    text = to_text(value, run.budget)
    run.budget.text(len(text) * 3)  # the longest of these encodings
    return text.encode("utf-8", "surrogatepass")


@register_filter("urlencode")
def urlencode(run: Run, value: Any) -> str:
    """As in a form: a space is ``+``."""
    return quote_plus(_bytes(run, value), safe="*").replace("~", "%7E")


@register_filter("urldecode")
def urldecode(run: Run, value: Any) -> str:
    """Back from ``urlencode``."""
    return unquote_plus(_bytes(run, value).decode("utf-8", "replace"))


@register_filter("base64encode")
def base64encode(run: Run, value: Any) -> str:
    """Base64 of the text in UTF-8."""
    return base64.b64encode(_bytes(run, value)).decode()


@register_filter("base64decode")
def base64decode(run: Run, value: Any) -> str:
    """Back from Base64."""
    try:
        return base64.b64decode(_bytes(run, value), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise ExpressionError("the text is not Base64") from None


@register_filter("md5")
def md5(run: Run, value: Any) -> str:
    """The MD5 digest in hexadecimal."""
    return hashlib.md5(_bytes(run, value), usedforsecurity=False).hexdigest()


@register_filter("sha1")
def sha1(run: Run, value: Any) -> str:
    """The SHA-1 digest in hexadecimal."""
    return hashlib.sha1(_bytes(run, value), usedforsecurity=False).hexdigest()


@register_filter("sha256")
def sha256(run: Run, value: Any) -> str:
    """The SHA-256 digest in hexadecimal."""
    return hashlib.sha256(_bytes(run, value)).hexdigest()


@register_filter("sha512")
def sha512(run: Run, value: Any) -> str:
    """The SHA-512 digest in hexadecimal."""
    return hashlib.sha512(_bytes(run, value)).hexdigest()
