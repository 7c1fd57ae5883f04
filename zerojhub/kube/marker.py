"""Labels and taints for the nodes of node groups: what a node lacks, and the program in the cluster that adds it to new nodes.

The program is this file, run by Python alone: it imports nothing else. It reads the groups from its environment, and makes
only one request for each node that has joined.
"""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any, TypedDict

GROUP_LABELS = (
    "magnum.openstack.org/nodegroup",  # Magnum's Heat drivers
    "capi.stackhpc.com/node-group",  # magnum-capi-helm
    "node.cluster.x-k8s.io/nodegroup",  # magnum-cluster-api
)
"""Labels with the name of the node's group, each from another driver."""
NOTED = "zerojhub.io/node-marks"
"""The annotation with the labels and taints that a node has from here, which are removed when the group no longer has them."""
GROUPS = "GROUPS"
"""The environment variable with the groups: name -> marks, as JSON."""
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WATCH_SECONDS = 300
PAUSE = 5
"""Seconds between a failure and the next attempt."""


class Mark(TypedDict):
    """A taint. Kubernetes tells two apart by key and effect; it leaves out an empty value."""

    key: str
    value: str
    effect: str


class Marks(TypedDict):
    """What the nodes of a group are to have."""

    labels: dict[str, str]
    taints: list[Mark]


NONE: Marks = {"labels": {}, "taints": []}
Groups = dict[str, Marks]


def group_of(node: Any) -> str | None:
    """The name of the node's group in Magnum; None if no driver has labelled the node with it."""
    labels = node["metadata"].get("labels", {})
    return next((labels[key] for key in GROUP_LABELS if key in labels), None)


def wanted(node: Any, groups: Groups) -> Marks:
    """What the node is to have."""
    return groups.get(group_of(node) or "", NONE)


def noted(node: Any) -> Marks:
    """What the node has from here."""
    text = node["metadata"].get("annotations", {}).get(NOTED)
    found: Marks = json.loads(text) if text else NONE
    return found


def change(node: Any, marks: Marks) -> dict[str, Any] | None:
    """The merge patch after which the node has these marks; None if it has. Anybody else's labels and taints stay."""
    before, labels = noted(node), node["metadata"].get("labels", {})
    taints: list[Any] = node["spec"].get("taints", [])
    missing = {key: value for key, value in marks["labels"].items() if labels.get(key) != value}
    gone = {
        key: None for key, value in before["labels"].items() if key not in marks["labels"] and labels.get(key) == value
    }
    identities = {_identity(each) for each in marks["taints"]}
    left = {_identity(each) for each in before["taints"]} - identities
    have = {(*_identity(each), each.get("value", "")) for each in taints}
    lacking = [each for each in marks["taints"] if (*_identity(each), each["value"]) not in have]
    replaced = left | {_identity(each) for each in lacking}
    changed = [each for each in taints if _identity(each) not in replaced] + [_bare(each) for each in lacking]
    own: Marks = {
        "labels": {key: value for key, value in marks["labels"].items() if key in missing or key in before["labels"]},
        "taints": [each for each in marks["taints"] if each in lacking or each in before["taints"]],
    }
    if not missing and not gone and changed == taints and own == before:
        return None
    note = json.dumps(own, sort_keys=True) if own != NONE else None
    return {
        # Refused (409) if somebody has changed the node meanwhile: the list of taints is replaced.
        "metadata": {
            "resourceVersion": node["metadata"]["resourceVersion"],
            "labels": {**missing, **gone},
            "annotations": {NOTED: note},
        },
        "spec": {"taints": changed},
    }


def _identity(taint: Any) -> tuple[str, str]:
    return taint["key"], taint["effect"]


def _bare(taint: Mark) -> dict[str, str]:
    """The taint as Kubernetes has it."""
    bare = {"key": taint["key"], "effect": taint["effect"]}
    return bare | {"value": taint["value"]} if taint["value"] else bare


class Nodes:
    """The nodes, by Kubernetes' API. Raises OSError."""

    def __init__(self, url: str, account: Path):
        self._url, self._account = url, account
        self._tls = ssl.create_default_context(cafile=str(account / "ca.crt")) if url.startswith("https") else None

    @classmethod
    def here(cls) -> Nodes:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", ACCOUNT)

    def mark(self, groups: Groups) -> str:
        """Give all nodes what they lack; returns the version of the list."""
        with self._send("GET", "") as answer:
            listed = json.load(answer)
        for node in listed["items"]:
            patch = change(node, wanted(node, groups))
            if patch:
                with self._send("PATCH", f"/{node['metadata']['name']}", patch):
                    print(f"node {node['metadata']['name']}: {json.dumps(patch)}", flush=True)
        version: str = listed["metadata"]["resourceVersion"]
        return version

    def wait(self, groups: Groups, since: str) -> None:
        """Until a node lacks something, or for some minutes. Some drivers label a node only after it has joined."""
        with self._send("GET", f"?watch=true&resourceVersion={since}&timeoutSeconds={WATCH_SECONDS}") as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":  # the version is too old
                    return
                if event["type"] != "DELETED" and change(event["object"], wanted(event["object"], groups)):
                    return

    def _send(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self._url}/api/v1/nodes{path}", None if body is None else json.dumps(body).encode(), method=method
        )
        request.add_header("Authorization", f"Bearer {(self._account / 'token').read_text()}")
        if body is not None:
            request.add_header("Content-Type", "application/merge-patch+json")
        return urllib.request.urlopen(request, timeout=WATCH_SECONDS + 30, context=self._tls)


def main() -> None:
    """Mark every node that there is, and each that joins."""
    groups: Groups = json.loads(os.environ[GROUPS])
    nodes = Nodes.here()
    while True:
        try:
            nodes.wait(groups, nodes.mark(groups))
        except (OSError, ValueError) as error:
            print(f"trying again: {error}", flush=True)
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
