"""Octavia's records: load balancers, and the listeners, pools, members and monitors that hang on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zerojhub.practice.apis import neutron_records
from zerojhub.practice.apis.balance import VIP_OWNER
from zerojhub.practice.apis.cloud import Cloud, Record, Table, new_id, now
from zerojhub.practice.apis.neutron_floatingips import delete_port
from zerojhub.practice.apis.wire import Refusal
from zerojhub.practice.ground import Ground

SECONDS = "%Y-%m-%dT%H:%M:%S"
NAMES = {
    "loadbalancers": ("loadbalancer", "Load Balancer"),
    "listeners": ("listener", "Listener"),
    "pools": ("pool", "Pool"),
    "members": ("member", "Member"),
    "healthmonitors": ("healthmonitor", "Health Monitor"),
}

# What may be changed of each, and what it has when null is sent for it, as clients do to unset it.
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


def table(cloud: Cloud, kind: str) -> Table:
    if kind not in NAMES:
        raise Refusal(404, "Not Found")
    return getattr(cloud, kind)


def get(cloud: Cloud, kind: str, ident: str) -> Record:
    record = table(cloud, kind).get(ident)
    if not record:
        raise Refusal(404, f"{NAMES[kind][1]} {ident} not found.")
    return record


def common(project: str, wanted: Record) -> Record:
    """What every Octavia record has. Provisioning ends before the answer: nobody has to wait for it here."""
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
    """What is wanted of all that may be changed later on, with the defaults for the rest."""
    return {name: default if wanted.get(name) is None else wanted[name] for name, default in CHANGEABLE[kind].items()}


def revise(kind: str, record: Record, wanted: Record) -> None:
    """Change what may be changed of the record."""
    texts = {"name": "", "admin_state_up": True, "tags": []} | ({} if kind == "members" else {"description": ""})
    for name, default in {**texts, **CHANGEABLE[kind]}.items():
        if name in wanted:
            record[name] = default if wanted[name] is None else wanted[name]
    record["updated_at"] = now(SECONDS)


def check_default_pool(cloud: Cloud, wanted: Record) -> None:
    """Raises Refusal (404) when a listener is to send to a pool that is none."""
    if wanted.get("default_pool_id"):
        get(cloud, "pools", wanted["default_pool_id"])


def within_quota(cloud: Cloud, project: str, resource: str) -> None:
    if cloud.over_quota("load-balancer", project, {resource: 1}):
        raise Refusal(403, "Quota has been met for resources: " + resource.replace("_", " ").title())


@contextmanager
def whole(cloud: Cloud, kind: str, record: Record, *, port: str | None = None) -> Iterator[None]:
    """A record, and the port that was made for it, go again when what hangs on it is refused."""
    try:
        yield
    except Refusal:
        forget(cloud, kind, record)
        cloud.ports.pop(port or "", None)
        raise


def new_loadbalancer(cloud: Cloud, project: str, wanted: Record) -> Record:
    """A load balancer with its VIP, and whatever listeners, pools and members the body holds: all of it or nothing."""
    within_quota(cloud, project, "load_balancer")
    subnet = cloud.subnets.get(wanted.get("vip_subnet_id") or "")
    network = cloud.networks.get(wanted.get("vip_network_id") or (subnet or {}).get("network_id") or "")
    port = cloud.ports.get(wanted.get("vip_port_id") or "")
    if port:
        network = cloud.networks[port["network_id"]]
    if not network:
        raise Refusal(400, "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
    record = common(project, wanted)
    owner = {"device_id": f"lb-{record['id']}", "device_owner": VIP_OWNER}
    own = not port
    if port:
        port |= owner
    else:
        name = f"octavia-lb-{record['id']}"
        port = neutron_records.new_port(cloud, project, network, name, wanted.get("vip_address") or "", **owner)
    record |= {
        "vip_port_id": port["id"],
        "vip_address": port["fixed_ips"][0]["ip_address"],
        "vip_subnet_id": port["fixed_ips"][0]["subnet_id"],
        "vip_network_id": network["id"],
        "vip_qos_policy_id": None,
        "vip_vnic_type": "normal",
        "additional_vips": [],
        "provider": cloud.profile.load_balancer_providers[0].name,
        "flavor_id": None,
        "availability_zone": None,
    }
    cloud.loadbalancers.add(record)
    with whole(cloud, "loadbalancers", record, port=port["id"] if own else None):
        for pool in wanted.get("pools") or []:
            new_pool(cloud, project, {**pool, "loadbalancer_id": record["id"]})
        for listener in wanted.get("listeners") or []:
            new_listener(cloud, project, {**listener, "loadbalancer_id": record["id"]})
    return record


def new_listener(cloud: Cloud, project: str, wanted: Record) -> Record:
    within_quota(cloud, project, "listener")
    loadbalancer = get(cloud, "loadbalancers", wanted.get("loadbalancer_id") or "")
    check_default_pool(cloud, wanted)
    port, protocol = int(wanted.get("protocol_port", 80)), wanted.get("protocol", "TCP")
    for other in cloud.listeners.where(loadbalancer_id=loadbalancer["id"], protocol_port=port):
        # UDP and SCTP have ports of their own; all else is TCP beneath.
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
    cloud.listeners.add(record)
    if isinstance(wanted.get("default_pool"), dict):
        pool = {**wanted["default_pool"], "loadbalancer_id": loadbalancer["id"]}
        named = cloud.pools.where(name=pool.get("name"), loadbalancer_id=loadbalancer["id"]) if pool.get("name") else []
        with whole(cloud, "listeners", record):
            record["default_pool_id"] = (named[0] if named else new_pool(cloud, project, pool))["id"]
    return record


def new_pool(cloud: Cloud, project: str, wanted: Record) -> Record:
    within_quota(cloud, project, "pool")
    listener = get(cloud, "listeners", wanted["listener_id"]) if wanted.get("listener_id") else None
    loadbalancer = listener["loadbalancer_id"] if listener else wanted.get("loadbalancer_id") or ""
    get(cloud, "loadbalancers", loadbalancer)
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
    cloud.pools.add(record)
    if listener:
        listener["default_pool_id"] = record["id"]
    with whole(cloud, "pools", record):
        for member in wanted.get("members") or []:
            new_member(cloud, record, member)
        if wanted.get("healthmonitor"):
            new_healthmonitor(cloud, project, {**wanted["healthmonitor"], "pool_id": record["id"]})
    return record


def new_member(cloud: Cloud, pool: Record, wanted: Record) -> Record:
    within_quota(cloud, pool["project_id"], "member")
    if not wanted.get("address") or not wanted.get("protocol_port"):
        name = "address" if not wanted.get("address") else "protocol_port"
        raise Refusal(400, f"Invalid input for field/attribute {name}. Value: 'None'. Mandatory field missing.")
    address, port = wanted["address"], int(wanted["protocol_port"])
    if cloud.members.where(pool_id=pool["id"], address=address, protocol_port=port):
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
    return cloud.members.add(record)


def new_healthmonitor(cloud: Cloud, project: str, wanted: Record) -> Record:
    within_quota(cloud, project, "health_monitor")
    pool = get(cloud, "pools", wanted.get("pool_id") or "")
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
    return cloud.healthmonitors.add(record)


def shown(cloud: Cloud, kind: str, record: Record) -> Record:
    """A record with the ids of what hangs on it."""

    def ids(table: Table, **where: Any) -> list[Record]:
        return [{"id": item["id"]} for item in table.where(**where)]

    ident = record["id"]
    if kind == "loadbalancers":
        pools, listeners = ids(cloud.pools, loadbalancer_id=ident), ids(cloud.listeners, loadbalancer_id=ident)
        return {**record, "listeners": listeners, "pools": pools}
    if kind in ("listeners", "pools"):
        body = {**record, "loadbalancers": [{"id": record["loadbalancer_id"]}]}
        if kind == "pools":
            body |= {
                "members": ids(cloud.members, pool_id=ident),
                "listeners": ids(cloud.listeners, default_pool_id=ident),
            }
        del body["loadbalancer_id"]
        return body
    body = {name: value for name, value in record.items() if name != "pool_id"}
    if kind == "members" and not cloud.pools[record["pool_id"]]["healthmonitor_id"]:
        body["operating_status"] = "NO_MONITOR"
    return body


def loadbalancer_of(cloud: Cloud, kind: str, record: Record) -> str:
    if kind == "loadbalancers":
        return record["id"]
    if kind in ("members", "healthmonitors"):
        return cloud.pools[record["pool_id"]]["loadbalancer_id"]
    return record["loadbalancer_id"]


async def delete_loadbalancer(cloud: Cloud, ground: Ground, record: Record) -> None:
    """The load balancer and all that hangs on it; a floating IP at its VIP stays, and leads nowhere."""
    forget(cloud, "loadbalancers", record)
    await ground.unbalance(record["vip_address"])
    if port := cloud.ports.get(record["vip_port_id"]):
        await delete_port(cloud, ground, port)


def forget(cloud: Cloud, kind: str, record: Record) -> None:
    """The record, and what cannot be without it."""
    if kind == "loadbalancers":
        for name in ("pools", "listeners"):
            for item in table(cloud, name).where(loadbalancer_id=record["id"]):
                forget(cloud, name, item)
    if kind == "pools":
        for name in ("members", "healthmonitors"):
            for item in table(cloud, name).where(pool_id=record["id"]):
                del table(cloud, name)[item["id"]]
        for listener in cloud.listeners.where(default_pool_id=record["id"]):
            listener["default_pool_id"] = None
    if kind == "healthmonitors":
        cloud.pools[record["pool_id"]]["healthmonitor_id"] = None
    del table(cloud, kind)[record["id"]]
