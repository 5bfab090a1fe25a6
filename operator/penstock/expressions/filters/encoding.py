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
from penstock.expressions.rendering import Rendering


def _bytes(run: Rendering, value: Any) -> bytes:
    text = to_text(value, run.budget)
    run.budget.text(len(text) * 3)  # the longest of these encodings
    return text.encode("utf-8", "surrogatepass")


@register_filter("urlencode")
def urlencode(run: Rendering, value: Any) -> str:
    """The text as a part of an address, as in a form: a space becomes `+`.

    {{ 'a b&c=ø' | urlencode }} → a+b%26c%3D%C3%B8
    """
    return quote_plus(_bytes(run, value), safe="*").replace("~", "%7E")


@register_filter("urldecode")
def urldecode(run: Rendering, value: Any) -> str:
    """The text that `urlencode` encoded.

    {{ 'a+b%26c' | urldecode }} → a b&c
    """
    return unquote_plus(_bytes(run, value).decode("utf-8", "replace"))


@register_filter("base64encode")
def base64encode(run: Rendering, value: Any) -> str:
    """Base64 of the text in UTF-8.

    {{ inputs.name | base64encode }} → QWRh
    """
    return base64.b64encode(_bytes(run, value)).decode()


@register_filter("base64decode")
def base64decode(run: Rendering, value: Any) -> str:
    """The text that Base64 encodes.

    {{ 'QWRh' | base64decode }} → Ada
    """
    try:
        return base64.b64decode(_bytes(run, value), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise ExpressionError("the text is not Base64") from None


@register_filter("md5")
def md5(run: Rendering, value: Any) -> str:
    """The MD5 digest in hexadecimal.

    {{ inputs.name | md5 }} → 1a382809b7c03f686e12dd15677c5497
    """
    return hashlib.md5(_bytes(run, value), usedforsecurity=False).hexdigest()


@register_filter("sha1")
def sha1(run: Rendering, value: Any) -> str:
    """The SHA-1 digest in hexadecimal.

    {{ inputs.name | sha1 }} → 5c3cb098d52deb3f67e97b7fba960c4cf6880461
    """
    return hashlib.sha1(_bytes(run, value), usedforsecurity=False).hexdigest()


@register_filter("sha256")
def sha256(run: Rendering, value: Any) -> str:
    """The SHA-256 digest in hexadecimal.

    {{ inputs.name | sha256 }} → 99a563ab2f6e21e96998f9fddd2a2bab82b70ac019579502b8d7fc0032ff62bb
    """
    return hashlib.sha256(_bytes(run, value)).hexdigest()


@register_filter("sha512")
def sha512(run: Rendering, value: Any) -> str:
    """The SHA-512 digest in hexadecimal.

    {{ inputs.name | sha512 | slice(0, 16) }} → 1985df959f44963c
    """
    return hashlib.sha512(_bytes(run, value)).hexdigest()
