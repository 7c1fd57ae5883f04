"""Node groups of the two providers: `magnum` (through Magnum and Heat) and `clusterapi` (outside the cluster)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from cloud import Cloud, CloudError


@dataclass
class Group:
    """The current state of a node group."""

    id: str
    """Its name and the beginning of its UUID, for logs and the status."""
    uuid: str
    name: str
    least: int
    most: int
    target: int
    status: str
    reason: str
    flavor: str
    servers: set[str] = field(default_factory=set)
    """UUIDs of its servers."""


class Magnum:
    """Groups are selected with --nodes=MIN:MAX:NAME or --node-group-auto-discovery=magnum:role=ROLE,ROLE.

    Nodes to delete are identified by their machine-id (the server's UUID without dashes), as in versions up to 1.18,
    which Magnum deploys. Later versions use the system UUID.
    """

    def __init__(self, cloud: Cloud, cluster: str, specs: list[str], discovery: list[str]):
        self.cloud, self.cluster = cloud, cluster
        self.specs = {}
        for spec in specs:
            least, most, name = spec.split(":", 2)
            self.specs[name] = int(least), int(most)
        self.roles = {role for text in discovery for role in text.partition("role=")[2].split(",")}

    def groups(self) -> list[Group]:
        found = []
        for each in self._listed():
            if each["name"] in self.specs or each["uuid"] in self.specs:
                least, most = self.specs.get(each["name"]) or self.specs[each["uuid"]]
            elif each["role"] in self.roles and each["max_node_count"]:
                least, most = each["min_node_count"], each["max_node_count"]
            else:
                continue
            found.append(self._group(each, least, most, self._servers(each)))
        return found

    def resize(self, group: Group, count: int, servers: list[str] | None = None) -> None:
        body = {"node_count": count, "nodegroup": group.uuid, "nodes_to_remove": servers or []}
        try:
            self.cloud.request("container-infra", "POST", f"/clusters/{self.cluster}/actions/resize", body)
        except CloudError as error:
            raise CloudError(f"could not resize cluster: {error}") from None

    def server_of(self, group: Group, node: dict, say: Callable[[str], None]) -> str:
        """The UUID that identifies the node to delete for the cloud. Raises CloudError if there is none."""
        info, name = node["status"]["nodeInfo"], node["metadata"]["name"]
        machine = re.sub(r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5", info["machineID"])
        if machine in group.servers:
            say(f"Resolved node {name} to a stack index")
            return machine
        addresses = [each["address"] for each in node["status"]["addresses"] if each["type"] != "Hostname"]
        known = (
            f"Name:{name} MachineID:{info['machineID']} ProviderID:{node['spec'].get('providerID', '')} IPs:{addresses}"
        )
        say(f"Could not resolve node {{{known}}} to a stack index")
        why = "1 nodes could not be resolved to stack indices"
        raise CloudError(f"could not find stack indices for nodes to be deleted: {why}")

    def flavor(self, group: Group) -> tuple[int, int]:
        """vCPUs and MiB of memory of the group's servers."""
        listed = self.cloud.get("compute", "/flavors/detail")["flavors"]
        return next((each["vcpus"], each["ram"]) for each in listed if group.flavor in (each["id"], each["name"]))

    def _listed(self) -> list[dict]:
        """The worker node groups with all attributes."""
        path = f"/clusters/{self.cluster}/nodegroups"
        listed = self.cloud.get("container-infra", path)["nodegroups"]
        workers = [each for each in listed if each["role"] != "master"]
        return [self.cloud.get("container-infra", f"{path}/{each['uuid']}") for each in workers]

    def _servers(self, each: dict) -> set[str]:
        stack = self.cloud.get("orchestration", f"/stacks/{each['stack_id']}")["stack"]
        path = f"/stacks/{stack['stack_name']}/{stack['id']}/resources?nested_depth=3&type=OS::Nova::Server"
        servers = self.cloud.get("orchestration", path)["resources"]
        return {server["physical_resource_id"] for server in servers if server["resource_name"] == "kube-minion"}

    def _group(self, each: dict, least: int, most: int, servers: set[str]) -> Group:
        return Group(
            id=f"{each['name']}-{each['uuid'].partition('-')[0]}",
            uuid=each["uuid"],
            name=each["name"],
            least=least,
            most=most,
            target=each["node_count"],
            status=each["status"],
            reason=each["status_reason"] or "",
            flavor=each["flavor_id"],
            servers=servers,
        )

    def has(self, group: Group, node: dict) -> bool:
        return node["spec"].get("providerID", "").rpartition("/")[2] in group.servers


class ClusterAPI(Magnum):
    """Runs outside the cluster with the node groups' own bounds; nodes are identified by provider ID."""

    def groups(self) -> list[Group]:
        labels = self.cloud.get("container-infra", f"/clusters/{self.cluster}")["labels"]
        found = []
        for each in self._listed():
            # magnum-cluster-api's default for groups without a maximum.
            most = each["max_node_count"] or int(labels.get("max_node_count", each["min_node_count"] + 1))
            found.append(self._group(each, each["min_node_count"], most, set()))
        return found

    def server_of(self, group: Group, node: dict, say: Callable[[str], None]) -> str:
        return node["spec"]["providerID"].rpartition("/")[2]

    def has(self, group: Group, node: dict) -> bool:
        return node["metadata"]["labels"].get("magnum.openstack.org/nodegroup") == group.name
