"""A hub's chart and values: choosing the chart, rejecting values with their line, adding defaults."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest

from zerojhub.deployment import LETS_ENCRYPT, HttpsSpec, HubSpec
from zerojhub.errors import UserError
from zerojhub.hub import charts, values
from zerojhub.hub.https import AUTHORITY, CREDENTIAL, OWN, Designate, Https
from zerojhub.hub.own_certificate import OwnCertificate
from zerojhub.hub.release import InstalledRelease, description_of, difference, recover
from zerojhub.hub.secrets import Secrets

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["hub", "proxy"],
    "properties": {
        "hub": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "config": {"type": "object"},
                "cookieSecret": {"type": ["string", "null"]},
                "db": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"size": {"type": "integer"}}}]},
                "services": {"type": "object"},
                "loadRoles": {"type": "object"},
                "extraConfig": {"type": "object"},
            },
        },
        "proxy": {"type": "object"},
        "singleuser": {"type": "object", "properties": {"type": {"enum": ["dynamic", "none"]}}},
    },
}


@pytest.fixture
def chart_folder(tmp_path):
    folder = tmp_path / "jupyterhub"
    folder.mkdir()
    (folder / "Chart.yaml").write_text('name: jupyterhub\nversion: 4.4.0\nkubeVersion: ">=1.28.0-0"\n')
    (folder / "values.yaml").write_text("hub: {config: {}}\nproxy: {service: {type: LoadBalancer}}\n")
    (folder / "values.schema.json").write_text(json.dumps(SCHEMA))
    return folder


@pytest.fixture
def chart(chart_folder):
    return find(str(chart_folder))


def find(ref, version=None, directory=Path()):
    return anyio.run(charts.find, ref, version, directory)


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> values.UserValues:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return values.UserValues(path)

    return write


def said(problems) -> list[str]:
    return [str(problem).rpartition("/")[2] for problem in problems]


def test_what_is_in_a_chart(chart):
    assert (chart.name, chart.version) == ("jupyterhub", "4.4.0")


def test_an_unchanged_folder_is_the_same_chart(chart, chart_folder):
    (chart_folder / "Chart.yaml").touch()
    assert find(str(chart_folder)).digest == chart.digest
    (chart_folder / "values.yaml").write_text("{}")
    assert find(str(chart_folder)).digest != chart.digest


def test_an_archive_is_as_good_as_a_folder(chart, tmp_path):
    (tmp_path / "chart.tgz").write_bytes(chart.content)
    assert find("chart.tgz", directory=tmp_path).digest == chart.digest


@pytest.mark.parametrize(("content", "words"), [(b"<html>", "not a chart archive"), (None, "No such file")])
def test_no_chart_is_said(tmp_path, content, words):
    if content:
        (tmp_path / "chart.tgz").write_bytes(content)
    with pytest.raises(UserError, match=words):
        _ = find("chart.tgz", directory=tmp_path).metadata


def test_a_chart_of_an_oci_registry_is_refused():
    with pytest.raises(UserError, match="OCI registries are not supported: oci://x/y") as refused:
        find("oci://x/y")
    assert refused.value.hint == "helm pull oci://x/y, and set hub.chart to its file"


def test_another_version_than_asked_for_is_said(chart_folder):
    with pytest.raises(UserError, match=r"is version 4\.4\.0, not 3\.3\.8"):
        find(str(chart_folder), "3.3.8")


def test_a_chart_that_needs_a_newer_kubernetes(chart):
    assert chart.misfit("v1.25.3") == "chart jupyterhub 4.4.0 needs Kubernetes 1.28 or later"
    assert chart.misfit("v1.28.0") is None
    assert chart.misfit(None) is None


def test_good_values_are_taken(chart, written):
    assert values.problems(written("hub: {config: {JupyterHub: {x: 1}}}\nsingleuser: {type: none}\n"), chart) == []


def test_no_values_are_good_values(chart, written):
    assert values.problems(written(""), chart) == []


def test_each_mistake_has_its_line_in_their_order(chart, written):
    user = written("singleuser:\n  type: dynamc\nhub:\n  cokieSecret: x\n  db:\n    size: big\nprox: {}\n")
    assert said(values.problems(user, chart)) == [
        'config.yaml:2: singleuser.type: must be one of "dynamic", "none", not "dynamc"',
        "config.yaml:4: unknown key hub.cokieSecret (did you mean 'cookieSecret'?)",
        'config.yaml:6: hub.db.size: must be integer, not "big"',
        "config.yaml:7: unknown key prox (did you mean 'proxy'?)",
    ]


def test_values_that_are_no_mapping(written):
    with pytest.raises(UserError, match=r"config\.yaml:1: a values file must be a mapping"):
        written("- a\n")


def test_a_null_takes_a_default_away_as_in_helm():
    assert values.merged({"a": {"b": 1, "c": 2}}, {"a": {"b": None}, "d": [1]}) == {"a": {"c": 2}, "d": [1]}


def test_what_is_left_out_is_added(chart, written):
    user, secrets = written("hub: {config: {A: {b: 1}}}\nproxy:\n"), Secrets()
    sent = values.completed(user.values, secrets, HubSpec(expose="NodePort"), chart)
    assert sent["hub"]["config"] == {"A": {"b": 1}}
    assert sent["proxy"] == {"service": {"type": "NodePort"}, "secretToken": secrets.proxy_token}
    assert sent["hub"]["cookieSecret"] == secrets.cookie_secret
    assert sent["hub"]["services"]["zerojhub"] == {"apiToken": secrets.api_token, "admin": True}
    assert sent["hub"]["loadRoles"]["zerojhub"]["services"] == ["zerojhub"]


def test_an_address_that_is_known_is_asked_for(chart, written):
    sent = values.completed({}, Secrets(), HubSpec(address="keep"), chart, "203.0.113.7")["proxy"]["service"]
    assert sent["loadBalancerIP"] == "203.0.113.7"


def test_a_load_balancer_keeps_idle_connections_as_long_as_the_values_say_or_ten_minutes(chart, written):
    client, member = "loadbalancer.openstack.org/timeout-client-data", "loadbalancer.openstack.org/timeout-member-data"
    text = f"proxy: {{service: {{annotations: {{{client}: '60000', a: b}}}}}}"
    sent = values.completed(written(text).values, Secrets(), HubSpec(), chart)["proxy"]["service"]["annotations"]
    assert sent == {client: "60000", member: "600000", "a": "b"}
    port = values.completed({}, Secrets(), HubSpec(expose="NodePort"), chart)["proxy"]["service"]
    assert "annotations" not in port


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "type: ClusterIP",
            "hub.yaml:5: hub.address is for a load balancer, and the values have proxy.service.type: Clu",
        ),
        (
            "loadBalancerIP: 192.0.2.1",
            "config.yaml:1: loadBalancerIP: hub.address is 203.0.113.7 (leave it out, or set h",
        ),
        ("loadBalancerIP: 203.0.113.7", "None"),
    ],
)
def test_an_address_and_values_that_contradict_each_other(written, text, said):
    user = written(f"proxy: {{service: {{{text}}}}}\n")
    assert said in str(values.without_balancer(user, HubSpec(address="203.0.113.7"), "hub.yaml:5"))


def test_a_contact_and_a_host_become_a_certificate(chart, written):
    wanted = HubSpec.model_validate({"host": "hub.example.org", "https": True, "contact": "ada@example.org"})
    letsencrypt = {"contactEmail": "ada@example.org"}
    https = {"enabled": True, "type": "letsencrypt", "letsencrypt": letsencrypt, "hosts": ["hub.example.org"]}
    assert values.completed({}, Secrets(), wanted, chart)["proxy"]["https"] == https
    theirs = {"proxy": {"https": {"enabled": True, "type": "manual", "hosts": ["lab.example.org"]}}}
    sent = values.completed(theirs, Secrets(), wanted, chart)["proxy"]["https"]
    assert (sent["type"], sent["hosts"]) == ("manual", ["lab.example.org"])
    before_the_hub = HubSpec.model_validate({"host": "hub.example.org", "https": True})
    assert "https" not in values.completed({}, Secrets(), before_the_hub, chart)["proxy"]


def test_the_certificate_comes_from_the_authority_that_is_wanted(chart):
    https = {"contact": "ada@example.org", "server": "https://ca.example.org/directory"}
    wanted = HubSpec.model_validate({"host": "hub.example.org", "https": https})
    sent = values.completed({}, Secrets(), wanted, chart)["proxy"]["https"]
    letsencrypt = {"contactEmail": "ada@example.org", "acmeServer": "https://ca.example.org/directory"}
    assert sent == {"enabled": True, "type": "letsencrypt", "letsencrypt": letsencrypt, "hosts": ["hub.example.org"]}


def test_a_chart_that_cannot_request_certificates_is_refused(chart_folder, written):
    def refused(wanted: HubSpec) -> list[UserError]:
        return values.without_certificate(written("{}"), wanted, find(str(chart_folder)), "hub.yaml:4")

    wanted = HubSpec.model_validate({"host": "hub.example.org", "https": {"contact": "ada@example.org"}})
    (said,) = map(str, refused(wanted))
    assert said.startswith("hub.yaml:4: chart jupyterhub 4.4.0 cannot request certificates (hub: {chart: z2jh}")
    (chart_folder / "values.yaml").write_text(
        "hub: {config: {}}\nproxy: {https: {letsencrypt: {contactEmail: null}}}\n"
    )
    assert refused(wanted) == []
    own = HubSpec.model_validate({"host": "hub.example.org", "https": {"certificate": "a", "key": "b"}})
    assert refused(own) == []


def test_what_the_user_wrote_stays(chart, written):
    text = "proxy: {service: {type: ClusterIP}, secretToken: abc}\nhub: {config: {JupyterHub: {cookie_secret: def}}}\n"
    sent = values.completed(written(text).values, Secrets(), HubSpec(), chart)
    assert sent["proxy"] == {"service": {"type": "ClusterIP"}, "secretToken": "abc"}
    assert "cookieSecret" not in sent["hub"]


def test_a_date_stays_the_words_it_was_written_with(written):
    assert (
        written("hub: {config: {Term: {until: 2026-01-31}}}").values["hub"]["config"]["Term"]["until"] == "2026-01-31"
    )


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", None, "no authenticator is set, and the dummy authenticator"),
        ("hub:\n  config:\n    JupyterHub: {authenticator_class: dummy}\n", 3, "any name with any password"),
        (
            "hub:\n  config:\n    JupyterHub:\n      authenticator_class: jupyterhub.auth.DummyAuthenticator\n",
            4,
            "any name with any password",
        ),
        (
            "hub:\n  config:\n    JupyterHub: {authenticator_class: native}\n    NativeAuthenticator:\n"
            "      open_signup: true\n",
            5,
            "anyone can sign up",
        ),
        ("hub: {config: {JupyterHub: {authenticator_class: tmp}}}\n", 1, "every visitor gets an account"),
        ("auth: {type: dummy}\n", 1, "any name with any password"),
    ],
)
def test_a_hub_that_lets_anyone_in_is_refused(chart, written, text, line, why):
    refusal = values.lets_anyone_in(written(text), chart)
    assert refusal and refusal.where and why in refusal.message
    assert refusal.where == "the chart's default values" or refusal.where.endswith(f":{line or 1}")


@pytest.mark.parametrize(
    "config",
    [
        "{JupyterHub: {authenticator_class: dummy}, DummyAuthenticator: {password: x}}",
        "{DummyAuthenticator: {password: x}}",
        "{JupyterHub: {authenticator_class: github}, Authenticator: {allow_all: true}}",
        "{JupyterHub: {authenticator_class: native}}",
        "{JupyterHub: {authenticator_class: shared-password}, SharedPasswordAuthenticator: {user_password: long}}",
    ],
)
def test_a_hub_with_a_lock_is_taken(chart, written, config):
    assert values.lets_anyone_in(written(f"hub: {{config: {config}}}"), chart) is None


def test_an_authenticator_chosen_in_code_is_not_guessed(chart, written):
    text = "hub:\n  extraConfig:\n    auth: |\n      c.JupyterHub.authenticator_class = 'mine'\n"
    assert values.lets_anyone_in(written(text), chart) is None


def test_trap_14_what_is_in_a_secret_of_ones_own_is_not_known(chart, written):
    refusal = values.lets_anyone_in(written("hub: {existingSecret: ours}"), chart)
    assert refusal and refusal.hint
    assert "Secret ours is not known here: repeat its authenticator_class in the values" in refusal.hint
    repeated = "hub: {existingSecret: ours, config: {JupyterHub: {authenticator_class: github}}}"
    assert values.lets_anyone_in(written(repeated), chart) is None


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ({}, True),
        ({"proxy": {"service": {"type": "ClusterIP"}}}, False),
        ({"proxy": {"service": {"type": "ClusterIP"}}, "ingress": {"enabled": True}}, True),
    ],
)
def test_what_is_public(text, public):
    assert values.is_public(text, "LoadBalancer") is public


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path):
    first = Secrets.of(tmp_path, None)
    first.keep(tmp_path)
    assert Secrets.of(tmp_path, None) == first
    assert stat.S_IMODE((tmp_path / "secrets.yaml").stat().st_mode) == 0o600
    assert first.api_token not in repr(first)
    assert len({first.proxy_token, first.cookie_secret, first.api_token}) == 3


def test_lost_secrets_are_read_back_from_the_release(tmp_path, chart):
    secrets = Secrets()
    sent = values.completed({}, secrets, HubSpec(), chart)
    assert Secrets.of(tmp_path, sent) == secrets


def test_the_release_knows_better_than_an_old_file(tmp_path, chart):
    Secrets().keep(tmp_path)
    secrets = Secrets()
    assert Secrets.of(tmp_path, values.completed({}, secrets, HubSpec(), chart)) == secrets


def test_a_file_that_holds_no_secrets(tmp_path):
    (tmp_path / "secrets.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match="does not contain a hub's secrets"):
        Secrets.of(tmp_path, None)


def installed(chart, /, **more) -> InstalledRelease:
    """A deployed release of the chart with the values WANTED, changed by `more`."""
    usual = {"status": "deployed", "chart": "jupyterhub-4.4.0", "description": description_of(chart), "values": WANTED}
    return InstalledRelease(revision=3, **(usual | more))


WANTED = {"hub": {"a": 1, "b": "secret"}, "proxy": {}}


def test_a_release_without_differences(chart):
    assert difference(installed(chart), chart, WANTED) is None


def test_helm_keeps_numbers_as_doubles(chart):
    numbers = {"a": 18446744073709551615, "b": [9007199254740993], "c": 1, "d": True}
    kept = {"a": 18446744073709552000, "b": [9007199254740992], "c": 1.0, "d": True}
    assert difference(installed(chart, values=kept), chart, numbers) is None
    assert difference(installed(chart, values=kept | {"d": 1}), chart, numbers) == "values changed: d"


@pytest.mark.parametrize("description", ["Upgrade complete", ""])
def test_a_release_of_another_tool_is_told_by_its_version_alone(chart, description):
    assert difference(installed(chart, description=description), chart, WANTED) is None


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        ({"status": "failed", "description": "timed out"}, "the release failed: timed out"),
        ({"status": "pending-upgrade"}, "the release is pending-upgrade: an earlier run was interrupted"),
        ({"status": "uninstalling"}, "the release is uninstalling: an earlier run was interrupted"),
        ({"chart": "jupyterhub-4.3.0"}, "the release has chart jupyterhub-4.3.0, not jupyterhub-4.4.0"),
        ({"description": "zerojhub, chart sha256:0000"}, "the chart jupyterhub-4.4.0 has changed"),
        ({"values": {"hub": {"a": 2}, "proxy": {}}}, "values changed: hub.a, hub.b"),
        ({"values": WANTED | {"cull": {"every": 60}}}, "values changed: cull"),
        ({"values": {"hub": {"a": 1, "b": "secret"}, "proxy": "none"}}, "values changed: proxy"),
        ({"values": {name: 1 for name in "cdefgh"} | WANTED}, "values changed: c, d, e, f, g …"),
    ],
)
def test_how_a_release_differs(chart, more, differs):
    assert difference(installed(chart, **more), chart, WANTED) == differs


def test_a_difference_never_shows_values(chart):
    differs = difference(installed(chart, values={"hub": {"a": "hunter2"}}), chart, WANTED)
    assert differs and "hunter2" not in differs
    assert "secret" not in repr(installed(chart))


class FakeHelm:
    """Helm with one release, whose history has these statuses, oldest first."""

    def __init__(self, *statuses: str):
        self.statuses = statuses
        self.done: list[str] = []

    async def history(self, name, **where):
        return [{"revision": number, "status": status} for number, status in enumerate(self.statuses, 1)]

    async def rollback(self, name, revision, **where):
        self.done.append(f"rollback to {revision}")

    async def uninstall(self, name, *, wait, **where):
        self.done.append("uninstall")


@pytest.mark.parametrize(
    ("statuses", "done"),
    [
        (["superseded", "deployed"], []),
        (["superseded", "failed"], []),
        (["superseded", "deployed", "pending-upgrade"], ["rollback to 2"]),
        (["superseded", "failed", "pending-rollback"], ["rollback to 1"]),
        (["pending-install"], ["uninstall"]),
        (["deployed", "uninstalling"], ["uninstall"]),
    ],
)
def test_how_an_interrupted_release_is_recovered(chart, statuses, done):
    helm: Any = FakeHelm(*statuses)
    anyio.run(recover, helm, "workshop", "workshop", installed(chart, status=statuses[-1]))
    assert helm.done == done


# -- the certificate ----------------------------------------------------------------------------------------------------


def https_values(written: Any, text: str = "{}", *, own: Any = None, **https: Any) -> Any:
    """proxy of the values for a hub whose certificate is described like this."""
    hub = {"host": "hub.example.org", "https": {"contact": "ada@example.org", **https} if own is None else https}
    wanted = HubSpec.model_validate(hub)
    assert wanted.https
    designate = Designate("https://keystone.example.org/v3", "R1", "example.org.")
    files = Https(wanted.https, "PEM" if wanted.https.ca_file else None, own, designate)
    user = written(text).values
    return values.completed(user, Secrets(), wanted, find("embedded"), None, files)["proxy"]


def test_traefik_trusts_a_private_authority_and_restarts_when_that_changes(written):
    traefik = https_values(written, server="https://ca.example.org/dir", ca_file="ca.pem")["traefik"]
    path = traefik["extraEnv"]["LEGO_CA_CERTIFICATES"]
    assert traefik["extraVolumes"] == [{"name": AUTHORITY, "configMap": {"name": AUTHORITY}}]
    assert traefik["extraVolumeMounts"] == [{"name": AUTHORITY, "mountPath": "/etc/zerojhub", "readOnly": True}]
    assert path == f"/etc/zerojhub/{Https(HttpsSpec(), 'PEM').authority_file}"
    assert Https(HttpsSpec(), "PEM").authority_file != Https(HttpsSpec(), "other").authority_file


def test_traefiks_own_variables_and_volumes_stay(written):
    text = "proxy: {traefik: {extraEnv: [{name: A, value: b}], extraVolumes: [{name: mine, emptyDir: {}}]}}"
    traefik = https_values(written, text, ca_file="ca.pem")["traefik"]
    assert [each["name"] for each in traefik["extraEnv"]] == ["A", "LEGO_CA_CERTIFICATES", "LEGO_CA_SYSTEM_CERT_POOL"]
    assert [each["name"] for each in traefik["extraVolumes"]] == ["mine", AUTHORITY]
    text = "proxy: {traefik: {extraEnv: {LEGO_CA_CERTIFICATES: /mine.pem}}}"
    assert https_values(written, text, ca_file="ca.pem")["traefik"]["extraEnv"]["LEGO_CA_CERTIFICATES"] == "/mine.pem"


def test_trap_10_a_dns_challenge_has_a_resolver_of_its_own(written):
    """In the chart's, the httpChallenge would stay, and lego prefers that."""
    traefik = https_values(written, challenge="dns")["traefik"]
    resolvers = traefik["extraStaticConfig"]["certificatesResolvers"]
    assert list(resolvers) == ["designate"]
    assert resolvers["designate"]["acme"] == {
        "caServer": LETS_ENCRYPT,
        "email": "ada@example.org",
        "storage": "/etc/acme/acme.json",
        "dnsChallenge": {"provider": "designate"},
    }
    routers = traefik["extraDynamicConfig"]["http"]["routers"]
    assert routers == {"default": {"tls": {"certResolver": "designate"}}}
    assert traefik["extraEnv"]["OS_AUTH_URL"] == "https://keystone.example.org/v3"
    assert traefik["extraEnv"]["DESIGNATE_ZONE_NAME"] == "example.org."
    assert traefik["extraEnv"]["OS_APPLICATION_CREDENTIAL_SECRET"] == {
        "valueFrom": {"secretKeyRef": {"name": CREDENTIAL, "key": "secret"}}
    }


def test_a_certificate_of_the_users_own_is_in_a_secret_and_not_in_the_values(written):
    own = OwnCertificate("-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----")
    proxy = https_values(written, own=own, certificate="hub.crt", key="hub.key")
    https = {"enabled": True, "type": "secret", "secret": {"name": OWN}, "hosts": ["hub.example.org"]}
    assert proxy["https"] == https
    assert proxy["annotations"] == {"zerojhub.io/certificate": own.digest}
    assert "BEGIN" not in json.dumps(proxy)


@pytest.mark.parametrize(
    ("text", "https", "said"),
    [
        ("ingress:\n  enabled: true\n", {}, "2: with ingress, the hub would request a certificate that nobody sees"),
        (
            "httpRoute:\n  enabled: true\n",
            {},
            "2: with httpRoute, the hub would request a certificate that nobody sees",
        ),
        ("proxy:\n  service: {disableHttpPort: true}\n", {}, "2: disableHttpPort: the authority connects to port 80"),
        (
            "proxy:\n  service: {loadBalancerSourceRanges: [10.0.0.0/8]}\n",
            {},
            "2: loadBalancerSourceRanges: the author",
        ),
        (
            "proxy: {https: {enabled: true, hosts: [a.org]}}\ningress: {enabled: true}\n",
            None,
            "2: with ingress, the hub would request a certificate that nobody sees",
        ),
    ],
)
def test_values_that_keep_the_hub_from_getting_its_certificate_are_refused(written, text, https, said):
    def problems(text: str, https: dict[str, str] | None) -> list[str]:
        hub = {"host": "hub.example.org", "https": None if https is None else {"contact": "a@b.org", **https}}
        found = values.without_certificate(written(text), HubSpec.model_validate(hub), find("embedded"), "hub.yaml:4")
        return [str(each).rpartition("/")[2].partition(":")[2] for each in found]

    (found,) = problems(text, https)
    assert found.startswith(said)
    if "port 80" in found or "loadBalancer" in found:
        assert problems(text, {"challenge": "dns"}) == []
        assert problems(text, {"server": "https://ca.example.org/dir"}) == [], "its authority may be inside"
    assert problems("{}\n", https) == []
    assert problems(text + "x: {}\n", None) == ([] if https is not None else [found])
