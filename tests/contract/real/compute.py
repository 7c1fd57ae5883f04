"""A real Nova with the real Keystone, Placement and all Nova processes.

It uses Nova's own fake driver, which tracks the state of servers but boots nothing.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.contract.clouds import Cloud
from tests.contract.real import installation
from tests.contract.real.cloud import SQLITE, Real, answers, serve, url_of, write
from tests.contract.real.processes import SECONDS


@contextlib.contextmanager
def real_compute(real: Real, flavors: list[dict]) -> Iterator[Cloud]:
    """The real cloud with a Nova that has these flavors, until the real cloud stops."""
    installed, processes = installation.openstack(), real.processes
    with contextlib.ExitStack() as sockets:
        api, placement = (sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _ in range(2))
        start_placement(real, installed, placement)
        folder = processes.folder / "nova"
        configure(real, installed, folder, url_of(placement))
        env = {"HOME": str(folder), "OS_NOVA_CONFIG_DIR": str(folder), "PYTHONPATH": str(SQLITE)}
        env["OS_NOVA_CONFIG_FILES"] = f"{installed}/etc/nova/api-paste.ini;nova.conf"

        def manage(*command: str) -> None:
            argv: tuple[str | Path, ...] = (
                installed / "bin" / "nova-manage",
                "--config-file",
                folder / "nova.conf",
                *command,
            )
            processes.finish(processes.start("nova-manage", *argv, env=env))

        manage("api_db", "sync")
        manage("cell_v2", "map_cell0", "--database_connection", database(folder, "cell0"))
        manage("db", "sync")
        manage("cell_v2", "create_cell", "--name", "cell1")
        for name in ("nova-conductor", "nova-scheduler", "nova-compute"):
            processes.start(name, installed / "bin" / name, "--config-file", folder / "nova.conf", env=env)
        serve(processes, installed, "nova", "nova.wsgi.osapi_compute:application", api, env)
        cloud = Cloud({**real.roots, "/compute": url_of(api)}, real.clouds)
        processes.wait(lambda: answers(cloud.at("/compute")))
        admin = real.administrator()
        processes.wait(lambda: compute_is_up(admin, cloud))
        manage("cell_v2", "discover_hosts")
        for flavor in flavors:
            admin.post(cloud.at("/compute/v2.1/flavors"), json={"flavor": flavor}).raise_for_status()
        yield cloud


def database(folder: Path, name: str) -> str:
    return f"sqlite:///{folder}/{name}.db?timeout={SECONDS}"


def start_placement(real: Real, installed: Path, listener: socket.socket) -> None:
    folder = real.processes.folder / "placement"
    write(
        folder / "placement.conf",
        DEFAULT={"state_path": folder},
        api={"auth_strategy": "keystone"},
        keystone_authtoken=real.account,
        placement_database={"connection": database(folder, "placement"), "sync_on_startup": True},
    )
    env = {"HOME": str(folder), "OS_PLACEMENT_CONFIG_DIR": str(folder), "PYTHONPATH": str(SQLITE)}
    serve(real.processes, installed, "placement", "placement.wsgi.api:application", listener, env)


def configure(real: Real, installed: Path, folder: Path, placement: str) -> None:
    account = {name: value for name, value in real.account.items() if name != "www_authenticate_uri"}
    write(
        folder / "nova.conf",
        DEFAULT={
            "transport_url": real.broker,
            "state_path": folder,
            "host": "compute",
            "my_ip": "127.0.0.1",
            "compute_driver": "fake.FakeDriver",
            "report_interval": 2,
            # There is one computer, and a server that is resized has to go somewhere.
            "allow_resize_to_same_host": True,
        },
        api={"auth_strategy": "keystone"},
        wsgi={"api_paste_config": installed / "etc" / "nova" / "api-paste.ini"},
        api_database={"connection": database(folder, "api"), "sqlite_synchronous": False},
        database={"connection": database(folder, "cell1"), "sqlite_synchronous": False},
        keystone_authtoken=real.account,
        service_user={**account, "send_service_user_token": True},
        placement={**account, "endpoint_override": placement},
        glance={"endpoint_override": real.at("/image")},
        neutron={**account, "endpoint_override": real.at("/network")},
        cinder=account,
        conductor={"workers": 1},
        scheduler={"workers": 1},
        vnc={"enabled": False},
        oslo_concurrency={"lock_path": folder},
    )


def compute_is_up(admin: httpx.Client, cloud: Cloud) -> bool:
    services = admin.get(cloud.at("/compute/v2.1/os-services")).json()["services"]
    return ("nova-compute", "up") in [(service["binary"], service["state"]) for service in services]
