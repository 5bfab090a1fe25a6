"""A small client of the API server, for the waits of `up` and for `status`.

kubectl is 130 MB that start anew for each question; these questions come ten times a second.
"""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


class ApiClient:
    """Reads from one API server as the cluster's administrator."""

    def __init__(self, server: str, pki: Path) -> None:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        https = urllib.request.HTTPSHandler(context=context)
        # No proxy: the address is of this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
        self._server = server

    def ready(self) -> bool:
        return self._get("/readyz") == b"ok"

    def node_ready(self, node: str) -> bool:
        content = self._get_json(f"/api/v1/nodes/{node}")
        conditions = content.get("status", {}).get("conditions", [])
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def service_account_exists(self, namespace: str, name: str) -> bool:
        return bool(self._get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"))

    def _get_json(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._get(path) or b"{}")
        return content

    def _get(self, path: str) -> bytes:
        """The answer's body; empty when there is no such thing, or no API server (yet)."""
        try:
            with self._opener.open(self._server + path, timeout=5) as answer:
                body: bytes = answer.read()
                return body
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return b""
