"""The options of HTTP tasks: those of today, which are nested, and the flat ones that they
replaced."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from penstock.tasks.contract.task import TaskFailure

ProxyType = Literal["DIRECT", "HTTP", "SOCKS"]

_READ = timedelta(minutes=5)


@dataclass(frozen=True)
class Timeouts:
    """How long to wait."""

    connect_timeout: timedelta | None = None
    """For the connection."""
    read_idle_timeout: timedelta | None = None
    """For the next bytes of the response."""


@dataclass(frozen=True)
class ProxyOptions:
    """The proxy through which requests go."""

    type: ProxyType = "DIRECT"
    """`HTTP`, or `DIRECT` for none."""
    address: str | None = None
    """Its host."""
    port: int | None = None
    """Its port."""
    username: str | None = None
    """For a proxy that asks for it."""
    password: str | None = None
    """For a proxy that asks for it."""


@dataclass(frozen=True)
class Auth:
    """How to authenticate."""

    type: Literal["BASIC", "BEARER"] = "BASIC"
    """By user and password, or by token."""
    username: str | None = None
    """Of `BASIC`."""
    password: str | None = None
    """Of `BASIC`."""
    token: str | None = None
    """Of `BEARER`."""


@dataclass(frozen=True)
class SslOptions:
    """How the server's certificate is checked."""

    insecure_trust_all_certificates: bool = False
    """Whether it is not checked at all."""


@dataclass(frozen=True)
class HttpOptions:
    """Options of the client."""

    timeout: Timeouts = Timeouts()
    """How long to wait."""
    proxy: ProxyOptions = ProxyOptions()
    """The proxy through which requests go."""
    auth: Auth | None = None
    """How to authenticate."""
    ssl: SslOptions | None = None
    """How the server's certificate is checked."""
    follow_redirects: bool = True
    """Whether to go where the server points."""
    allow_failed: bool = False
    """Whether a response of 400 and above is a success."""
    allowed_response_codes: list[int] = field(default_factory=list)
    """The only codes that are a success, where any is named."""
    default_charset: str = "UTF-8"
    """The charset of a response that names none."""
    max_content_length: int | None = None
    """The most bytes that a response may have."""
    logs: list[str] = field(default_factory=list)
    """No effect yet."""
    log_level: str | None = None
    """No effect."""
    connection_pool_idle_timeout: timedelta | None = None
    """No effect: each request has a connection of its own."""
    connect_timeout: timedelta | None = None
    """Deprecated: use `timeout.connectTimeout`."""
    read_timeout: timedelta | None = None
    """Deprecated: use `timeout.readIdleTimeout`."""
    read_idle_timeout: timedelta | None = None
    """Deprecated: use `timeout.readIdleTimeout`."""
    proxy_type: ProxyType = "DIRECT"
    """Deprecated: use `proxy.type`."""
    proxy_address: str | None = None
    """Deprecated: use `proxy.address`."""
    proxy_port: int | None = None
    """Deprecated: use `proxy.port`."""
    proxy_username: str | None = None
    """Deprecated: use `proxy.username`."""
    proxy_password: str | None = None
    """Deprecated: use `proxy.password`."""
    basic_auth_user: str | None = None
    """Deprecated: use `auth`."""
    basic_auth_password: str | None = None
    """Deprecated: use `auth`."""

    @property
    def read_seconds(self) -> float:
        chosen = self.timeout.read_idle_timeout or self.read_timeout or self.read_idle_timeout
        return (chosen or _READ).total_seconds()

    @property
    def connect_seconds(self) -> float:
        chosen = self.timeout.connect_timeout or self.connect_timeout
        return chosen.total_seconds() if chosen is not None else self.read_seconds

    @property
    def authorization(self) -> str | None:
        """The header's value."""
        if self.auth is not None and self.auth.type == "BEARER":
            if self.auth.token is None:
                raise TaskFailure("property `options.auth.token`: is needed for BEARER")
            return f"Bearer {self.auth.token}"
        if self.auth is not None:
            return basic(self.auth.username, self.auth.password)
        return basic(self.basic_auth_user, self.basic_auth_password)

    @property
    def through(self) -> ProxyOptions | None:
        """The proxy; None for a direct connection. Raises :class:`TaskFailure`."""
        proxy = self.proxy
        if proxy.type == "DIRECT":
            proxy = ProxyOptions(
                self.proxy_type,
                self.proxy_address,
                self.proxy_port,
                self.proxy_username,
                self.proxy_password,
            )
        if proxy.type == "DIRECT":
            return None
        if proxy.type == "SOCKS":
            raise TaskFailure("property `options.proxy.type`: SOCKS is not served; use HTTP")
        if not proxy.address or not proxy.port:
            raise TaskFailure("property `options.proxy`: `address` and `port` are needed")
        return proxy

    def accepts(self, code: int) -> bool:
        """Whether a response with that code is a success."""
        if self.allow_failed:
            return True
        if self.allowed_response_codes:
            return code in self.allowed_response_codes
        return code < 400


def basic(user: str | None, password: str | None) -> str | None:
    """The value of a header that authenticates by user and password; None without a user."""
    if user is None:
        return None
    return "Basic " + b64encode(f"{user}:{password or ''}".encode()).decode()
