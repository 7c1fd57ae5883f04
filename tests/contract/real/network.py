"""A real Neutron with the real Keystone: only the API, without agents."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx

from tests.contract.clouds import Cloud
from tests.contract.ground import InstantGround
from tests.contract.real import installation
from tests.contract.real.cloud import Real, answers, serve, url_of, write
from tests.contract.real.processes import SECONDS

TABLES = """
import sys, sqlalchemy, neutron.db.migration.models.head as head
head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
"""
"""Neutron's migrations do not support SQLite, so this creates the tables from its models."""


@contextlib.contextmanager
def real_network(real: Real) -> Iterator[Cloud]:
    """The real cloud with a Neutron that has the practice cloud's networks, until the real cloud stops."""
    installed, processes = installation.openstack(), real.processes
    folder = processes.folder / "neutron"
    database = f"sqlite:///{folder}/neutron.db?timeout={SECONDS}"
    write(
        folder / "neutron.conf",
        DEFAULT={
            "core_plugin": "ml2",
            "service_plugins": "router",
            "transport_url": "fake://",
            "state_path": folder,
            "api_paste_config": installed / "etc" / "neutron" / "api-paste.ini",
        },
        database={"connection": database, "sqlite_synchronous": False},
        ml2={
            "type_drivers": "local",
            "tenant_network_types": "local",
            "mechanism_drivers": "",
            "extension_drivers": "port_security",
        },
        keystone_authtoken=real.account,
        oslo_concurrency={"lock_path": folder},
    )
    env = {"HOME": str(folder), "OS_NEUTRON_CONFIG_DIR": str(folder), "OS_NEUTRON_CONFIG_FILES": "neutron.conf"}
    processes.finish(processes.start("neutron-tables", installed / "bin" / "python", "-c", TABLES, database, env=env))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        serve(processes, installed, "neutron", "neutron.wsgi.api:application", listener, env)
        cloud = Cloud({**real.roots, "/network": url_of(listener)}, real.clouds)
        processes.wait(lambda: answers(cloud.at("/network")))
        make_networks(real.administrator(), cloud)
        yield cloud


def make_networks(admin: httpx.Client, cloud: Cloud) -> None:
    """Create what the practice cloud starts with: an external network, and a project network with a router."""

    def create(client: httpx.Client, kind: str, **fields: object) -> str:
        answer = client.post(cloud.at(f"/network/v2.0/{kind}s"), json={kind.replace("-", "_"): fields})
        answer.raise_for_status()
        return answer.json()[kind.replace("-", "_")]["id"]

    # Migrations, which are not run, would have made these.
    every = {"direction": "egress", "used_in_default_sg": True, "used_in_non_default_sg": True}
    group = {
        "direction": "ingress",
        "remote_group_id": "PARENT",
        "used_in_default_sg": True,
        "used_in_non_default_sg": False,
    }
    for rule in (every, group):
        for version in ("IPv4", "IPv6"):
            create(admin, "default-security-group-rule", ethertype=version, **rule)
    ground, own = InstantGround, cloud.client()
    public = create(admin, "network", name="public", **{"router:external": True, "is_default": True})
    outside = {"cidr": ground.public_network, "ip_version": 4, "enable_dhcp": False}
    create(admin, "subnet", network_id=public, name="public-subnet", **outside)
    private = create(own, "network", name="private")
    inside = {"cidr": ground.network, "gateway_ip": ground.gateway, "ip_version": 4}
    subnet = create(own, "subnet", network_id=private, name="private-subnet", **inside)
    router = create(own, "router", name="router", external_gateway_info={"network_id": public})
    path = cloud.at(f"/network/v2.0/routers/{router}/add_router_interface")
    own.put(path, json={"subnet_id": subnet}).raise_for_status()
