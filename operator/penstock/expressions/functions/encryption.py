"""AES-GCM encryption of text, as Kestra stores it: Base64 of nonce, text and tag."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.printing import to_text
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import need_text

_NONCE = 12


def _cipher(key: Any) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise ExpressionError("needs the Python package `cryptography`") from None
    try:
        return AESGCM(base64.b64decode(need_text(key, "key"), validate=True))
    except (binascii.Error, ValueError):
        raise ExpressionError("the key must be 16, 24 or 32 bytes in Base64") from None


@register_function("encrypt")
def encrypt(run: Rendering, key: Any, plaintext: Any) -> str:
    """Encrypt a text with a key of 16, 24 or 32 bytes in Base64. The result is another text each
    time.

    {{ encrypt(vars.key, 'hello') | length }} → 44
    """
    text = to_text(plaintext, run.budget)
    run.budget.text(len(text) * 4)
    # Not the seeded chance of the host: with AES-GCM a nonce must never come twice.
    nonce = os.urandom(_NONCE)
    return base64.b64encode(nonce + _cipher(key).encrypt(nonce, text.encode(), None)).decode()


@register_function("decrypt")
def decrypt(run: Rendering, key: Any, encrypted: Any) -> str:
    """The text that `encrypt` encrypted.

    {{ decrypt(vars.key, encrypt(vars.key, 'hello')) }} → hello
    """
    cipher = _cipher(key)
    try:
        data = base64.b64decode(need_text(encrypted, "encrypted"), validate=True)
        return str(cipher.decrypt(data[:_NONCE], data[_NONCE:], None).decode())
    except ExpressionError:
        raise
    except Exception:
        raise ExpressionError("the text was not encrypted with this key") from None
