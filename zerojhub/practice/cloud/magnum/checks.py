"""What Magnum looks up before it accepts a template, a cluster, a node group or a patch."""

from __future__ import annotations

import ast
import re

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, words

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TAINT = ("key", "value", "effect")
PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
"""Prefixes below kubernetes.io of labels that a kubelet may set."""
KUBELET_LABELS = words(
    "beta.kubernetes.io/arch beta.kubernetes.io/instance-type beta.kubernetes.io/os "
    "failure-domain.beta.kubernetes.io/region failure-domain.beta.kubernetes.io/zone kubernetes.io/arch "
    "kubernetes.io/hostname kubernetes.io/os node.kubernetes.io/instance-type node.kubernetes.io/windows-build "
    "topology.kubernetes.io/region topology.kubernetes.io/zone"
)
"""The other ones that it may set."""


def check_bounds(group: Record) -> None:
    """Refuse (409) invalid bounds."""

    def bad(attribute: str, why: str) -> Refusal:
        return Refusal(409, f"{attribute} for {group['name']} is invalid ({why}).")

    least, most, count = group["min_node_count"], group["max_node_count"], group["node_count"]
    if most and most < least:
        raise bad("max_node_count", f"min_node_count ({least}) should be less or equal to max_node_count ({most})")
    if most and count > most:
        raise bad("max_node_count", f"node_count ({count}) should be less or equal to max_node_count ({most})")
    if least > count:
        raise bad("min_node_count", f"min_node_count ({least}) should be less or equal to node_count ({count})")


def check_marks(group: Record) -> None:
    """Refuse (409) labels and taints of nodes that masters cannot have, that are invalid, or that a kubelet refuses."""

    def bad(attribute: str, why: str) -> Refusal:
        return Refusal(409, f"{attribute} for {group['name']} is invalid ({why}).")

    for name in ("node_labels", "node_taints"):
        if group["role"] == "master" and group[name]:
            raise bad(name, f"{name} may not be set on master nodegroups")
    for key in group["node_labels"] or ():
        prefix, slash, _ = key.partition("/")
        restricted = slash and re.fullmatch(r"(.+\.)?(kubernetes|k8s)\.io", prefix)
        if restricted and prefix not in PREFIXES and key not in KUBELET_LABELS:
            why = f"node label '{key}' is in a restricted Kubernetes namespace; the kubelet will refuse to start."
            why += " Labels in the kubernetes.io/ and k8s.io/ namespaces must use one of the allowed prefixes"
            why += f" ({', '.join(PREFIXES)}) or be one of the allowed labels ({', '.join(KUBELET_LABELS)})."
            raise bad("node_labels", why)
    for index, taint in enumerate(group["node_taints"] or ()):
        if not isinstance(taint, dict):
            raise bad("node_taints", f"node_taints[{index}] must be an object with key, effect and optional value")
        if unknown := sorted(set(taint) - set(TAINT)):
            allowed = f"allowed fields are {', '.join(TAINT)}"
            raise bad(
                "node_taints", f"node_taints[{index}] contains unrecognised field(s) {', '.join(unknown)}; {allowed}"
            )
        if not taint.get("key"):
            raise bad("node_taints", f"node_taints[{index}].key is required")
        if taint.get("effect") not in EFFECTS:
            raise bad("node_taints", f"node_taints[{index}].effect must be one of {', '.join(EFFECTS)}")


def check_driver(what: str, driver: str | None, supported: list[str]) -> None:
    if driver and driver not in supported:
        expecting = "/".join([*supported, "unspecified"])
        kind = what.split()[0].lower()
        message = f"{what} type {driver} is not supported, expecting a {expecting} {kind} driver."
        raise Refusal(400, message)


def check_drivers(template: Record) -> None:
    check_driver("Network driver", template["network_driver"], ["flannel", "calico", "cilium"])
    check_driver("Volume driver", template["volume_driver"], ["cinder"])
    size = template["docker_volume_size"]
    if template["docker_storage_driver"] == "devicemapper" and (not size or size < 3):
        message = (
            f"docker volume size {size} GB is not valid, expecting minimum value 3GB for devicemapper storage driver."
        )
        raise Refusal(400, message)


def check_resources(store: Store, given: Record) -> None:
    """Raises Refusal (400) for the first resource named by a template or cluster that does not exist."""
    if given.get("image_id") and not store.images.find(given["image_id"]):
        raise Refusal(400, f"Image {given['image_id']} could not be found.")
    for name in ("flavor_id", "master_flavor_id"):
        if given.get(name) and not store.flavor(given[name]):
            raise Refusal(400, f"Unable to find flavor {given[name]}.")
    external = given.get("external_network_id")
    if external and not [network for network in store.networks.find(external) if network["router:external"]]:
        raise Refusal(400, f"Unable to find external network {external}.")
    for name, table, kind in (
        ("fixed_network", store.networks, "network"),
        ("fixed_subnet", store.subnets, "subnet"),
    ):
        found = table.find(given[name]) if given.get(name) else [{}]
        if not found:
            raise Refusal(400, f"Unable to find fixed {kind} {given[name]}.")
        if len(found) > 1:
            message = f"Multiple {kind}s exist with same name '{given[name]}'. Please use the {kind} ID instead."
            raise Refusal(409, message)


def apply_patch(record: Record, patch: list[Record], defaults: Record) -> Record:
    """Apply a JSON patch to a record's fields. Raises Refusal (400)."""
    result = dict(record)
    given = [
        {"path": f"/{item['name']}"} | {key: item[key] for key in ("op", "value") if key in item} for item in patch
    ]
    for item in patch:
        name, path = item["name"], f"/{item['name']}"
        head, _, inner = name.partition("/")
        if head not in result:
            if item["op"] == "add":
                message = f"Adding a new attribute {path} to the root of the resource is not allowed."
                raise Refusal(400, message)
            raise Refusal(
                400, f"Couldn't apply patch '{given}'. Reason: can't {item['op']} a non-existent object '{head}'"
            )
        if inner:
            result[head] = apply_patch_to_entry(result[head], item, inner, given)
            continue
        if item["op"] == "add" and result[name] is not None:
            raise Refusal(400, f"The attribute {path} has existed, please use 'replace' operation instead.")
        value = item.get("value")
        if name in ("labels", "health_status_reason", "node_labels", "node_taints") and isinstance(value, str):
            try:
                value = ast.literal_eval(value)
            except (SyntaxError, ValueError) as error:
                raise Refusal(400, f"Couldn't apply patch '{given}'. Reason: {error}") from None
        result[name] = defaults.get(name) if item["op"] == "remove" else value
    return result


def apply_patch_to_entry(labels: Record | None, item: Record, name: str, patch: list[Record]) -> Record:
    """Add, replace or remove one entry of a mapping such as labels. Raises Refusal (400)."""
    labels = dict(labels or {})
    if item["op"] != "add" and name not in labels:
        raise Refusal(400, f"Couldn't apply patch '{patch}'. Reason: can't {item['op']} a non-existent object '{name}'")
    labels.pop(name, None)
    return labels if item["op"] == "remove" else {**labels, name: item["value"]}
