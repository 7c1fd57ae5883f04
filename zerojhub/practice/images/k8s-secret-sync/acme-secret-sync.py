#!/usr/bin/env python3
"""Keeps a file of Traefik's in a Secret, with the arguments of Zero to JupyterHub's program of the same name.

`load SECRET KEY PATH` writes the file before Traefik starts, if there is such a Secret. `watch-save SECRET KEY PATH` looks
at the file every 30 seconds, and saves it once there is a certificate in it.
"""

import argparse
import base64
import json
import logging
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
INTERVAL = 30


def request(method, path, body=None):
    """The answer of the Kubernetes API, or None for 404."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    # The token is replaced now and then.
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": kind}
    asked = urllib.request.Request(
        f"https://{host}:{port}/api/v1/namespaces/{path}",
        method=method,
        headers=headers,
        data=json.dumps(body).encode() if body else None,
    )
    trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    try:
        with urllib.request.urlopen(asked, timeout=30, context=trusted) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        error.add_note(error.read().decode(errors="replace"))
        raise


def load(given):
    secret = request("GET", f"{given.namespace}/secrets/{given.secret}")
    if kept := ((secret or {}).get("data") or {}).get(given.key):
        given.path.touch(mode=0o600)
        given.path.write_bytes(base64.b64decode(kept))
        logging.info("loaded %s", given.path)


def watch(given):
    labels = dict(label.split("=", 1) for label in given.label)
    while True:
        content = given.path.read_bytes() if given.path.exists() else b""
        if not content:
            logging.info("nothing in %s", given.path)
        elif not any(resolver.get("Certificates") for resolver in json.loads(content).values()):
            logging.info("no certificate in %s", given.path)
        else:
            save(given, labels, base64.b64encode(content).decode())
        time.sleep(INTERVAL)


def save(given, labels, value):
    about = {"metadata": {"name": given.secret, "labels": labels}, "data": {given.key: value}}
    there = request("GET", f"{given.namespace}/secrets/{given.secret}")
    if there is None:
        request("POST", f"{given.namespace}/secrets", {"apiVersion": "v1", "kind": "Secret", **about})
    elif (there.get("data") or {}).get(given.key) != value:
        request("PATCH", f"{given.namespace}/secrets/{given.secret}", {"data": about["data"]})
    else:
        return
    logging.info("saved %s in Secret %s", given.path, given.secret)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--namespace")
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("action", choices=["load", "watch-save"])
    parser.add_argument("secret")
    parser.add_argument("key")
    parser.add_argument("path", type=Path)
    given = parser.parse_args()
    given.namespace = given.namespace or (ACCOUNT / "namespace").read_text().strip()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    (load if given.action == "load" else watch)(given)


if __name__ == "__main__":
    main()
