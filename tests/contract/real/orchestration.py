"""A real Heat (API and engine) with the real Keystone. Stacks use the practice cloud's APIs for their resources."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.contract.clouds import Cloud
from tests.contract.real import installation
from tests.contract.real.cloud import SQLITE, Real, answers, serve, url_of, write
from tests.contract.real.processes import SECONDS

TABLES = """
import sys, sqlalchemy, heat.db.models as models
for table in models.BASE.metadata.tables.values():
    table.dialect_options["sqlite"]["autoincrement"] = True
models.BASE.metadata.create_all(sqlalchemy.create_engine(sys.argv[1]))
"""
"""Faster than Heat's migrations. As in MySQL, no ID is given twice: an update that follows at once deletes some by their IDs
after they are gone."""
ENGINE = Path(__file__).with_name("heat_engine.py")


@contextlib.contextmanager
def real_orchestration(real: Real) -> Iterator[Real]:
    """The real cloud with a Heat, until the real cloud stops."""
    installed, processes = installation.openstack(), real.processes
    folder = processes.folder / "heat"
    folder.mkdir()
    domain = make_domain(real.administrator(), real)
    database = f"sqlite:///{folder}/heat.db?timeout={SECONDS}"
    write(
        folder / ".heat" / "heat.conf",
        DEFAULT={
            "transport_url": real.broker,
            "host": "127.0.0.1",
            "num_engine_workers": 1,
            # By default it makes five times again what failed, and waits longer each time.
            "action_retry_limit": 0,
            "region_name_for_services": "practice",
            "server_keystone_endpoint_type": "public",
            **domain,
        },
        paste_deploy={"api_paste_config": installed / "etc" / "heat" / "api-paste.ini"},
        database={"connection": database, "sqlite_synchronous": False},
        keystone_authtoken=real.account,
        trustee=real.account,
        clients_keystone={"auth_uri": real.at("/identity")},
        oslo_concurrency={"lock_path": folder},
    )
    env = {"HOME": str(folder), "PYTHONPATH": str(SQLITE)}
    processes.finish(processes.start("heat-tables", installed / "bin" / "python", "-c", TABLES, database, env=env))
    processes.start("heat-engine", installed / "bin" / "python", ENGINE, env=env)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        serve(processes, installed, "heat", "heat.wsgi.api:application", listener, env)
        url = url_of(listener)
        # The catalog has the practice cloud's Heat.
        override = f"    orchestration_endpoint_override: {url}{real.heat.removeprefix('/orchestration')}\n"
        clouds = folder / "clouds.yaml"
        clouds.write_text(real.clouds.read_text() + override)
        cloud = dataclasses.replace(real, roots={**real.roots, "/orchestration": url}, clouds=clouds)
        processes.wait(lambda: answers(cloud.at("/orchestration")) and engine_is_up(folder / "heat.db"))
        yield cloud


def engine_is_up(database: Path) -> bool:
    """Whether the engine is ready. The API does not tell: without an engine its requests are lost after a minute."""
    with contextlib.closing(sqlite3.connect(database, timeout=SECONDS)) as records:
        return records.execute("SELECT count(*) FROM service").fetchone()[0] > 0


def make_domain(admin: httpx.Client, cloud: Cloud) -> dict[str, str]:
    """Create the domain for Heat's own users, and its admin, as in Heat's configuration."""
    keystone = cloud.at("/identity/v3")

    def create(kind: str, **fields: object) -> str:
        answer = admin.post(f"{keystone}/{kind}s", json={kind: fields})
        answer.raise_for_status()
        return answer.json()[kind]["id"]

    password = secrets.token_urlsafe(16)
    domain = create("domain", name="heat")
    user = create("user", name="heat_domain_admin", password=password, domain_id=domain)
    create("role", name="heat_stack_user")
    role = admin.get(f"{keystone}/roles?name=admin").json()["roles"][0]["id"]
    admin.put(f"{keystone}/domains/{domain}/users/{user}/roles/{role}").raise_for_status()
    return {
        "stack_user_domain_id": domain,
        "stack_domain_admin": "heat_domain_admin",
        "stack_domain_admin_password": password,
    }
