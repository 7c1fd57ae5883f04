"""Octavia's records: load balancers with their listeners, pools, members and health monitors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zerojhub.practice.cloud.neutron import records as neutron_records
from zerojhub.practice.cloud.neutron.floatingips import delete_port
from zerojhub.practice.cloud.octavia.traffic import VIP_OWNER
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, Table, new_id, now
from zerojhub.practice.ground import Ground

SECONDS = "%Y-%m-%dT%H:%M:%S"
NAMES = {
    "loadbalancers": ("loadbalancer", "Load Balancer"),
    "listeners": ("listener", "Listener"),
    "pools": ("pool", "Pool"),
    "members": ("member", "Member"),
    "healthmonitors": ("healthmonitor", "Health Monitor"),
}

# The attributes that can be changed, and the default of each, which null restores.
CHANGEABLE: dict[str, Record] = {
    "loadbalancers": {"vip_qos_policy_id": None},
    "listeners": {
        "connection_limit": -1,
        "default_pool_id": None,
        "insert_headers": {},
        "timeout_client_data": 50000,
        "timeout_member_connect": 5000,
        "timeout_member_data": 50000,
        "timeout_tcp_inspect": 0,
        "allowed_cidrs": None,
    },
    "pools": {"lb_algorithm": None, "session_persistence": None},
    "members": {"weight": 1, "backup": False, "monitor_address": None, "monitor_port": None},
    "healthmonitors": {
        "delay": None,
        "timeout": None,
        "max_retries": None,
        "max_retries_down": 3,
        "http_method": "GET",
        "url_path": "/",
        "expected_codes": "200",
    },
}


def table(store: Store, kind: str) -> Table:
    if kind not in NAMES:
        raise Refusal(404, "Not Found")
    return getattr(store, kind)


def get(store: Store, kind: str, ident: str) -> Record:
    record = table(store, kind).get(ident)
    if not record:
        raise Refusal(404, f"{NAMES[kind][1]} {ident} not found.")
    return record


def common(project: str, wanted: Record) -> Record:
    """The fields that all Octavia records have. Provisioning is complete before the response."""
    return {
        "id": new_id(),
        "name": wanted.get("name", ""),
        "description": wanted.get("description", ""),
        "project_id": project,
        "tenant_id": project,
        "admin_state_up": wanted.get("admin_state_up", True),
        "provisioning_status": "ACTIVE",
        "operating_status": "ONLINE",
        "tags": list(wanted.get("tags") or []),
        "created_at": now(SECONDS),
        "updated_at": None,
    }


def chosen(kind: str, wanted: Record) -> Record:
    """The changeable attributes: the given values, or the defaults."""
    return {name: default if wanted.get(name) is None else wanted[name] for name, default in CHANGEABLE[kind].items()}


def revise(kind: str, record: Record, wanted: Record) -> None:
    """Update the changeable attributes of the record."""
    texts = {"name": "", "admin_state_up": True, "tags": []} | ({} if kind == "members" else {"description": ""})
    for name, default in {**texts, **CHANGEABLE[kind]}.items():
        if name in wanted:
            record[name] = default if wanted[name] is None else wanted[name]
    record["updated_at"] = now(SECONDS)


def check_default_pool(store: Store, wanted: Record) -> None:
    """Raises Refusal (404) if a listener's default pool does not exist."""
    if wanted.get("default_pool_id"):
        get(store, "pools", wanted["default_pool_id"])


def check_quota(store: Store, project: str, resource: str) -> None:
    if store.over_quota("load-balancer", project, {resource: 1}):
        raise Refusal(403, "Quota has been met for resources: " + resource.replace("_", " ").title())


@contextmanager
def all_or_nothing(store: Store, kind: str, record: Record, *, port: str | None = None) -> Iterator[None]:
    """Delete the record, and the port created for it, if the block raises Refusal."""
    try:
        yield
    except Refusal:
        forget(store, kind, record)
        store.ports.pop(port or "", None)
        raise


def new_loadbalancer(store: Store, project: str, wanted: Record) -> Record:
    """A new load balancer with its VIP and the listeners, pools and members in the body: all or nothing."""
    check_quota(store, project, "load_balancer")
    subnet = store.subnets.get(wanted.get("vip_subnet_id") or "")
    network = store.networks.get(wanted.get("vip_network_id") or (subnet or {}).get("network_id") or "")
    port = store.ports.get(wanted.get("vip_port_id") or "")
    if port:
        network = store.networks[port["network_id"]]
    if not network:
        raise Refusal(400, "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
    record = common(project, wanted)
    owner = {"device_id": f"lb-{record['id']}", "device_owner": VIP_OWNER}
    own = not port
    if port:
        port |= owner
    else:
        name = f"octavia-lb-{record['id']}"
        port = neutron_records.new_port(store, project, network, name, wanted.get("vip_address") or "", **owner)
    record |= {
        "vip_port_id": port["id"],
        "vip_address": port["fixed_ips"][0]["ip_address"],
        "vip_subnet_id": port["fixed_ips"][0]["subnet_id"],
        "vip_network_id": network["id"],
        "vip_qos_policy_id": None,
        "vip_vnic_type": "normal",
        "additional_vips": [],
        "provider": store.profile.load_balancer_providers[0].name,
        "flavor_id": None,
        "availability_zone": None,
    }
    store.loadbalancers.add(record)
    with all_or_nothing(store, "loadbalancers", record, port=port["id"] if own else None):
        for pool in wanted.get("pools") or []:
            new_pool(store, project, {**pool, "loadbalancer_id": record["id"]})
        for listener in wanted.get("listeners") or []:
            new_listener(store, project, {**listener, "loadbalancer_id": record["id"]})
    return record


def new_listener(store: Store, project: str, wanted: Record) -> Record:
    check_quota(store, project, "listener")
    loadbalancer = get(store, "loadbalancers", wanted.get("loadbalancer_id") or "")
    check_default_pool(store, wanted)
    port, protocol = int(wanted.get("protocol_port", 80)), wanted.get("protocol", "TCP")
    for other in store.listeners.where(loadbalancer_id=loadbalancer["id"], protocol_port=port):
        # UDP and SCTP have separate port ranges; all other protocols use TCP.
        if protocol == other["protocol"] or not {protocol, other["protocol"]} & {"UDP", "SCTP"}:
            taken = f"protocol {other['protocol']} and protocol_port {port}"
            raise Refusal(409, f"Another Listener on this Load Balancer is already using {taken}")
    record = {
        **common(project, wanted),
        "loadbalancer_id": loadbalancer["id"],
        "protocol": protocol,
        "protocol_port": port,
        **chosen("listeners", wanted),
        "l7policies": [],
        "sni_container_refs": [],
        "default_tls_container_ref": None,
    }
    store.listeners.add(record)
    if isinstance(wanted.get("default_pool"), dict):
        pool = {**wanted["default_pool"], "loadbalancer_id": loadbalancer["id"]}
        named = store.pools.where(name=pool.get("name"), loadbalancer_id=loadbalancer["id"]) if pool.get("name") else []
        with all_or_nothing(store, "listeners", record):
            record["default_pool_id"] = (named[0] if named else new_pool(store, project, pool))["id"]
    return record


def new_pool(store: Store, project: str, wanted: Record) -> Record:
    check_quota(store, project, "pool")
    listener = get(store, "listeners", wanted["listener_id"]) if wanted.get("listener_id") else None
    loadbalancer = listener["loadbalancer_id"] if listener else wanted.get("loadbalancer_id") or ""
    get(store, "loadbalancers", loadbalancer)
    if listener and listener["default_pool_id"]:
        raise Refusal(409, "This listener already has a default pool")
    record = {
        **common(project, wanted),
        "loadbalancer_id": loadbalancer,
        "protocol": wanted.get("protocol", "TCP"),
        **chosen("pools", {"lb_algorithm": "ROUND_ROBIN", **wanted}),
        "healthmonitor_id": None,
        "tls_enabled": False,
    }
    store.pools.add(record)
    if listener:
        listener["default_pool_id"] = record["id"]
    with all_or_nothing(store, "pools", record):
        for member in wanted.get("members") or []:
            new_member(store, record, member)
        if wanted.get("healthmonitor"):
            new_healthmonitor(store, project, {**wanted["healthmonitor"], "pool_id": record["id"]})
    return record


def new_member(store: Store, pool: Record, wanted: Record) -> Record:
    check_quota(store, pool["project_id"], "member")
    if not wanted.get("address") or not wanted.get("protocol_port"):
        name = "address" if not wanted.get("address") else "protocol_port"
        raise Refusal(400, f"Invalid input for field/attribute {name}. Value: 'None'. Mandatory field missing.")
    address, port = wanted["address"], int(wanted["protocol_port"])
    if store.members.where(pool_id=pool["id"], address=address, protocol_port=port):
        raise Refusal(409, f"Another member on this pool is already using ip {address} on protocol_port {port}")
    record = {
        **common(pool["project_id"], wanted),
        "pool_id": pool["id"],
        "address": address,
        "protocol_port": port,
        "subnet_id": wanted.get("subnet_id"),
        **chosen("members", wanted),
        "vnic_type": "normal",
    }
    return store.members.add(record)


def new_healthmonitor(store: Store, project: str, wanted: Record) -> Record:
    check_quota(store, project, "health_monitor")
    pool = get(store, "pools", wanted.get("pool_id") or "")
    if pool["healthmonitor_id"]:
        raise Refusal(409, "This pool already has a health monitor")
    kind = wanted.get("type", "TCP")
    settings = chosen("healthmonitors", {"delay": 5, "timeout": 5, "max_retries": 3, **wanted})
    if kind not in ("HTTP", "HTTPS"):
        settings |= dict.fromkeys(("http_method", "url_path", "expected_codes"))
    record = {
        **common(project, wanted),
        "type": kind,
        **settings,
        "pool_id": pool["id"],
        "pools": [{"id": pool["id"]}],
    }
    pool["healthmonitor_id"] = record["id"]
    return store.healthmonitors.add(record)


def render(store: Store, kind: str, record: Record) -> Record:
    """A record as the API shows it, with the IDs of its dependents."""

    def ids(table: Table, **where: Any) -> list[Record]:
        return [{"id": item["id"]} for item in table.where(**where)]

    ident = record["id"]
    if kind == "loadbalancers":
        pools, listeners = ids(store.pools, loadbalancer_id=ident), ids(store.listeners, loadbalancer_id=ident)
        return {**record, "listeners": listeners, "pools": pools}
    if kind in ("listeners", "pools"):
        body = {**record, "loadbalancers": [{"id": record["loadbalancer_id"]}]}
        if kind == "pools":
            body |= {
                "members": ids(store.members, pool_id=ident),
                "listeners": ids(store.listeners, default_pool_id=ident),
            }
        del body["loadbalancer_id"]
        return body
    body = {name: value for name, value in record.items() if name != "pool_id"}
    if kind == "members" and not store.pools[record["pool_id"]]["healthmonitor_id"]:
        body["operating_status"] = "NO_MONITOR"
    return body


def loadbalancer_of(store: Store, kind: str, record: Record) -> str:
    if kind == "loadbalancers":
        return record["id"]
    if kind in ("members", "healthmonitors"):
        return store.pools[record["pool_id"]]["loadbalancer_id"]
    return record["loadbalancer_id"]


async def delete_loadbalancer(store: Store, ground: Ground, record: Record) -> None:
    """Delete the load balancer and everything below it; a floating IP of its VIP is disassociated."""
    forget(store, "loadbalancers", record)
    await ground.unbalance(record["vip_address"])
    if port := store.ports.get(record["vip_port_id"]):
        await delete_port(store, ground, port)


def forget(store: Store, kind: str, record: Record) -> None:
    """Delete the record and its dependents."""
    if kind == "loadbalancers":
        for name in ("pools", "listeners"):
            for item in table(store, name).where(loadbalancer_id=record["id"]):
                forget(store, name, item)
    if kind == "pools":
        for name in ("members", "healthmonitors"):
            for item in table(store, name).where(pool_id=record["id"]):
                del table(store, name)[item["id"]]
        for listener in store.listeners.where(default_pool_id=record["id"]):
            listener["default_pool_id"] = None
    if kind == "healthmonitors":
        store.pools[record["pool_id"]]["healthmonitor_id"] = None
    del table(store, kind)[record["id"]]
