"""Keeps credentials, and what a server wants to print on our terminal, out of messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_DETAIL = 400
"""Characters of git's own words that a message quotes."""

_USERINFO = re.compile(r"://[^/\s'\"]*@")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def redact_url(url: str) -> str:
    """The URL without its userinfo, in printable ASCII.

    It must hold for URLs that no parser accepts too, so all between ``//`` and the last ``@`` is
    taken away, even where that is more than the userinfo.
    """
    head, separator, rest = url.partition("//")
    if "@" in url:
        after = url.rpartition("@")[2]
        url = f"{head}//{after}" if separator and "@" in rest else after
    return _UNPRINTABLE.sub("?", url)[:MAX_DETAIL]


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A message of git or the server as one printable line, without userinfo and ``secrets``."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _USERINFO.sub("://", text)
    line = "; ".join(filter(None, (part.strip() for part in text.splitlines())))
    line = _UNPRINTABLE.sub("?", line)
    return line if len(line) <= MAX_DETAIL else line[: MAX_DETAIL - 1] + "~"
