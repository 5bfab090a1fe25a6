"""The certificate authority (CA) of an installation, and the certificates that it issues.

A CA keeps its key for good. Its certificate is renewed with that same key and name, so what was
issued before is taken by whoever knows the new certificate, and what is issued after by whoever
knows the old one: pods that run at that time notice nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
AUTHORITY_RENEWED = timedelta(days=365)
"""How long before its end the certificate of the CA is renewed: longer than any task runs."""
LIFE = timedelta(days=90)
RENEWED = timedelta(days=30)
"""How long before its end a service's certificate is renewed: the controller may be away so
long."""
SKEW = timedelta(hours=1)
"""How far the clocks of nodes may be behind the controller's: certificates count from so long
before."""

_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


class UnusableAuthority(ValueError):
    """What should be a CA is none."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: str
    key: str


class Authority:
    """A CA, with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, now: datetime) -> Self:
        """A new one, under a name that no other has."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()
        return cls(_self_signed(key, _named(f"Penstock CA {own[:16]}"), now), key)

    @classmethod
    def read(cls, pair: Pair) -> Self:
        """The one that was kept. Raises :class:`UnusableAuthority`."""
        try:
            certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
            key = load_pem_private_key(pair.key.encode(), None)
            limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (*_UNREADABLE, x509.ExtensionNotFound) as error:
            raise UnusableAuthority(f"it can't be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise UnusableAuthority("its key is not one of an elliptic curve")
        if not limits.ca or certificate.public_key() != key.public_key():
            raise UnusableAuthority("the certificate is no CA's, or the key is another one's")
        return cls(certificate, key)

    @property
    def pem(self) -> str:
        """The certificate, by which others know what this CA issues."""
        return _pem(self._certificate)

    @property
    def pair(self) -> Pair:
        """The certificate and the key, to be kept."""
        return Pair(self.pem, _key_pem(self._key))

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to renew the certificate."""
        return now >= self._certificate.not_valid_after_utc - AUTHORITY_RENEWED

    def renewed(self, now: datetime) -> Self:
        """Give this CA a certificate that counts from now on: its key and its name stay."""
        return type(self)(_self_signed(self._key, self._certificate.subject, now), self._key)

    def issue(self, name: str, now: datetime) -> Pair:
        """A new certificate for the service of that name, with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = (
            _builder(_named(name), self._certificate.subject, key, now, LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(_issued_by(self._key), critical=False)
        )
        return Pair(_pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key))

    def stands_behind(self, pair: Pair, name: str, now: datetime) -> bool:
        """Whether a pair is one that this CA has issued for the service, and not due yet."""
        try:
            certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
            key = load_pem_private_key(pair.key.encode(), None)
            certificate.verify_directly_issued_by(self._certificate)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except (*_UNREADABLE, InvalidSignature, x509.ExtensionNotFound):
            return False
        return (
            name in names.value.get_values_for_type(x509.DNSName)
            and certificate.public_key() == key.public_key()
            and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWED
        )

    def after(self, known: str, now: datetime) -> str:
        """Give the CAs (PEM) by which clients know a service from the moment on at which this CA
        issues a certificate to it. Beside this CA, it is the first of those that were ``known``:
        for a while the service still serves with what that one has issued.
        """
        return self._beside(_all(known)[:1], now)

    def among(self, known: str, now: datetime) -> str:
        """Give the CAs that are ``known``, where this one has the certificate that it has now."""
        return self._beside(_all(known), now)

    def _beside(self, others: list[x509.Certificate], now: datetime) -> str:
        own = self._certificate.subject
        counting = [item for item in others if now < item.not_valid_after_utc]
        return "".join([self.pem, *(_pem(item) for item in counting if item.subject != own)])


def _self_signed(
    key: ec.EllipticCurvePrivateKey, name: x509.Name, now: datetime
) -> x509.Certificate:
    return (
        _builder(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _builder(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + life)
        .add_extension(own, critical=False)
    )


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _all(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:  # there are none
        return []


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()
