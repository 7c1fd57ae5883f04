"""A real Keystone and a real Magnum on loopback. The practice cloud's APIs serve as the other services."""

from __future__ import annotations

import configparser
import contextlib
import functools
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from tests.contract.clouds import PASSWORD, Cloud, clouds_yaml, served
from tests.contract.ground import InstantGround
from tests.contract.real import installation
from tests.contract.real.processes import SECONDS, Processes
from zerojhub.practice.cloud.app import build_app
from zerojhub.practice.cloud.settings import Settings
from zerojhub.practice.cloud.store import Store, Token

DRIVER = Path(__file__).with_name("driver")
SQLITE = Path(__file__).with_name("sqlite")
"""Added to PYTHONPATH for services with several threads or processes that write to one SQLite database."""
TABLES = """
import sys, sqlalchemy, magnum.db.sqlalchemy.models as models
models.Base.metadata.create_all(sqlalchemy.create_engine(sys.argv[1]))
"""
"""Magnum's migrations do not support SQLite, so this creates the tables from its models."""


@dataclass
class Real(Cloud):
    """What its services, and further services that join them, need to start.

    `held` is the file that the clusters' driver checks; `account` is a service's Keystone login; `broker` is the URL
    for messages between a service's processes.
    """

    held: Path
    processes: Processes
    account: dict[str, str]
    broker: str

    @property
    def admin_password(self) -> str:
        return self.account["password"]

    def hold(self) -> None:
        self.held.touch()

    def let_go(self) -> None:
        self.held.unlink(missing_ok=True)


@contextlib.contextmanager
def real_cloud(folder: Path) -> Iterator[Real]:
    """A new cloud with the practice cloud's user, project and templates, until the block ends."""
    installed = installation.openstack()
    keystone, magnum = (socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(2))
    roots = {"/identity": url_of(keystone), "/container-infra": url_of(magnum)}
    password = secrets.token_urlsafe(16)
    others = build_app(InstantGround(), Settings(PASSWORD, folder / "audit.jsonl"))
    with keystone, magnum, served(others) as url, Processes(folder) as processes:
        account = service_account(roots["/identity"], password)
        clouds = clouds_yaml(folder, roots["/identity"])
        broker = f"rabbit://guest:guest@127.0.0.1:{start_broker(processes)}//"
        cloud = Real({**roots, "": url}, clouds, folder / "held", processes, account, broker)
        start_magnum(processes, installed, magnum, cloud)
        start_keystone(processes, installed, keystone, password)
        processes.wait(lambda: all(answers(root) for root in roots.values()))
        admin = cloud.administrator()
        make_project(admin, cloud, others.state.store, catalog(url))
        take_tokens_of(cloud, others.state.store)
        processes.wait(lambda: conductor_is_up(admin, cloud))
        make_templates(admin, cloud, others.state.store)
        yield cloud


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.TransportError:
        return False


def write(path: Path, **sections: Mapping[str, object]) -> None:
    """Write an oslo.config file."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_dict(sections)
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        config.write(file)


# -- processes ----------------------------------------------------------------------------------------------------------


def start_broker(processes: Processes) -> int:
    """Start RabbitMQ, with an Erlang port mapper of its own. Returns the AMQP port."""
    mapper, distribution, amqp = free_port(), free_port(), free_port()
    base = processes.folder / "rabbitmq"
    base.mkdir()
    erlang = {"HOME": str(base), "ERL_EPMD_PORT": str(mapper), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    settings = {
        "RABBITMQ_NODENAME": f"contract-{amqp}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(amqp),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(base),
        "RABBITMQ_LOG_BASE": str(base),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONF_ENV_FILE": str(base / "none"),
        "RABBITMQ_CONFIG_FILE": str(base / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
    }
    processes.start("epmd", "epmd", env=erlang)
    processes.start("rabbitmq", installation.BROKER, env={**erlang, **settings})
    return amqp


def start_keystone(processes: Processes, installed: Path, listener: socket.socket, password: str) -> None:
    folder = processes.folder / "keystone"
    write(
        folder / "keystone.conf",
        database={"connection": f"sqlite:///{folder}/keystone.db", "sqlite_synchronous": False},
        fernet_tokens={"key_repository": folder / "keys"},
        # Bootstrap reads this one as well; its default is a folder in /etc.
        fernet_receipts={"key_repository": folder / "keys"},
        # As few rounds of bcrypt as there can be: each takes time, and here is nothing to protect.
        identity={"password_hash_rounds": 4},
        cache={"enabled": True, "backend": "dogpile.cache.memory_pickle"},
    )
    env = {"OS_KEYSTONE_CONFIG_DIR": str(folder), "HOME": str(folder)}
    manage = (installed / "bin" / "keystone-manage", "--config-file", folder / "keystone.conf")
    (folder / "keys").mkdir(mode=0o700)
    for number in ("0", "1"):
        (folder / "keys" / number).write_bytes(Fernet.generate_key())
    processes.finish(processes.start("keystone-tables", *manage, "db_sync", env=env))
    bootstrap = ("bootstrap", "--bootstrap-project-name", "service", "--bootstrap-region-id", "practice")
    own = f"{url_of(listener)}/v3"
    endpoints = (f"--bootstrap-{kind}-url={own}" for kind in ("public", "internal", "admin"))
    secret = {"OS_BOOTSTRAP_PASSWORD": password}
    processes.finish(processes.start("keystone-bootstrap", *manage, *bootstrap, *endpoints, env=env | secret))
    serve(processes, installed, "keystone", "keystone.wsgi.api:application", listener, env)


def service_account(keystone: str, password: str) -> dict[str, str]:
    """A service's Keystone login, as options for keystonemiddleware."""
    return {
        "auth_url": f"{keystone}/v3",
        "www_authenticate_uri": f"{keystone}/v3",
        "auth_type": "password",
        "username": "admin",
        "password": password,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


def start_magnum(processes: Processes, installed: Path, listener: socket.socket, cloud: Real) -> None:
    folder = processes.folder / "magnum"
    folder.mkdir()
    database = f"sqlite:///{folder}/magnum.db?timeout={SECONDS}"
    write(
        folder / ".magnum" / "magnum.conf",
        DEFAULT={
            "transport_url": cloud.broker,
            "state_path": folder,
            "host": "127.0.0.1",
        },
        api={"api_paste_config": installed / "etc" / "magnum" / "api-paste.ini"},
        conductor={"workers": 1},
        database={"connection": database, "sqlite_synchronous": False},
        certificates={"cert_manager_type": "x509keypair"},
        keystone_authtoken=cloud.account,
        keystone_auth=cloud.account,
        oslo_concurrency={"lock_path": folder},
    )
    env = {"HOME": str(folder), "PYTHONPATH": str(DRIVER), "PRACTICE_DRIVER_HELD": str(cloud.held)}
    processes.finish(processes.start("magnum-tables", installed / "bin" / "python", "-c", TABLES, database, env=env))
    processes.start("magnum-conductor", installed / "bin" / "magnum-conductor", env=env)
    serve(processes, installed, "magnum", "magnum.wsgi.api:application", listener, env)


def serve(
    processes: Processes, installed: Path, name: str, app: str, listener: socket.socket, env: dict[str, str]
) -> None:
    """Serve a WSGI application on a socket that is already listening, so that no one else can take the port."""
    config = processes.folder / name / "gunicorn.py"
    config.write_text(f"wsgi_app = {app!r}\nbind = 'fd://{listener.fileno()}'\nthreads = 4\n")
    # Both services read the arguments of the program that they are in, so that it is given none.
    env = {**env, "GUNICORN_CMD_ARGS": f"--config {config}"}
    processes.start(name, installed / "bin" / "gunicorn", env=env, pass_fds=(listener.fileno(),))


# -- contents -----------------------------------------------------------------------------------------------------------


def catalog(url: str) -> list[dict]:
    """The services in the practice cloud's catalog."""
    practice = Cloud({"": url}, Path())
    return practice.token().json()["token"]["catalog"]


def make_project(admin: httpx.Client, cloud: Real, records: Store, services: list[dict]) -> None:
    """Create what the practice cloud starts with: a user with roles in a project, and a service catalog."""
    keystone = cloud.at("/identity/v3")

    def create(kind: str, **fields: object) -> str:
        answer = admin.post(f"{keystone}/{kind}s", json={kind: fields})
        answer.raise_for_status()
        return answer.json()[kind]["id"]

    theirs = records.projects.named("practice")[0]["id"]
    project = create("project", name="practice")
    user = create("user", name="practice", password=PASSWORD, default_project_id=project)
    create("role", name="load-balancer_member")
    roles = {role["name"]: role["id"] for role in admin.get(f"{keystone}/roles").json()["roles"]}
    for name in ("member", "reader", "load-balancer_member"):
        admin.put(f"{keystone}/projects/{project}/users/{user}/roles/{roles[name]}").raise_for_status()
    for service in services:
        if service["type"] == "identity":
            continue
        ident = create("service", name=service["name"], type=service["type"])
        for endpoint in service["endpoints"]:
            url = cloud.at(httpx.URL(endpoint["url"]).path.replace(theirs, "%(project_id)s"))
            create("endpoint", service_id=ident, interface=endpoint["interface"], region_id="practice", url=url)


def take_tokens_of(cloud: Real, records: Store) -> None:
    """Make the practice cloud's APIs accept the real Keystone's tokens, all as their own user."""
    user = records.users.named("practice")[0]
    token = records.issue(user["id"], ["password"], user["default_project_id"])

    @functools.cache
    def valid_token(ident: str) -> Token | None:
        headers = {"X-Auth-Token": ident, "X-Subject-Token": ident}
        return (
            token if httpx.get(cloud.at("/identity/v3/auth/tokens"), headers=headers, timeout=10).is_success else None
        )

    records.valid_token = valid_token  # type: ignore[method-assign]  # this cloud has its tokens from elsewhere


def conductor_is_up(admin: httpx.Client, cloud: Real) -> bool:
    services = admin.get(cloud.at("/container-infra/v1/mservices")).json()["mservices"]
    return [service["state"] for service in services] == ["up"]


def make_templates(admin: httpx.Client, cloud: Real, records: Store) -> None:
    """Create the practice cloud's templates in the real Magnum, as public ones, which takes an admin."""
    given = ("uuid", "project_id", "user_id", "created_at", "updated_at", "cluster_distro")
    for template in records.templates.values():
        body = {name: value for name, value in template.items() if name not in given and value is not None}
        answer = admin.post(cloud.at("/container-infra/v1/clustertemplates"), json=body)
        answer.raise_for_status()
