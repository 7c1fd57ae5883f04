"""A real Heat creates, updates and deletes resources in the practice cloud's other services."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clouds import Cloud, until
from zerojhub.yamlfile import read_yaml

TEMPLATE = read_yaml(Path(__file__).with_name("everything.yaml"))
SECONDS = 180
CHANGES: dict[str, dict[str, Any]] = {
    "net": {"name": "wan"},
    "group": {
        "rules": [{"protocol": "tcp", "port_range_min": port, "port_range_max": port} for port in (80, 443, 8080)]
    },
    "server": {"metadata": {"course": "chemistry"}},
    "volume": {"size": 2},
    "pool": {"lb_algorithm": "LEAST_CONNECTIONS"},
    "monitor": {"delay": 6},
    "word": {"length": 9},
    "volumes": {"count": 3},
}
"""What an update changes: everything in place, except a string whose new length means a replacement."""
# Where what stacks are made of is listed.
LISTS = (
    "/network/v2.0/networks",
    "/network/v2.0/subnets",
    "/network/v2.0/ports",
    "/network/v2.0/routers",
    "/network/v2.0/floatingips",
    "/network/v2.0/security-groups",
    "/network/v2.0/security-group-rules",
    "/compute/v2.1/servers",
    "/compute/v2.1/os-keypairs",
    "/compute/v2.1/os-server-groups",
    "/volume/v3/{project}/volumes",
    "/load-balancer/v2.0/lbaas/loadbalancers",
    "/load-balancer/v2.0/lbaas/listeners",
    "/load-balancer/v2.0/lbaas/pools",
    "/load-balancer/v2.0/lbaas/healthmonitors",
)


class Heat:
    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self.client = cloud.client()
        self.project = cloud.token().json()["token"]["project"]["id"]
        self.stacks = cloud.at(f"/orchestration/v1/{self.project}/stacks")

    def listed(self, path: str) -> list[Any]:
        answer = self.client.get(self.cloud.at(path.format(project=self.project)))
        answer.raise_for_status()
        return next(iter(answer.json().values()))

    def everything(self) -> dict[str, list[str]]:
        """The IDs or names of all resources."""
        return {
            path: sorted(item["id"] if "id" in item else item["keypair"]["name"] for item in self.listed(path))
            for path in LISTS
        }

    def settled(self, ident: str) -> dict:
        """Wait until the stack is idle, and return it."""
        stack: dict = {}

        def over() -> bool:
            # Outputs make Heat ask the other services each time.
            answer = self.client.get(f"{self.stacks}/everything/{ident}?resolve_outputs=False")
            stack.update(answer.json()["stack"])
            return "PROGRESS" not in stack["stack_status"]

        until(over, SECONDS, pause=0.3)
        return stack

    def delete(self, ident: str) -> None:
        if self.client.delete(f"{self.stacks}/everything/{ident}").status_code == 204:
            gone = self.settled(ident)
            assert gone["stack_status"] == "DELETE_COMPLETE", gone["stack_status_reason"]


@pytest.fixture(scope="module")
def heat(real_heat: Cloud) -> Heat:
    return Heat(real_heat)


@pytest.fixture(scope="module")
def before(heat: Heat) -> dict[str, list[str]]:
    return heat.everything()


@pytest.fixture(scope="module")
def stack(heat: Heat, before: dict[str, list[str]]) -> Iterator[dict]:
    answer = heat.client.post(heat.stacks, json={"stack_name": "everything", "template": TEMPLATE})
    assert answer.status_code == 201, answer.text
    ident = answer.json()["stack"]["id"]
    yield heat.settled(ident)
    heat.delete(ident)


def test_a_stack_of_one_of_each_is_made(heat: Heat, stack: dict) -> None:
    path = f"{heat.stacks}/everything/{stack['id']}/resources"
    resources = {item["resource_name"]: item for item in heat.client.get(path).json()["resources"]}
    assert {name: item["resource_status_reason"] for name, item in resources.items()} == dict.fromkeys(
        TEMPLATE["resources"], "state changed"
    ), stack["stack_status_reason"]
    assert stack["stack_status"] == "CREATE_COMPLETE"


def test_its_outputs_are_what_the_services_say(heat: Heat, stack: dict) -> None:
    shown = heat.client.get(f"{heat.stacks}/everything/{stack['id']}").json()["stack"]
    outputs = {item["output_key"]: item["output_value"] for item in shown["outputs"]}
    (server,) = heat.listed("/compute/v2.1/servers/detail")
    (floating,) = heat.listed("/network/v2.0/floatingips")
    (balancer,) = heat.listed("/load-balancer/v2.0/lbaas/loadbalancers")
    addresses = {item["OS-EXT-IPS:type"]: item["addr"] for item in server["addresses"]["lan"]}
    assert (outputs["server"]["id"], outputs["server"]["status"]) == (server["id"], "ACTIVE")
    assert addresses == {"fixed": outputs["inside"], "floating": outputs["outside"]}
    assert floating["floating_ip_address"] == outputs["outside"]
    assert balancer["vip_address"] == outputs["balancer"]
    (volume,) = (item for item in heat.listed("/volume/v3/{project}/volumes/detail") if item["attachments"])
    assert volume["attachments"][0]["server_id"] == server["id"]


def test_an_update_changes_what_it_can_and_makes_the_rest_anew(heat: Heat, stack: dict) -> None:
    template = copy.deepcopy(TEMPLATE)
    for name, properties in CHANGES.items():
        template["resources"][name].setdefault("properties", {}).update(properties)
    before = heat.everything()
    path = f"{heat.stacks}/everything/{stack['id']}"
    assert heat.client.put(path, json={"template": template}).status_code == 202
    after = heat.settled(stack["id"])
    assert after["stack_status"] == "UPDATE_COMPLETE", after["stack_status_reason"]
    now = heat.everything()
    more = {kind: len(now[kind]) - len(before[kind]) for kind in now if now[kind] != before[kind]}
    assert more == {"/volume/v3/{project}/volumes": 1, "/network/v2.0/security-group-rules": 1}
    (server,) = heat.listed("/compute/v2.1/servers/detail")
    assert server["metadata"] == {"course": "chemistry"}
    (volume,) = (item for item in heat.listed("/volume/v3/{project}/volumes/detail") if item["attachments"])
    assert (volume["size"], len(volume["description"])) == (2, 9)
    assert volume["attachments"][0]["server_id"] == server["id"]
    assert [pool["lb_algorithm"] for pool in heat.listed("/load-balancer/v2.0/lbaas/pools")] == ["LEAST_CONNECTIONS"]
    assert "wan" in [network["name"] for network in heat.listed("/network/v2.0/networks")]


def test_nothing_is_left_of_what_is_deleted(heat: Heat, before: dict[str, list[str]], stack: dict) -> None:
    heat.delete(stack["id"])
    assert heat.everything() == before
