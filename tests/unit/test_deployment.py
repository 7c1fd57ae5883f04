"""Mistakes in hub.yaml: each is reported in one line, with file, line and a suggestion."""

from pathlib import Path

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
        ("name: a\ncluster:\n  template: t\n  workers: many\n", ":4: cluster.workers: input should be a valid integer"),
        ("name: a\ncluster:\n  workers: 1\n", "missing key 'cluster.template'"),
        ("name: 1 bad name\ncluster: {template: t}\n", ":1: name: string should match"),
        ("name: a\ncluster: {template: [t]}\n", ":2: cluster.template: input should be a valid string"),
        ("name: a\ncluster: {template: t\n", "not valid YAML"),
        (
            "name: a\ncluster: {template: t}\nhub:\n  chart: z2jh\n  contact: a@example.org\n",
            ":5: hub.contact: a certificate also needs host and https",
        ),
        (
            "name: a\ncluster: {template: t}\nhub: {chart: embedded, host: a.org, https: true, contact: a@example.org}\n",
            "the embedded chart cannot obtain certificates: set chart: z2jh",
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
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        deployment.load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


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


def test_the_home_of_an_unknown_user_is_a_path_like_any_other(tmp_path):
    loaded = deployment.load(write(tmp_path, LEAST + "access: {private_key: ~nosuchuser/key}\n"))
    assert loaded.access.private_key == tmp_path / "~nosuchuser" / "key"


def test_a_missing_file_says_how_to_name_another(tmp_path):
    with pytest.raises(UserError, match=r"hub.yaml: no such file \(.*-f"):
        deployment.load(tmp_path / "hub.yaml")
