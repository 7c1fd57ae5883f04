"""What Magnum looks up before it takes a template, a cluster or a patch."""

from __future__ import annotations

import ast

from zerojhub.practice.apis.cloud import Cloud, Record
from zerojhub.practice.apis.wire import Refusal


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


def check_resources(cloud: Cloud, given: Record) -> None:
    """What a template or a cluster names must be there. Raises Refusal (400) for the first that is not."""
    if given.get("image_id") and not cloud.images.find(given["image_id"]):
        raise Refusal(400, f"Image {given['image_id']} could not be found.")
    for name in ("flavor_id", "master_flavor_id"):
        if given.get(name) and not cloud.flavor(given[name]):
            raise Refusal(400, f"Unable to find flavor {given[name]}.")
    external = given.get("external_network_id")
    if external and not [network for network in cloud.networks.find(external) if network["router:external"]]:
        raise Refusal(400, f"Unable to find external network {external}.")
    for name, table, kind in (
        ("fixed_network", cloud.networks, "network"),
        ("fixed_subnet", cloud.subnets, "subnet"),
    ):
        found = table.find(given[name]) if given.get(name) else [{}]
        if not found:
            raise Refusal(400, f"Unable to find fixed {kind} {given[name]}.")
        if len(found) > 1:
            message = f"Multiple {kind}s exist with same name '{given[name]}'. Please use the {kind} ID instead."
            raise Refusal(409, message)


def patched(record: Record, patch: list[Record], defaults: Record) -> Record:
    """The record's fields as a JSON patch leaves them. Raises Refusal (400)."""
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
            result[head] = entry_patched(result[head], item, inner, given)
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


def entry_patched(labels: Record | None, item: Record, name: str, patch: list[Record]) -> Record:
    """Labels (or the like) with the one of the name added, replaced or removed. Raises Refusal (400)."""
    labels = dict(labels or {})
    if item["op"] != "add" and name not in labels:
        raise Refusal(400, f"Couldn't apply patch '{patch}'. Reason: can't {item['op']} a non-existent object '{name}'")
    labels.pop(name, None)
    return labels if item["op"] == "remove" else {**labels, name: item["value"]}
