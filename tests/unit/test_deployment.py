"""Mistakes in hub.yaml: each is reported in one line, with file, line and a suggestion."""

from pathlib import Path
from typing import Any

import pytest

from zerojhub import deployment
from zerojhub.deployment import TemplateSpec
from zerojhub.errors import UserError

LEAST = """\
name: workshop
cloud: mycloud
cluster: {template: kubernetes-1-33-jammy, workers: 3}
hub: {values: config.yaml}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "hub.yaml"
    path.write_text(text)
    return path


def test_the_least_file_has_good_defaults(tmp_path):
    loaded = deployment.load(write(tmp_path, LEAST))
    assert loaded.cluster_name == "workshop"
    assert (loaded.cluster.masters, loaded.cluster.workers, loaded.cluster.timeout) == (1, 3, 60)
    assert loaded.namespace == "workshop"
    assert loaded.hub.values == tmp_path / "config.yaml"
    assert loaded.storage.class_name == "cinder"
    assert not loaded.hub.open_to_anyone


def test_every_deployment_that_comes_along_is_valid():
    for path in (Path(__file__).parents[2] / "config").glob("*.yaml"):
        if not path.name.endswith("values.yaml"):
            assert deployment.load(path).name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name: a\ncluster:\n  template: t\n  wokers: 2\n",
            ":4: unknown key 'cluster.wokers' (did you mean 'workers'?)",
        ),
        ("name: a\nclustr: {template: t}\n", ":2: unknown key 'clustr' (did you mean 'cluster'?)"),
        (
            "name: a\ncluster: {template: t}\nstorage: {clas: fast}\n",
            ":3: unknown key 'storage.clas' (did you mean 'class'?)",
        ),
        (
            "name: a\ncluster:\n  template: {image: i, external_network: public, flavour: m1}\n",
            "did you mean 'flavor'?",
        ),
        (
            "name: a\ncluster:\n  template: t\n  workers: many\n",
            ":4: cluster.workers: must be a whole number, not 'many'",
        ),
        ("name: a\ncluster:\n  workers: 1\n", "missing key 'cluster.template'"),
        ("name: 1 bad name\ncluster: {template: t}\n", ":1: name: must be a letter, followed by"),
        ("name: a\ncluster: {template: [t]}\n", ":2: cluster.template: must be a string, not a list"),
        ("name: a\ncluster: {template: t\n", "not valid YAML"),
        (
            "name: a\ncluster: {template: t}\nhub:\n  chart: z2jh\n  contact: a@example.org\n",
            ":5: hub.contact: a certificate also needs host and https",
        ),
        ("- name\n", "must be a mapping with name, cloud, cluster and hub"),
        ("name: a\nname: b\ncluster: {template: t}\n", ":2: not valid YAML"),
        ('name: a\ncluster: {template: t}\nhub: {values: "a\\0"}\n', ":3: contains the control character U+0000"),
        ("name: a\ncluster: {template: \x1b}\n", ":2: not valid YAML: contains the control character U+001B"),
        ("name: a\ncluster: {template: {{ TEMPLATE }}}\n", ":2: the placeholder {{ TEMPLATE }} has not been filled in"),
        (
            "name: a\ncluster: {template: t}\nhub: {host: 4.10}\n",
            ':3: hub.host: must be a string: put it in quotes, "4.10"',
        ),
        (
            "name: a\ncluster: {template: t}\nhub:\n  version: newest\n",
            ":4: hub.version: must be a version such as 4.3.5, 4.3 or 4, not 'newest'",
        ),
        ("name: a\ncluster: {template: t, workers: 2.5}\n", ":2: cluster.workers: must be a whole number, not 2.5"),
        ("name: a\ncluster: {template: t}\nhub: fast\n", ":3: hub: must be a mapping, not 'fast'"),
        (
            "name: a\ncluster: {template: t}\nhub: {values: {hub: {}}}\n",
            ":3: hub.values: must be a path, not a mapping",
        ),
        ("name: a\ncluster: {template: t}\nhub: {values: on}\n", ":3: hub.values: must be a path, not on"),
        (
            "name: a\ncluster: {template: t}\nhub: {https: 'no'}\n",
            ":3: hub.https: must be true or false, or a mapping, not 'no'",
        ),
        (
            "name: a\ncluster: {template: t}\nhub: {contact: me}\n",
            ":3: hub.contact: must be an e-mail address, not 'me'",
        ),
        ("name: a\ncluster: {template: <template>}\n", ":2: cluster.template: the placeholder <template> has not been"),
        ("name: a\ncluster: {template: t}\ncloud: CHANGEME\n", ":3: cloud: the placeholder CHANGEME has not been"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        deployment.load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "meaning"),
    [("yes", "true"), ("on", "true"), ("010", "8"), ("1e3", "1000"), ("0x10", "16"), ("3.0", "3"), ("1_000", "1000")],
)
def test_a_number_that_yaml_reads_as_another_is_refused(tmp_path, written, meaning):
    said = refused(tmp_path, f"name: a\ncluster:\n  template: t\n  workers: {written}\n")
    assert said == f":4: cluster.workers: YAML reads {written} as {meaning} (write a plain number, such as 3)"
    said = refused(tmp_path, f"name: a\ncluster: {{template: t}}\nautoscale: {{min: 0, max: {written}}}\n")
    assert said.startswith(f":3: autoscale.max: YAML reads {written} as {meaning}")
    said = refused(
        tmp_path,
        f"name: a\ncluster:\n  template: {{image: i, external_network: p, docker_volume_size: {written}}}\n",
    )
    assert said.startswith(f":3: cluster.template.docker_volume_size: YAML reads {written} as {meaning}")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "'https://hub.example.org'",
            "hub.host: must be a host name alone, without https:// or http://, not 'https://hub",
        ),
        (
            "'hub.example.org:8000'",
            "hub.host: must be a host name, such as hub.example.org, not 'hub.example.org:8000'",
        ),
        ("hub.example.org/jupyter", "hub.host: must be a host name, such as hub.example.org, not 'hub.example.org/jup"),
        ("''", "hub.host: must be a host name, such as hub.example.org, not ''"),
        (f"{'a' * 64}.org", "hub.host: must be a host name, such as hub.example.org, not 'aaa"),
        ("-x.example.org", "hub.host: must be a host name, such as hub.example.org, not '-x.example.org'"),
        ("192.0.2.7", "hub.https: a certificate needs a host name, and 192.0.2.7 is an IP address"),
        ("'[2001:db8::7]'", "hub.https: a certificate needs a host name, and [2001:db8::7] is an IP address"),
    ],
)
def test_a_host_that_cannot_be_in_a_url_with_a_certificate(tmp_path, host, said):
    text = f"name: a\ncluster: {{template: t}}\nhub: {{host: {host}, https: true}}\n"
    assert refused(tmp_path, text).startswith(f":3: {said}")


@pytest.mark.parametrize(
    ("https", "said"),
    [
        ("https: {contct: a@b.org}", ":4: unknown key 'hub.https.contct' (did you mean 'contact'?)"),
        ("https: {contact: me}", ":4: hub.https.contact: must be an e-mail address, not 'me'"),
        (
            "https: {contact: a@b.org, server: http://ca}",
            ":4: hub.https.server: must be an https:// URL, not 'http://ca'",
        ),
        (
            "https: {server: https://ca.example.org/dir}",
            ":4: hub.https.server: is for a certificate that is requested, wh",
        ),
        (
            "https: {challenge: dns}",
            ":4: hub.https.challenge: is for a certificate that is requested, which needs contact",
        ),
        ("https: {contact: a@b.org, challenge: tls}", ":4: hub.https.challenge: must be 'http' or 'dns', not 'tls'"),
        ("https: {contact: a@b.org, credentials_file: c}", ":4: hub.https.credentials_file: is for challenge: dns"),
        ("https: {certificate: c.pem}", ":4: hub.https: your own certificate also needs key"),
        ("https: {key: c.pem}", ":4: hub.https: your own certificate also needs certificate"),
        (
            "https: {contact: a@b.org, certificate: c, key: k}",
            ":4: hub.https.certificate: either contact to request a ce",
        ),
        ("https: {certificate: c, key: k}\n  contact: a@b.org", ":5: hub.contact: contradicts https: leave it out"),
        ("https: {contact: b@b.org}\n  contact: a@b.org", ":5: hub.contact: contradicts https: leave it out"),
    ],
)
def test_a_certificate_that_is_not_described_right(tmp_path, https, said):
    text = f"name: a\ncluster: {{template: t}}\nhub:\n  {https}\n  host: hub.a.org\n"
    assert refused(tmp_path, text).startswith(said)


def test_a_certificate_needs_a_host_name(tmp_path):
    text = "name: a\ncluster: {template: t}\nhub: {https: {contact: a@example.org}}\n"
    assert refused(tmp_path, text) == ":3: hub.https: a certificate needs a host name: set hub.host"


def test_where_the_certificate_comes_from(tmp_path):
    def https(text: str) -> Any:
        path = write(tmp_path, f"name: a\ncluster: {{template: t}}\nhub: {{host: hub.a.org, {text}}}\n")
        return deployment.load(path).hub.https

    assert https("https: false") is None
    assert https("https: true").contact is None
    old, new = https("https: true, contact: a@a.org"), https("https: {contact: a@a.org}")
    assert old == new
    assert (new.contact, new.server, new.challenge) == ("a@a.org", deployment.LETS_ENCRYPT, "http")
    assert not new.is_private
    staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert not https(f"https: {{contact: a@a.org, server: '{staging}'}}").is_private
    assert https("https: {contact: a@a.org, server: 'https://ca.notletsencrypt.org/dir'}").is_private
    own = https("https: {certificate: hub.crt, key: /etc/hub.key, ca_file: ca.pem}")
    assert (own.certificate, own.key, own.ca_file) == (tmp_path / "hub.crt", Path("/etc/hub.key"), tmp_path / "ca.pem")


@pytest.mark.parametrize(
    "host", ["localhost", "192.0.2.7", "'[2001:db8::7]'", "hub.example.org.", "my_hub.example.org"]
)
def test_a_host_without_a_certificate_may_be_an_address(tmp_path, host):
    path = write(tmp_path, f"name: a\ncluster: {{template: t}}\nhub: {{host: {host}}}\n")
    assert deployment.load(path).hub.host == host.strip("'")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("kept", "must be keep, or a floating IP such as 203.0.113.7, not 'kept'"),
        ("'2001:db8::7'", "must be keep, or a floating IP such as 203.0.113.7, not '2001:db8::7'"),
        ("keep, expose: NodePort", "is for a load balancer: with expose: NodePort, set access.floating_ip"),
    ],
)
def test_an_address_that_a_load_balancer_cannot_have(tmp_path, address, said):
    text = f"name: a\ncluster: {{template: t}}\nhub: {{address: {address}}}\n"
    assert refused(tmp_path, text) == f":3: hub.address: {said}"


def refused(folder: Path, text: str) -> str:
    """The line about the file, without its path."""
    path = write(folder, text)
    with pytest.raises(UserError) as caught:
        deployment.load(path)
    return str(caught.value).removeprefix(str(path))


def test_labels_are_text_as_it_was_written(tmp_path):
    text = (
        "name: a\ncluster:\n  labels: {kube_tag: 1.30, flag: yes, mode: 0644, a: '1'}\n  template: {labels: {x: True}"
    )
    spec = deployment.load(write(tmp_path, f"{text}, image: i, external_network: p}}\n")).cluster
    assert spec.labels == {"kube_tag": "1.30", "flag": "yes", "mode": "0644", "a": "1"}
    assert isinstance(spec.template, TemplateSpec)
    assert spec.template.labels == {"x": "True"}


@pytest.mark.parametrize(
    ("written", "version"), [("4.3", "4.3"), ("4.10", "4.10"), ("4", "4"), ('"4.3.5"', "4.3.5"), ("null", None)]
)
def test_a_version_that_yaml_takes_for_a_number(tmp_path, written, version):
    path = write(tmp_path, f"name: a\ncluster: {{template: t}}\nhub: {{version: {written}}}\n")
    assert deployment.load(path).hub.version == version


def test_all_mistakes_are_told_at_once(tmp_path):
    path = write(tmp_path, "name: a\ncluster: {template: t, wokers: 1, masters: zero}\nhup: {}\n")
    with pytest.raises(UserError) as caught:
        deployment.load(path)
    assert len(str(caught.value).splitlines()) == 3


def test_known_keys_are_listed_once(tmp_path):
    said = refused(tmp_path, "name: a\ncluster: {template: t}\nxyz: 1\nqqq: 2\n")
    assert said.count("known keys: name, cloud") == 1


def test_a_misspelt_key_of_a_template_is_not_missing_as_well(tmp_path):
    (path := tmp_path / "template.yaml").write_text("imag: i\nexternal_network: p\ndocker_volume_size: 010\n")
    with pytest.raises(UserError) as caught:
        deployment.template_spec(path, {})
    assert str(caught.value).splitlines() == [
        f"{path}:1: unknown key 'imag' (did you mean 'image'?)",
        f"{path}:3: docker_volume_size: YAML reads 010 as 8 (write a plain number, such as 3)",
    ]


def test_the_home_of_an_unknown_user_is_a_path_like_any_other(tmp_path):
    loaded = deployment.load(write(tmp_path, LEAST + "access: {private_key: ~nosuchuser/key}\n"))
    assert loaded.access.private_key == tmp_path / "~nosuchuser" / "key"


def test_a_missing_file_says_how_to_name_another(tmp_path):
    with pytest.raises(UserError, match=r"hub.yaml: no such file \(.*-f"):
        deployment.load(tmp_path / "hub.yaml")
