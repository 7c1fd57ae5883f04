"""A real Designate with the real Keystone: its API, central, producer, worker and mini-DNS in one process."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.contract.clouds import Cloud
from tests.contract.ground import InstantGround
from tests.contract.real import installation
from tests.contract.real.cloud import SQLITE, Real, answers, free_port, serve, url_of, write
from tests.contract.real.processes import SECONDS

ALONE = Path(__file__).with_name("designate")
"""The module that starts all of Designate's services."""


@contextlib.contextmanager
def real_dns(real: Real) -> Iterator[Cloud]:
    """The real cloud with a Designate, until the real cloud stops."""
    installed, processes = installation.openstack(), real.processes
    folder = processes.folder / "designate"
    folder.mkdir()
    database = f"sqlite:///{folder}/designate.db?timeout={SECONDS}"
    own, secondary = free_port(), free_port()
    server = {"host": "127.0.0.1", "port": secondary}
    pool = {
        "name": "default",
        "description": "default",
        "attributes": {},
        "ns_records": [{"hostname": f"{InstantGround.gateway}.", "priority": 1}],
        "nameservers": [server],
        "targets": [
            {
                "type": "fake",
                "description": "a name server that takes every zone",
                "masters": [{"host": "127.0.0.1", "port": own}],
                "options": server,
            }
        ],
    }
    (folder / "pools.yaml").write_text(json.dumps([pool]))
    shutil.copy(installed / "etc" / "designate" / "api-paste.ini", folder)
    settings: dict[str, Mapping[str, object]] = {
        "DEFAULT": {"transport_url": "fake:/", "state_path": folder, "network_api": "fake"},
        "storage:sqlalchemy": {"connection": database, "sqlite_synchronous": False},
        "service:api": {"auth_strategy": "keystone", "enable_host_header": True},
        "service:mdns": {"listen": f"127.0.0.1:{own}"},
        "service:worker": {"poll_delay": 1, "poll_retry_interval": 1},
        "producer_task:increment_serial": {"interval": 1},
        "producer_task:delayed_notify": {"interval": 1},
        "keystone_authtoken": real.account,
        "oslo_concurrency": {"lock_path": folder},
    }
    write(folder / "designate.conf", **settings)
    env = {"HOME": str(folder), "OS_DESIGNATE_CONFIG_DIR": str(folder)}
    manage = (installed / "bin" / "designate-manage", "--config-file", folder / "designate.conf")
    processes.finish(processes.start("designate-tables", *manage, "database", "sync", env=env))
    env |= {"PYTHONPATH": f"{ALONE}:{SQLITE}", "MINI_DNS": str(own), "NAME_SERVER": str(secondary)}
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        serve(processes, installed, "designate", "designate_alone:application", listener, env)
        cloud = Cloud({**real.roots, "/dns": url_of(listener)}, real.clouds)
        processes.wait(lambda: answers(cloud.at("/dns")))
        yield cloud
