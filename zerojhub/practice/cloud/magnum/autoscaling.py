"""The autoscaler in clusters of Heat drivers: labels auto_scaling_enabled, min_node_count and max_node_count."""

from __future__ import annotations

import string
from pathlib import Path

from zerojhub.practice.cloud.store import Record
from zerojhub.yamlfile import load_all, plain

TAG = "v1.18.1"
"""Default of the label autoscaler_tag (Magnum user guide, labels)."""


def is_enabled(cluster: Record) -> bool:
    return str(cluster["labels"].get("auto_scaling_enabled", "")).lower() == "true"


def manifests(cluster: Record, cloud_config: str) -> list[Record]:
    """The autoscaler's objects in kube-system, if it is enabled."""
    if not is_enabled(cluster):
        return []
    labels = cluster["labels"]
    count = next(group["node_count"] for group in cluster["nodegroups"] if group["role"] != "master")
    prefix = labels.get("container_infra_prefix") or "docker.io/openstackmagnum/"
    values = {
        "image": f"{prefix}cluster-autoscaler:{labels.get('autoscaler_tag') or TAG}",
        "cluster": cluster["uuid"],
        "least": labels.get("min_node_count") or 1,
        "most": labels.get("max_node_count") or count + 1,
    }
    file = Path(__file__).with_name("autoscaler.yaml")
    text = string.Template(file.read_text()).substitute(values)
    # The APIs use plain HTTP, so ca-file is left out.
    own = "".join(f"{line}\n" for line in cloud_config.splitlines() if not line.startswith("ca-file="))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "cluster-autoscaler-cloud-config", "namespace": "kube-system"},
        "stringData": {"cloud-config": own},
    }
    return [secret, *(plain(each) for _, each in load_all(text.encode(), file.name))]
