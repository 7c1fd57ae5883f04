"""The address of a hub's Service, and its URL."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from zerojhub.deployment import Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.report import Progress
from zerojhub.run import Run
from zerojhub.stages.access import Access
from zerojhub.stages.address import address_of
from zerojhub.stages.chart import Chart
from zerojhub.stages.endpoint import url_of

HTTP = {"name": "http", "port": 80, "nodePort": 30080}
HTTPS = {"name": "https", "port": 443, "nodePort": 30443}


def service(kind, ports=(HTTP,), **ingress):
    status = {"loadBalancer": {"ingress": [ingress]}}
    return {"metadata": {"name": "proxy-public"}, "spec": {"type": kind, "ports": list(ports)}, "status": status}


def url(found, values=None, master="203.0.113.9", **wanted):
    """The URL of a hub that is installed with these values; None without an address."""
    document = {"name": "toy", "cloud": "c", "cluster": {"template": "t"}, "hub": wanted}
    run = Run(Deployment.model_validate(document), Progress(quiet=True))
    release: Any = SimpleNamespace(values=values or {})
    reach: Any = SimpleNamespace(address=master)
    run[Chart], run[Access] = release, reach
    address = anyio.run(address_of, run, found)
    return address and url_of(address, run.deployment.hub.host, values or {})


def test_a_load_balancer_by_address_or_name():
    assert url(service("LoadBalancer", ip="203.0.113.7")) == "http://203.0.113.7/"
    assert url(service("LoadBalancer", hostname="lb.example.org")) == "http://lb.example.org/"


def test_trap_13_a_name_that_stands_for_the_address_does_not_get_into_the_url():
    """With PROXY protocol, cloud controllers put a name in place of the address, and note the address elsewhere."""
    found = service("LoadBalancer", hostname="203.0.113.7.nip.io")
    found["metadata"]["annotations"] = {"loadbalancer.openstack.org/load-balancer-address": "203.0.113.7"}
    assert url(found) == "http://203.0.113.7/"
    assert url(found, host="hub.example.org") == "http://hub.example.org/"


def test_an_ipv6_address_is_in_brackets():
    assert url(service("LoadBalancer", ip="2001:db8::7")) == "http://[2001:db8::7]/"
    assert url(service("LoadBalancer", ip="2001:db8::7"), host="[2001:db8::8]") == "http://[2001:db8::8]/"


def test_a_load_balancer_without_an_address_has_no_url_yet():
    assert url(service("LoadBalancer")) is None


def test_a_node_port_is_behind_the_masters_address():
    assert url(service("NodePort")) == "http://203.0.113.9:30080/"


def test_the_requested_name_and_https():
    both = service("LoadBalancer", (HTTPS, HTTP), ip="203.0.113.7")
    assert url(both, host="hub.example.org", https=True) == "https://hub.example.org/"
    assert url(both, {"proxy": {"https": {"enabled": True}}}) == "https://203.0.113.7/"
    assert (
        url(service("NodePort", (HTTPS, HTTP)), host="hub.example.org", https=True) == "https://hub.example.org:30443/"
    )


def test_a_hub_below_a_path():
    assert url(service("LoadBalancer", ip="203.0.113.7"), {"hub": {"baseUrl": "/jupyter/"}}) == (
        "http://203.0.113.7/jupyter/"
    )


def test_a_service_inside_the_cluster_needs_the_name_of_its_ingress():
    assert url(service("ClusterIP"), host="hub.example.org") == "http://hub.example.org/"
    with pytest.raises(ZeroJHubError, match=r"not reachable from outside the cluster.*hub\.host"):
        url(service("ClusterIP"))
