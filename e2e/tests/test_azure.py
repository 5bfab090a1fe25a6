"""The features of Azure alone: signatures that an identity makes, URLs that create and don't
replace.

Azurite checks the signatures, by TLS, as it asks for with identities. No cluster is needed.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.fixtures.cloudstores import ACCOUNT, account_key, azurite_process
from e2e.fixtures.objectstore import BUCKET, free_port
from penstock.storage import azure_urls
from penstock.storage.azure_files import AzureFiles
from penstock.storage.azure_urls import AccountKey, AzureUrls, DelegatedKey
from penstock.storage.presigned import SignedUrl
from penstock.tasks.remote.transfer import connect

DIGEST = "0" * 64


class Identity:
    """A workload identity, whose token Azurite checks but for the signature."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        now = int(time.time())
        said = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/tenant/",
            "oid": "object",
            "tid": "tenant",
            "iat": now,
            "nbf": now - 60,
            "exp": now + 3600,
        }
        parts = ({"alg": "none", "typ": "JWT"}, said)
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
        text = ".".join(part.decode().rstrip("=") for part in encoded)
        return AccessToken(f"{text}.signature", now + 3600)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BlobServiceClient, str]]:
    """A storage account with a container, as an identity sees it, and its key."""
    folder: Path = tmp_path_factory.mktemp("azure")
    certificate, private = _certificate(folder)
    port, key = free_port(), account_key()
    more = ("--oauth", "basic", "--cert", str(certificate), "--key", str(private))
    with (
        azurite_process(folder / "files", port, key, *more),
        pytest.MonkeyPatch.context() as patch,
        BlobServiceClient(
            f"https://127.0.0.1:{port}/{ACCOUNT}", Identity(), connection_verify=str(certificate)
        ) as client,
    ):
        patch.setenv("SSL_CERT_FILE", str(certificate))
        client.create_container(BUCKET)
        yield client, key


@pytest.fixture(params=["account", "identity"])
def urls(
    request: pytest.FixtureRequest,
    account: tuple[BlobServiceClient, str],
    monkeypatch: pytest.MonkeyPatch,
) -> AzureUrls:
    """URLs signed by the account's key, or by a key of an identity."""
    client, key = account
    host = str(client.url).removeprefix("https://").rstrip("/")
    files = AzureFiles(account_name=ACCOUNT, account_key=key, account_host=host)

    def exists(at: str) -> bool:
        container, blob, _ = files.split_path(at)
        return bool(client.get_blob_client(container, blob).exists())

    monkeypatch.setattr(files, "exists", exists)  # adlfs can't be told of the certificate
    signing = DelegatedKey(client) if request.param == "identity" else AccountKey(ACCOUNT, key)
    return AzureUrls(files, signing)


def test_a_url_opens_one_blob_in_one_direction_for_a_time(
    urls: AzureUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    at = f"{BUCKET}/files/{type(urls.key).__name__}/a #1?b=c%20ü"
    # when
    made = asked("PUT", urls.put(at, 3, DIGEST), b"one")
    read = urls.get(at)
    # then
    assert made == (201, b"")
    assert asked("GET", read) == (200, b"one")
    assert asked("GET", SignedUrl(read.url.replace("/files/", "/other/")))[0] == 403
    assert asked("DELETE", read)[0] == 403
    assert asked("PUT", SignedUrl(read.url, urls.put(at, 3, DIGEST).headers), b"two")[0] == 403
    assert "spr=https&" in f"{read.url}&"
    # when
    monkeypatch.setattr(azure_urls, "LIFETIME", -1)
    # then
    assert asked("GET", urls.get(at))[0] == 403


def test_a_url_for_a_new_blob_creates_it_once(urls: AzureUrls) -> None:
    # given
    at = f"{BUCKET}/files/{type(urls.key).__name__}/once"
    new = urls.put(at, 3, DIGEST)
    # then
    assert asked("PUT", new, b"one")[0] == 201
    assert asked("PUT", new, b"two")[0] == 403
    assert asked("GET", urls.get(at)) == (200, b"one")
    assert asked("PUT", urls.put(at, 3, DIGEST), b"two")[0] == 201
    assert asked("GET", urls.get(at)) == (200, b"two")


def asked(method: str, url: SignedUrl, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and the content of the answer to a URL."""
    connection, target = connect(url.url)
    connection.request(method, target, body, dict(url.headers))
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private
