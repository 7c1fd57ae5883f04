"""A Kubernetes API client with the pod's service account or a kubeconfig (JSON, with certificate files)."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TIMEOUT = 20


class KubernetesError(Exception):
    """The API refused or did not respond; `status` is the HTTP status, 0 without a response."""

    def __init__(self, message: str, status: int = 0):
        super().__init__(message)
        self.status = status


class Cluster:
    """Requests by API path. All methods raise KubernetesError."""

    def __init__(self, kubeconfig: str | None):
        self._token_file = None
        if kubeconfig:
            with open(kubeconfig) as file:
                config = json.load(file)
            server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            self._server = server["server"]
            self._trust = ssl.create_default_context(cafile=server["certificate-authority"])
            self._trust.load_cert_chain(user["client-certificate"], user["client-key"])
        else:
            self._server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
            self._token_file = f"{ACCOUNT}/token"
            self._trust = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")

    def list(self, path: str, **query: str) -> list[dict]:
        return self.request("GET", f"{path}?{urllib.parse.urlencode(query)}")["items"]

    def request(self, method: str, path: str, body: Any = None) -> dict:
        request = urllib.request.Request(self._server + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self._token_file:  # the token is renewed at run time
            with open(self._token_file) as file:
                request.add_header("Authorization", f"Bearer {file.read().strip()}")
        try:
            with urllib.request.urlopen(request, context=self._trust, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                said = json.load(error)["message"]
            except (ValueError, KeyError):
                said = str(error)
            raise KubernetesError(said, error.code) from None
        except (OSError, ValueError) as error:
            raise KubernetesError(f"{method} {path}: {error}") from None

    def event(self, about: dict, kind: str, reason: str, message: str, *, warning: bool = False) -> None:
        """Create an event for a pod or node, which `kubectl describe` shows."""
        meta, now = about["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace = meta.get("namespace", "default")
        subject = {"kind": kind, "name": meta["name"], "uid": meta["uid"], "apiVersion": "v1"}
        subject |= {"namespace": meta["namespace"]} if "namespace" in meta else {}
        body = {
            "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
            "involvedObject": subject,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": "cluster-autoscaler"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self.request("POST", f"/api/v1/namespaces/{namespace}/events", body)

    def change_node(self, name: str, change: Any) -> None:
        """Update the node with `change`; retry on conflicts."""
        for attempt in range(5):
            node = self.request("GET", f"/api/v1/nodes/{name}")
            change(node)
            try:
                self.request("PUT", f"/api/v1/nodes/{name}", node)
                return
            except KubernetesError as error:
                if error.status != 409 or attempt == 4:
                    raise

    def write_status(self, namespace: str, name: str, text: str) -> None:
        updated = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
        annotations = {"cluster-autoscaler.kubernetes.io/last-updated": updated}
        meta = {"name": name, "namespace": namespace, "annotations": annotations}
        body = {"metadata": meta, "data": {"status": text}}
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        try:
            self.request("PUT", f"{path}/{name}", body)
        except KubernetesError as error:
            if error.status != 404:
                raise
            self.request("POST", path, body)
