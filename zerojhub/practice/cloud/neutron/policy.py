"""The attributes that a request may set, and those that are for administrators."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.errors import disallowed
from zerojhub.practice.cloud.neutron.records import key
from zerojhub.practice.cloud.store import Record, words
from zerojhub.practice.cloud.wire import Call

COMMON = ("name", "description")
SETTABLE: dict[str, tuple[str, ...]] = {
    "networks": words("admin_state_up mtu port_security_enabled"),
    "subnets": words("gateway_ip allocation_pools dns_nameservers enable_dhcp host_routes"),
    "ports": words(
        "admin_state_up security_groups allowed_address_pairs extra_dhcp_opts device_id device_owner "
        "port_security_enabled binding:vnic_type"
    ),
    "subnetpools": ("default_quota",),
    "routers": words("admin_state_up routes"),
    "security-groups": ("stateful",),
    "security-group-rules": (),
}
ADMINISTRATORS: dict[str, tuple[str, ...]] = {
    "networks": words(
        "shared router:external provider:network_type provider:physical_network provider:segmentation_id"
    ),
    "ports": words("binding:host_id binding:profile"),
    "subnetpools": words("shared is_default"),
    "routers": words("distributed ha"),
}


def settable(call: Call, action: str, kind: str, wanted: Record) -> Record:
    """The attributes of a body to store. Raises Refusal (403) for attributes that are for administrators."""
    rule = f"{action}_{key(kind)[:-1]}"
    if (wanted.get("project_id") or wanted.get("tenant_id") or call.project) != call.project:
        raise disallowed(rule)
    for name in ADMINISTRATORS.get(kind, ()):
        if wanted.get(name):
            raise disallowed(rule, f"{rule}:{name}")
    return {name: wanted[name] for name in (*COMMON, *SETTABLE[kind]) if wanted.get(name) is not None}
