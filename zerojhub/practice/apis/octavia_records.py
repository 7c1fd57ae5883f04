"""Octavia's records: load balancers, and the listeners, pools, members and monitors that hang on them."""

from __future__ import annotations

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


def within_quota(cloud: Cloud, project: str, resource: str) -> None:
    if cloud.over_quota("load-balancer", project, {resource: 1}):
        raise Refusal(403, "Quota has been met for resources: " + resource.replace("_", " ").title())


def new_loadbalancer(cloud: Cloud, project: str, wanted: Record) -> Record:
    """A load balancer with its VIP, and whatever listeners, pools and members the body holds."""
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
    for pool in wanted.get("pools") or []:
        new_pool(cloud, project, {**pool, "loadbalancer_id": record["id"]})
    for listener in wanted.get("listeners") or []:
        new_listener(cloud, project, {**listener, "loadbalancer_id": record["id"]})
    return record


def new_listener(cloud: Cloud, project: str, wanted: Record) -> Record:
    within_quota(cloud, project, "listener")
    loadbalancer = get(cloud, "loadbalancers", wanted.get("loadbalancer_id") or "")
    for other in cloud.listeners.where(loadbalancer_id=loadbalancer["id"], protocol_port=wanted.get("protocol_port")):
        taken = f"listener on port {other['protocol_port']}"
        raise Refusal(409, f"Another Listener on this Load Balancer is already using protocol_port: {taken}")
    record = {
        **common(project, wanted),
        "loadbalancer_id": loadbalancer["id"],
        "protocol": wanted.get("protocol", "TCP"),
        "protocol_port": int(wanted.get("protocol_port", 80)),
        "default_pool_id": wanted.get("default_pool_id"),
        "connection_limit": wanted.get("connection_limit", -1),
        "allowed_cidrs": wanted.get("allowed_cidrs"),
        "insert_headers": wanted.get("insert_headers") or {},
        "l7policies": [],
        "sni_container_refs": [],
        "default_tls_container_ref": None,
        "timeout_client_data": wanted.get("timeout_client_data", 50000),
        "timeout_member_connect": wanted.get("timeout_member_connect", 5000),
        "timeout_member_data": wanted.get("timeout_member_data", 50000),
        "timeout_tcp_inspect": wanted.get("timeout_tcp_inspect", 0),
    }
    cloud.listeners.add(record)
    if isinstance(wanted.get("default_pool"), dict):
        pool = {**wanted["default_pool"], "loadbalancer_id": loadbalancer["id"]}
        named = cloud.pools.where(name=pool.get("name"), loadbalancer_id=loadbalancer["id"]) if pool.get("name") else []
        record["default_pool_id"] = (named[0] if named else new_pool(cloud, project, pool))["id"]
    return record


def new_pool(cloud: Cloud, project: str, wanted: Record) -> Record:
    within_quota(cloud, project, "pool")
    listener = get(cloud, "listeners", wanted["listener_id"]) if wanted.get("listener_id") else None
    loadbalancer = listener["loadbalancer_id"] if listener else wanted.get("loadbalancer_id") or ""
    get(cloud, "loadbalancers", loadbalancer)
    record = {
        **common(project, wanted),
        "loadbalancer_id": loadbalancer,
        "protocol": wanted.get("protocol", "TCP"),
        "lb_algorithm": wanted.get("lb_algorithm", "ROUND_ROBIN"),
        "session_persistence": wanted.get("session_persistence"),
        "healthmonitor_id": None,
        "tls_enabled": False,
    }
    cloud.pools.add(record)
    if listener:
        listener["default_pool_id"] = record["id"]
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
    record = {
        **common(pool["project_id"], wanted),
        "pool_id": pool["id"],
        "address": wanted["address"],
        "protocol_port": int(wanted["protocol_port"]),
        "subnet_id": wanted.get("subnet_id"),
        "weight": wanted.get("weight", 1),
        "backup": False,
        "monitor_address": wanted.get("monitor_address"),
        "monitor_port": wanted.get("monitor_port"),
    }
    return cloud.members.add(record)


def new_healthmonitor(cloud: Cloud, project: str, wanted: Record) -> Record:
    pool = get(cloud, "pools", wanted.get("pool_id") or "")
    settings = {"type": "TCP", "delay": 5, "timeout": 5, "max_retries": 3, "max_retries_down": 3}
    web = {"http_method": None, "url_path": None, "expected_codes": None}
    chosen = {name: wanted.get(name, default) for name, default in {**settings, **web}.items()}
    record = {**common(project, wanted), **chosen, "pool_id": pool["id"], "pools": [{"id": pool["id"]}]}
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
    return {name: value for name, value in record.items() if name != "pool_id"}


def loadbalancer_of(cloud: Cloud, kind: str, record: Record) -> str:
    if kind == "loadbalancers":
        return record["id"]
    if kind in ("members", "healthmonitors"):
        return cloud.pools[record["pool_id"]]["loadbalancer_id"]
    return record["loadbalancer_id"]


async def delete_loadbalancer(cloud: Cloud, ground: Ground, record: Record) -> None:
    """The load balancer and all that hangs on it; a floating IP at its VIP stays, and leads nowhere."""
    for pool in cloud.pools.where(loadbalancer_id=record["id"]):
        forget(cloud, "pools", pool)
    for listener in cloud.listeners.where(loadbalancer_id=record["id"]):
        del cloud.listeners[listener["id"]]
    await ground.unbalance(record["vip_address"])
    if port := cloud.ports.get(record["vip_port_id"]):
        await delete_port(cloud, ground, port)
    del cloud.loadbalancers[record["id"]]


def forget(cloud: Cloud, kind: str, record: Record) -> None:
    if kind == "pools":
        for name in ("members", "healthmonitors"):
            for item in table(cloud, name).where(pool_id=record["id"]):
                del table(cloud, name)[item["id"]]
        for listener in cloud.listeners.where(default_pool_id=record["id"]):
            listener["default_pool_id"] = None
    if kind == "healthmonitors":
        cloud.pools[record["pool_id"]]["healthmonitor_id"] = None
    del table(cloud, kind)[record["id"]]
