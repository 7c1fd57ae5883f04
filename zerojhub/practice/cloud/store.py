"""The records of all OpenStack services, in memory until the practice cloud stops."""

from __future__ import annotations

import ipaddress
import secrets
import string
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zerojhub.practice.cloud import services
from zerojhub.practice.faults import Break, Faults
from zerojhub.practice.profile import Profile

if TYPE_CHECKING:
    from zerojhub.practice.cloud.designate.records import Published

Record = dict[str, Any]

DOMAIN = {"id": "default", "name": "Default", "description": "The default domain", "enabled": True, "options": {}}
COUNTED = {"compute": "instances", "volume": "volumes", "network": "floatingip", "load-balancer": "load_balancer"}
"""The quotas that services run out of on purpose."""
TOKEN_LIFE = timedelta(hours=1)


def new_id() -> str:
    return str(uuid.uuid4())


def hex_id() -> str:
    """An ID without dashes, as Keystone uses."""
    return uuid.uuid4().hex


def short_id() -> str:
    """Twelve random lower-case letters and digits, as Magnum and Heat append to names."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))


def dotted(version: tuple[int, int]) -> str:
    """A microversion as a string."""
    return f"{version[0]}.{version[1]}"


def words(text: str) -> tuple[str, ...]:
    """Split a string into names, to keep long lists short."""
    return tuple(text.split())


def now(form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """The current time in UTC, in a service's format."""
    return datetime.now(UTC).strftime(form)


class Table(dict[str, Record]):
    """Records of one kind by ID, oldest first."""

    def add(self, record: Record, key: str = "id") -> Record:
        self[record[key]] = record
        return record

    def named(self, name: str) -> list[Record]:
        return [record for record in self.values() if record["name"] == name]

    def find(self, ident: str) -> list[Record]:
        """The record with this ID, or all with this name."""
        return [self[ident]] if ident in self else self.named(ident)

    def where(self, **wanted: Any) -> list[Record]:
        return [record for record in self.values() if all(record.get(key) == value for key, value in wanted.items())]


@dataclass
class Token:
    """A token: its user, and the project that it is scoped to, if any."""

    id: str
    user: str
    methods: list[str]
    expires: datetime
    issued: datetime
    project: str | None = None
    trust: Record | None = None
    application_credential: Record | None = None
    audit_ids: list[str] = field(default_factory=lambda: [secrets.token_urlsafe(16)])

    @property
    def holder(self) -> str:
        """Who uses the token: with a trust, the trustee instead of the user it acts as."""
        return self.trust["trustee_user_id"] if self.trust else self.user


class Store:
    """All records, as tables that the services read and write. Independent of HTTP."""

    def __init__(self, name: str, profile: Profile, network: str, gateway: str, public_network: str):
        self.region, self.profile = name, profile
        self.network, self.gateway, self.public_network = network, gateway, public_network
        self.faults = Faults()
        self.quotas: dict[str, dict[str, int]] = profile.quotas.model_dump(by_alias=True)
        self.tokens: dict[str, Token] = {}
        self.passwords: dict[str, str] = {}
        self.users, self.projects, self.roles = Table(), Table(), Table()
        self.application_credentials, self.access_rules, self.trusts = Table(), Table(), Table()
        self.ec2_credentials = Table()
        self.administrators: set[str] = set()
        """The IDs of users who have the role `admin`. Only Keystone and Magnum ask for it."""
        self.admin_role: Record = {
            "id": hex_id(),
            "name": "admin",
            "domain_id": None,
            "description": None,
            "options": {},
        }
        self.flavors, self.images, self.keypairs = Table(), Table(), Table()
        self.servers, self.server_groups = Table(), Table()
        self.server_events: list[Record] = []
        self.networks, self.subnets, self.routers, self.ports = Table(), Table(), Table(), Table()
        self.security_groups, self.security_group_rules, self.floatingips = Table(), Table(), Table()
        self.subnetpools = Table()
        self.volumes, self.volume_types, self.attachments, self.snapshots = Table(), Table(), Table(), Table()
        self.loadbalancers, self.listeners, self.pools = Table(), Table(), Table()
        self.members, self.healthmonitors = Table(), Table()
        self.zones, self.recordsets = Table(), Table()
        self.published: dict[str, Published] = {}
        """The zones as the name server has them, by their names in small letters."""
        self.stacks, self.templates, self.clusters = Table(), Table(), Table()
        self.cluster_quotas = Table()
        """Magnum's quotas that an administrator has set, by project."""
        self.consoles: dict[str, str] = {}
        """The console logs of servers whose machines do not boot, by the server's ID."""
        # Heat shows deleted stacks by ID until they are purged; here the last hundred are kept.
        self.deleted_stacks: deque[Record] = deque(maxlen=100)

    def has(self, root: str) -> bool:
        """Is the service with this root in the catalog?"""
        return root in {services.roots()[service.type] for service in self.profile.services}

    @property
    def zone(self) -> str:
        """The availability zone of all resources."""
        return self.profile.availability_zones[0]

    # -- who --------------------------------------------------------------------------------------------------------

    def new_user(self, name: str, password: str, project: str | None = None) -> Record:
        user: Record = {
            "id": hex_id(),
            "name": name,
            "domain_id": DOMAIN["id"],
            "enabled": True,
            "default_project_id": project,
            "password_expires_at": None,
            "options": {},
        }
        self.passwords[user["id"]] = password
        return self.users.add(user)

    def forget_user(self, user: str) -> None:
        """Delete the user with their tokens, trusts and application credentials."""
        self.users.pop(user, None)
        self.passwords.pop(user, None)
        for table in (self.trusts, self.application_credentials, self.access_rules):
            for record in list(table.values()):
                if user in (record.get("trustor_user_id"), record.get("trustee_user_id"), record.get("user_id")):
                    del table[record["id"]]
        self.tokens = {key: token for key, token in self.tokens.items() if user not in (token.user, token.holder)}

    def issue(self, user: str, methods: list[str], project: str | None = None, **more: Any) -> Token:
        issued = datetime.now(UTC)
        token = Token(
            # About as long as real tokens, so that no client comes to rely on short ones.
            id="gAAAAA" + secrets.token_urlsafe(120),
            user=user,
            methods=methods,
            project=project,
            issued=issued,
            **{"expires": issued + TOKEN_LIFE, **more},
        )
        self.tokens[token.id] = token
        return token

    def valid_token(self, token_id: str) -> Token | None:
        token = self.tokens.get(token_id)
        if token and token.expires <= datetime.now(UTC):
            del self.tokens[token_id]
            return None
        return token

    # -- how much ---------------------------------------------------------------------------------------------------

    def flavor(self, ident: str) -> Record | None:
        """The flavor with this ID or name."""
        return next(iter(self.flavors.find(ident)), None)

    @property
    def usual_flavor(self) -> str:
        """The default flavor of cluster nodes: the smallest, as Magnum's default is m1.small."""
        return next(iter(self.flavors.values()))["name"]

    def usage(self, service: str, project: str) -> dict[str, int]:
        """The project's usage of each resource that has a quota."""

        def own(table: Table) -> list[Record]:
            return [record for record in table.values() if record.get("project_id", project) == project]

        match service:
            case "compute":
                flavors = [self.flavors[server["flavor"]] for server in own(self.servers)]
                return {
                    "instances": len(flavors),
                    "cores": sum(flavor["vcpus"] for flavor in flavors),
                    "ram": sum(flavor["ram"] for flavor in flavors),
                    "key_pairs": len(self.keypairs),
                    "server_groups": len(own(self.server_groups)),
                }
            case "network":
                return {
                    "network": len(own(self.networks)),
                    "subnet": len(own(self.subnets)),
                    "port": len(own(self.ports)),
                    "router": len(own(self.routers)),
                    "floatingip": len(own(self.floatingips)),
                    "security_group": len(own(self.security_groups)),
                    "security_group_rule": len(own(self.security_group_rules)),
                    "subnetpool": len(own(self.subnetpools)),
                }
            case "volume":
                volumes, snapshots = own(self.volumes), own(self.snapshots)
                return {
                    "volumes": len(volumes),
                    "snapshots": len(snapshots),
                    "gigabytes": sum(item["size"] for item in (*volumes, *snapshots)),
                }
            case "load-balancer":
                return {
                    "load_balancer": len(own(self.loadbalancers)),
                    "listener": len(own(self.listeners)),
                    "pool": len(own(self.pools)),
                    "member": len(own(self.members)),
                    "health_monitor": len(own(self.healthmonitors)),
                }
        return {"Cluster": len(own(self.clusters))}

    def over_quota(self, service: str, project: str, wanted: Mapping[str, int]) -> list[str]:
        """The resources that would exceed the project's quota."""
        limits, used = self.quotas[service], self.usage(service, project)
        counted = COUNTED.get(service, "")
        if counted in wanted and self.faults.breaks(service, Break.overtaken):
            limits = limits | {counted: used[counted]}
        return [
            name
            for name, count in wanted.items()
            if limits.get(name, -1) >= 0 and used.get(name, 0) + count > limits[name]
        ]

    # -- where ------------------------------------------------------------------------------------------------------

    def free_address(self, cidr: str) -> str | None:
        """The lowest free address of the range, except the first; None if all are taken."""
        taken = {address["ip_address"] for port in self.ports.values() for address in port["fixed_ips"]}
        taken |= {floating["floating_ip_address"] for floating in self.floatingips.values()} | {self.gateway}
        hosts = iter(ipaddress.IPv4Network(cidr).hosts())
        next(hosts)
        return next((str(host) for host in hosts if str(host) not in taken), None)
