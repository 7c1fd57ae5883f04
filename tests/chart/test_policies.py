"""Who reaches whom in a cluster whose network enforces the chart's network policies."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.chart.rendering import plain, render

Policy = dict[str, Any]
Template = dict[str, Any]


def labelled(labels: dict[str, str], **ports: int) -> Callable[[], Template]:
    """A pod with these labels and named ports."""
    named = [{"name": name.replace("_", "-"), "containerPort": number} for name, number in ports.items()]
    return lambda: {"metadata": {"labels": labels}, "spec": {"containers": [{"ports": named}]}}


NOTHING = labelled({})


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or an address outside.

    The template of a pod is asked for in the tests, not while they are collected: Helm may not be installed by then.
    """

    name: str
    address: str
    namespace: str = ""
    template: Callable[[], Template] = NOTHING

    def has(self, selector: dict[str, Any] | None) -> bool:
        labels: dict[str, str] = self.template()["metadata"]["labels"]
        return labels.items() >= ((selector or {}).get("matchLabels") or {}).items()

    def port(self, name: int | str) -> int | str:
        """The number of a port by its name."""
        ports = {port["name"]: port["containerPort"] for port in self.template()["spec"]["containers"][0]["ports"]}
        return ports.get(name, name)


CERTIFICATE = {"enabled": True, "hosts": ["hub.example.org"], "letsencrypt": {"contactEmail": "a@b.c"}}


@cache
def with_certificate() -> dict[tuple[str, str], Policy]:
    """With Traefik, which requests a certificate."""
    resources: dict[tuple[str, str], Policy] = render({"proxy": {"https": CERTIFICATE}})
    return resources


def deployed(name: str, address: str, deployment: str) -> End:
    """A pod of the chart."""
    return End(name, address, "classes", lambda: with_certificate()["Deployment", deployment]["spec"]["template"])


def user(name: str, address: str) -> End:
    """A user's server, with the labels that the hub's configuration gives it."""
    labels = {"app": "jupyterhub", "release": "workshop", "component": "singleuser-server"}
    labels |= {"hub.jupyter.org/network-access-hub": "true"}
    return End(name, address, "classes", labelled(labels, notebook_port=8888))


HUB, PROXY = deployed("the hub", "10.100.1.2", "hub"), deployed("the proxy", "10.100.1.3", "proxy")
TRAEFIK = deployed("Traefik", "10.100.1.5", "autohttps")
ADA, BEN = user("a user", "10.100.1.4"), user("another user", "10.100.2.4")
DNS = End("the cluster's DNS", "10.100.0.2", "kube-system", labelled({"k8s-app": "kube-dns"}))
OTHER = End("a pod of another application", "10.100.2.9", "shop", labelled({"app": "shop"}))
METADATA = End("the cloud's metadata", "169.254.169.254")
API = End("the Kubernetes API", "10.254.0.1")
MASTER = End("the master", "10.0.0.5")
LAN = End("another machine of the organization", "192.168.7.7")
INTERNET = End("the internet", "198.51.100.80")

ALLOWED = [
    (ADA, HUB, 8081), (ADA, PROXY, 8000), (ADA, DNS, 53), (ADA, INTERNET, 443), (HUB, PROXY, 8001), (HUB, ADA, 8888),
    (HUB, API, 443), (PROXY, HUB, 8081), (PROXY, ADA, 8888), (INTERNET, PROXY, 8000),
]  # fmt: skip
REFUSED = [
    (ADA, METADATA, 80), (ADA, API, 443), (ADA, MASTER, 22), (ADA, LAN, 443), (ADA, OTHER, 80), (ADA, BEN, 8888), (ADA, BEN, 9999),
    (ADA, PROXY, 8001), (ADA, HUB, 22), (OTHER, ADA, 8888), (OTHER, PROXY, 8001), (OTHER, HUB, 8081), (INTERNET, PROXY, 8001),
    (INTERNET, HUB, 8081), (INTERNET, ADA, 8888),
]  # fmt: skip


def permits(rule: Policy, peers: str, other: End, owner: End, port: int) -> bool:
    """Whether a rule permits a connection with `other` to that port of `owner`; `peers` is `from` or `to`."""
    numbers = [owner.port(each["port"]) for each in rule.get("ports") or []]
    if numbers and port not in numbers:
        return False
    return not rule.get(peers) or any(matches(peer, other) for peer in rule[peers])


def matches(peer: Policy, end: End) -> bool:
    if block := peer.get("ipBlock"):
        address = ipaddress.ip_address(end.address)
        return address in ipaddress.ip_network(block["cidr"]) and not any(
            address in ipaddress.ip_network(each) for each in block.get("except") or []
        )
    namespace = peer.get("namespaceSelector")
    if namespace is None:
        return end.namespace == "classes" and end.has(peer["podSelector"])
    own = {"kubernetes.io/metadata.name": end.namespace}.items()
    return (
        bool(end.namespace) and own >= (namespace.get("matchLabels") or {}).items() and end.has(peer.get("podSelector"))
    )


def connects(resources: dict[tuple[str, str], Policy], source: End, target: End, port: int) -> bool:
    """As Kubernetes has it: of the policies that select a pod, one has to permit each direction; without any, all is."""
    for end, kind, peers, other in ((source, "egress", "to", target), (target, "ingress", "from", source)):
        specs = [each["spec"] for (what, _), each in resources.items() if what == "NetworkPolicy"]
        selecting = [spec for spec in specs if end.namespace == "classes" and end.has(spec["podSelector"])]
        rules = [rule for spec in selecting for rule in spec.get(kind) or []]
        if selecting and not any(permits(rule, peers, other, target, port) for rule in rules):
            return False
    return True


FOR_CERTIFICATES = [
    (INTERNET, TRAEFIK, 8080), (INTERNET, TRAEFIK, 8443), (ADA, TRAEFIK, 8443), (TRAEFIK, PROXY, 8000), (TRAEFIK, DNS, 53),
    (TRAEFIK, API, 443), (TRAEFIK, INTERNET, 443), (TRAEFIK, LAN, 14000),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target", "port"), ALLOWED, ids=lambda each: getattr(each, "name", each))
def test_what_a_hub_needs_is_reached(source, target, port):
    assert connects(plain(), source, target, port)


@pytest.mark.parametrize(("source", "target", "port"), FOR_CERTIFICATES, ids=lambda each: getattr(each, "name", each))
def test_what_traefik_needs_is_reached(source, target, port):
    assert connects(with_certificate(), source, target, port)


@pytest.mark.parametrize(("source", "target", "port"), REFUSED, ids=lambda each: getattr(each, "name", each))
def test_whatever_else_there_is_is_not(source, target, port):
    assert not connects(plain(), source, target, port)


@pytest.mark.parametrize(("source", "port"), [(INTERNET, 8082), (OTHER, 22)])
def test_traefik_has_no_other_port(source, port):
    assert not connects(with_certificate(), source, TRAEFIK, port)


def test_without_a_policy_everything_is_reached():
    """So that the tests above depend on the policies."""
    off = {"networkPolicy": {"enabled": False}}
    resources = render({"singleuser": off, "hub": off, "proxy": {"chp": off}})
    assert all(connects(resources, *each) for each in REFUSED)


def test_the_proxys_api_has_an_address_inside_the_cluster_only():
    for expose in ("LoadBalancer", "NodePort"):
        resources = render({"proxy": {"service": {"type": expose}}})
        services = {name: each["spec"] for (kind, name), each in resources.items() if kind == "Service"}
        outside = {name for name, spec in services.items() if spec.get("type", "ClusterIP") != "ClusterIP"}
        assert outside == {"proxy-public"}
        assert {port["targetPort"] for port in services["proxy-public"]["ports"]} == {"http"}
        assert not any(spec.get("externalIPs") for name, spec in services.items() if name != "proxy-public")
