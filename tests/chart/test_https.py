"""Traefik in front of the proxy, as the chart renders it for proxy.https.type letsencrypt."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.chart.rendering import container, plain, render
from zerojhub.deployment import HubSpec
from zerojhub.hub.https import AUTHORITY, CREDENTIAL, Designate, Https, add

HOST, DIRECTORY = "hub.class.example", "https://acme.example/dir"
LETSENCRYPT = {"contactEmail": "ada@class.example", "acmeServer": DIRECTORY}
HTTPS = {"enabled": True, "hosts": [HOST], "letsencrypt": LETSENCRYPT}


def rendered(traefik: dict[str, Any] | None = None, **values: Any) -> dict[tuple[str, str], dict[str, Any]]:
    proxy = {"https": HTTPS, "traefik": traefik or {}, **values.pop("proxy", {})}
    resources: dict[tuple[str, str], dict[str, Any]] = render({"proxy": proxy, **values})
    return resources


def configuration(resources: dict[tuple[str, str], dict[str, Any]], file: str) -> Any:
    return yaml.safe_load(resources["ConfigMap", "autohttps"]["data"][file])


def pod(resources: dict[tuple[str, str], dict[str, Any]], name: str = "autohttps") -> Any:
    return resources["Deployment", name]["spec"]["template"]["spec"]


def test_resources_are_named_as_zero_to_jupyterhub_names_them():
    assert set(rendered()) - set(plain()) == {
        ("Service", "proxy-http"),
        *((kind, "autohttps") for kind in ("Deployment", "ConfigMap", "ServiceAccount", "Role", "RoleBinding")),
        ("NetworkPolicy", "autohttps"),
    }


@pytest.mark.parametrize("https", [{**HTTPS, "enabled": False}, {"enabled": True, "type": "offload"}])
def test_where_nothing_is_requested_there_is_no_traefik(https):
    resources = rendered(proxy={"https": https})
    assert "autohttps" not in json.dumps([[*key] for key in resources])
    assert resources["Service", "proxy-public"]["spec"]["selector"]["component"] == "proxy"


def test_traefik_requests_a_certificate_for_the_hosts():
    resources = rendered(proxy={"https": {**HTTPS, "hosts": [HOST, "other.class.example"]}})
    resolver = configuration(resources, "traefik.yaml")["certificatesResolvers"]["default"]["acme"]
    assert (resolver["caServer"], resolver["email"]) == (DIRECTORY, "ada@class.example")
    router = configuration(resources, "dynamic.yaml")["http"]["routers"]["default"]
    assert router["tls"]["domains"] == [{"main": HOST}, {"main": "other.class.example"}]
    points = configuration(resources, "traefik.yaml")["entryPoints"]
    ports = {
        each["name"]: f":{each['containerPort']}" for each in container(resources["Deployment", "autohttps"])["ports"]
    }
    assert {name: point["address"] for name, point in points.items()} == ports
    assert resolver["httpChallenge"]["entryPoint"] in points


def test_by_default_it_is_requested_from_lets_encrypt():
    resources = rendered(proxy={"https": {**HTTPS, "letsencrypt": {"contactEmail": "ada@class.example"}}})
    resolver = configuration(resources, "traefik.yaml")["certificatesResolvers"]["default"]["acme"]
    assert resolver["caServer"] == "https://acme-v02.api.letsencrypt.org/directory"


def test_users_reach_traefik_and_traefik_reaches_the_proxy():
    resources = rendered()
    for service, deployment in (("proxy-public", "autohttps"), ("proxy-http", "proxy"), ("proxy-api", "proxy")):
        template = resources["Deployment", deployment]["spec"]["template"]
        assert resources["Service", service]["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        names = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in resources["Service", service]["spec"]["ports"]} <= names
    public = {port["port"]: port["targetPort"] for port in resources["Service", "proxy-public"]["spec"]["ports"]}
    assert public == {443: "https", 80: "http"}
    (server,) = configuration(resources, "dynamic.yaml")["http"]["services"]["default"]["loadBalancer"]["servers"]
    assert server["url"] == f"http://proxy-http:{resources['Service', 'proxy-http']['spec']['ports'][0]['port']}/"
    assert "--port=8000" in container(resources["Deployment", "proxy"])["args"]


def test_traefik_is_reached_from_its_start_on():
    """It requests a certificate then, and does not try again."""
    assert rendered()["Service", "proxy-public"]["spec"]["publishNotReadyAddresses"] is True
    assert "readinessProbe" not in pod(rendered())["containers"][0]
    assert "publishNotReadyAddresses" not in plain()["Service", "proxy-public"]["spec"]


def test_two_hubs_in_a_namespace_have_certificates_of_their_own():
    resources = rendered(fullnameOverride="blue")
    (server,) = yaml.safe_load(resources["ConfigMap", "blue-autohttps"]["data"]["dynamic.yaml"])["http"]["services"][
        "default"
    ]["loadBalancer"]["servers"]
    assert server["url"] == "http://blue-proxy-http:8000/"
    assert "blue-proxy-public-tls-acme" in pod(resources, "blue-autohttps")["initContainers"][0]["args"]


def test_the_certificate_outlives_the_pod():
    """It is loaded from a Secret and saved in it; the ServiceAccount may read no other."""
    resources = rendered()
    loads, (traefik, saves) = pod(resources)["initContainers"][0], pod(resources)["containers"]
    secret = ["proxy-public-tls-acme", "acme.json", "/etc/acme/acme.json"]
    assert (loads["args"], saves["args"][0], saves["args"][-3:]) == (["load", *secret], "watch-save", secret)
    resolver = configuration(resources, "traefik.yaml")["certificatesResolvers"]["default"]["acme"]
    assert resolver["storage"] == secret[2]
    for each in (loads, traefik, saves):
        assert {"name": "certificates", "mountPath": "/etc/acme"} in each["volumeMounts"]
    verbs = [(rule.get("resourceNames"), rule["verbs"]) for rule in resources["Role", "autohttps"]["rules"]]
    assert verbs == [(None, ["create"]), (["proxy-public-tls-acme"], ["get", "patch"])]
    (subject,) = resources["RoleBinding", "autohttps"]["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": pod(resources)["serviceAccountName"], "namespace": "classes"}


def test_more_configuration_is_merged_over_the_charts_own():
    static = {"certificatesResolvers": {"default": {"acme": {"certificatesDuration": 24}}}, "log": {"level": "INFO"}}
    dynamic = {"http": {"routers": {"default": {"tls": {"certResolver": "dns"}}}}}
    resources = rendered({"extraStaticConfig": static, "extraDynamicConfig": dynamic})
    assert configuration(resources, "traefik.yaml")["log"]["level"] == "INFO"
    resolver = configuration(resources, "traefik.yaml")["certificatesResolvers"]["default"]["acme"]
    assert (resolver["certificatesDuration"], resolver["caServer"]) == (24, DIRECTORY)
    router = configuration(resources, "dynamic.yaml")["http"]["routers"]["default"]
    assert (router["tls"]["certResolver"], router["rule"]) == ("dns", "PathPrefix(`/`)")


def test_only_what_traefik_reads_at_its_start_restarts_it():
    def checksum(**values: Any) -> str:
        template = rendered(**values)["Deployment", "autohttps"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/static-config"])

    assert (
        checksum() == checksum(proxy={"https": {**HTTPS, "hosts": ["a.example.org"]}}) == checksum(cull={"timeout": 60})
    )
    assert checksum() != checksum(traefik={"extraStaticConfig": {"log": {"level": "INFO"}}})
    assert checksum() != checksum(debug={"enabled": True})


def test_another_certificate_leaves_the_proxy_running():
    assert rendered()["Deployment", "proxy"] == plain()["Deployment", "proxy"]


def test_the_pod_is_as_configured():
    traefik = {
        "revisionHistoryLimit": 1,
        "image": {"tag": "v3.7.8"},
        "hsts": {"maxAge": 60, "preload": True},
        "extraEnv": {"LEGO_CA_CERTIFICATES": "/etc/acme-ca/ca.pem"},
        "extraInitContainers": [{"name": "wait", "image": "busybox"}],
        "extraPorts": [{"name": "metrics", "containerPort": 9100}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/acme-ca"}],
        "extraPodSpec": {"hostAliases": []},
        "labels": {"a": "b"},
        "resources": {"limits": {"memory": "256Mi"}},
        "nodeSelector": {"c": "d"},
        "tolerations": [{"key": "core", "operator": "Exists"}],
        "serviceAccount": {"create": False, "name": "mine"},
        "pdb": {"enabled": True},
        "networkPolicy": {"enabled": False},
    }
    resources = rendered(traefik, proxy={"secretSync": {"image": {"name": "mine/sync", "tag": "1"}}})
    deployment, spec = resources["Deployment", "autohttps"]["spec"], pod(resources)
    first = spec["containers"][0]
    assert (deployment["revisionHistoryLimit"], deployment["template"]["metadata"]["labels"]["a"]) == (1, "b")
    assert (first["image"], first["resources"]) == ("traefik:v3.7.8", traefik["resources"])
    assert first["env"] == [{"name": "LEGO_CA_CERTIFICATES", "value": "/etc/acme-ca/ca.pem"}]
    assert {"name": "ca", "mountPath": "/etc/acme-ca"} in first["volumeMounts"]
    assert {"name": "metrics", "containerPort": 9100} in first["ports"]
    assert {"name": "ca", "configMap": {"name": "ca"}} in spec["volumes"] and spec["hostAliases"] == []
    assert [each["name"] for each in spec["initContainers"]] == ["load-acme", "wait"]
    assert spec["initContainers"][0]["image"] == spec["containers"][1]["image"] == "mine/sync:1"
    assert (spec["nodeSelector"], spec["serviceAccountName"]) == ({"c": "d"}, "mine")
    assert {"key": "core", "operator": "Exists"} in spec["tolerations"]
    headers = configuration(resources, "dynamic.yaml")["http"]["middlewares"]["hsts"]["headers"]
    assert headers == {"stsIncludeSubdomains": False, "stsPreload": True, "stsSeconds": 60}
    assert ("PodDisruptionBudget", "autohttps") in resources
    assert not {("ServiceAccount", "autohttps"), ("NetworkPolicy", "autohttps")} & set(resources)


def test_no_container_runs_as_root():
    for each in [*pod(rendered())["initContainers"], *pod(rendered())["containers"]]:
        assert each["securityContext"]["runAsNonRoot"] and each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_trap_10_a_dns_challenge_is_a_resolver_of_its_own_which_the_router_uses():
    """The httpChallenge of the chart's resolver stays, whatever the values say, and lego prefers it."""
    https = {"contact": "ada@class.example", "server": DIRECTORY, "challenge": "dns", "ca_file": "ca.pem"}
    hub = HubSpec.model_validate({"host": HOST, "https": https})
    assert hub.https
    values: dict[str, Any] = {"proxy": {"https": {"hosts": [HOST]}}}
    designate = Designate("https://keystone.example/v3", "R1", "class.example.")
    add(values, files := Https(hub.https, "PEM", None, designate))
    resources = render(values)
    resolvers = configuration(resources, "traefik.yaml")["certificatesResolvers"]
    assert {name: each["acme"].get("dnsChallenge") for name, each in resolvers.items()} == {
        "default": None,
        "designate": {"provider": "designate"},
    }
    assert {each["acme"]["storage"] for each in resolvers.values()} == {"/etc/acme/acme.json"}
    assert {each["acme"]["caServer"] for each in resolvers.values()} == {DIRECTORY}
    routed = configuration(resources, "dynamic.yaml")["http"]["routers"]["default"]["tls"]
    assert (routed["certResolver"], routed["domains"]) == ("designate", [{"main": HOST}])
    (traefik,) = [each for each in pod(resources)["containers"] if each["name"] == "traefik"]
    variables = {each["name"]: each for each in traefik["env"]}
    assert variables["LEGO_CA_CERTIFICATES"]["value"] == f"/etc/zerojhub/{files.authority_file}"
    assert variables["OS_APPLICATION_CREDENTIAL_SECRET"]["valueFrom"]["secretKeyRef"]["name"] == CREDENTIAL
    assert {"name": AUTHORITY, "configMap": {"name": AUTHORITY}} in pod(resources)["volumes"]
    assert any(each["mountPath"] == "/etc/zerojhub" for each in traefik["volumeMounts"])
