"""What is said of a stack that is being made: how far it is, what it is at, and what is late."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zerojhub.cli.arguments import parse_parameters
from zerojhub.deployment import Deployment, load
from zerojhub.errors import UserError
from zerojhub.openstack import hot, stacks
from zerojhub.openstack.heat import StackResource


def resource(name: str, status: str, minutes: float = 0, *links: str, reason: str = "") -> StackResource:
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    return {
        "resource_name": name,
        "resource_type": "OS::Heat::Stack" if "nested" in links else "OS::Nova::Server",
        "physical_resource_id": f"id of {name}",
        "resource_status": status,
        "resource_status_reason": reason,
        "updated_time": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "links": [{"rel": rel, "href": ""} for rel in ("self", *links)],
    }


def test_what_is_late_is_named_first():
    listed = [
        resource("network", "CREATE_COMPLETE", 9, "nested"),
        resource("kube_masters", "CREATE_IN_PROGRESS", 8, "nested"),
        resource("kube_minions", "CREATE_IN_PROGRESS", 8, "nested"),
        resource("kube-minion", "CREATE_IN_PROGRESS", 0.5),
        resource("kube-master", "CREATE_IN_PROGRESS", 6),
    ]
    said = stacks.progress(listed, datetime.now(UTC))
    assert re.fullmatch(r"1 of 5 resources, now kube-master \(6 min 0\d s, late\), kube-minion", said), said


def test_what_has_not_begun_is_not_done():
    listed = [resource("network", "CREATE_COMPLETE"), resource("kube_minions", "INIT_COMPLETE")]
    assert stacks.progress(listed, datetime.now(UTC)) == "1 of 2 resources"


def test_nothing_under_way():
    assert stacks.progress([], datetime.now(UTC)) == ""
    assert stacks.progress([resource("network", "CREATE_COMPLETE")], datetime.now(UTC)) == "1 of 1 resources"


def test_what_was_aborted_is_no_reason():
    listed = [
        resource("kube_masters", "CREATE_FAILED", reason="ResourceInError: resources[0]: no room"),
        resource("kube-master", "CREATE_FAILED", reason="no  room\n"),
        resource("kube-minion", "CREATE_FAILED", reason="CREATE aborted"),
    ]
    assert stacks.failure(listed) == "kube-master: no room"


@pytest.mark.parametrize(("cluster", "name"), [({}, "workshop"), ({"name": "shared"}, "shared")])
def test_a_rendered_cluster_has_the_deployments_name_unless_it_has_its_own(cluster: dict[str, str], name: str) -> None:
    deployment = Deployment.model_validate({"name": "workshop", "cluster": {"template": "t", **cluster}})
    rendered = json.loads(json.dumps(hot.render(deployment, None)))
    assert rendered["resources"]["cluster"]["properties"]["name"] == name


# -- Heat templates -----------------------------------------------------------------------------------------------------

TEMPLATE = {"image": "fedora", "external_network": "public"}


def rendered(**cluster: Any) -> dict[str, Any]:
    """The properties of both resources in the template of a deployment with this cluster."""
    resources: Any = hot.render(Deployment.model_validate({"name": "workshop", "cluster": cluster}), None)["resources"]
    return {name: resource["properties"] for name, resource in resources.items()}


def test_the_clusters_own_options_are_rendered_in_its_template() -> None:
    own = {
        "flavor": "large",
        "master_flavor": "small",
        "docker_volume_size": 20,
        "fixed_network": "lan",
        "fixed_subnet": "lan4",
        "floating_ip_enabled": True,
    }
    template = {**TEMPLATE, "flavor": "tiny", "labels": {"kube_tag": "v1.30.0", "a": "1"}}
    properties = rendered(template=template, labels={"a": 2}, **own)
    assert {key: properties["cluster_template"][key] for key in own} == own
    assert properties["cluster_template"]["labels"] == {"kube_tag": "v1.30.0", "a": "2"}
    # Heat's own defaults differ from Magnum's.
    plain = rendered(template=TEMPLATE)["cluster_template"]
    assert [plain[key] for key in ("floating_ip_enabled", "master_lb_enabled")] == [False, False]


def test_the_bounds_of_an_autoscaler_are_rendered_as_labels() -> None:
    words = {"name": "w", "cluster": {"template": TEMPLATE}, "autoscale": {"min": 1, "max": 3}}
    resources: Any = hot.render(Deployment.model_validate(words), None)["resources"]
    labels = resources["cluster_template"]["properties"]["labels"]
    assert labels == {"auto_scaling_enabled": "true", "min_node_count": "1", "max_node_count": "3"}


@pytest.mark.parametrize(
    ("cluster", "line", "said"),
    [
        ("template: mine\n  flavor: large", 4, "cluster.flavor: Heat's OS::Magnum::Cluster has no such property"),
        ("template: mine\n  labels: {a: b}", 4, "cluster.labels: Heat's OS::Magnum::Cluster has no such property"),
        ("template: mine\n  floating_ip_enabled: false", 4, "make cluster.template a mapping"),
        ("template: mine\n  workers: 0", 4, "needs at least 1"),
        ("template: {%s, docker_storage_driver: overlay2}", 3, "Heat takes devicemapper, overlay, not 'overlay2'"),
        ("template: {%s, coe: swarm-mode}", 3, "cluster.template.coe: Heat takes kubernetes, swarm, mesos"),
        ("template: {%s, volume_driver: rexray}", 3, "volume_driver: Heat takes cinder for kubernetes, not 'rexray'"),
        ("template: {%s, volume_driver: nfs}", 3, "volume_driver: Heat takes cinder, rexray, not 'nfs'"),
        ("template: {%s, tags: a}", 3, "cluster.template.tags: Heat's OS::Magnum::ClusterTemplate has no such"),
        ("template: {%s, insecure_registry: a}", 3, "cluster.template.insecure_registry"),
        ("template: {%s, hidden: true}", 3, "cluster.template.hidden"),
        ('template: {%s, dns_nameserver: "9.9.9.9,8.8.8.8"}', 3, "Heat takes one IP address"),
    ],
)
def test_what_heat_does_not_take_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: str, line: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("hub.yaml")
    path.write_text("name: w\ncluster:\n  " + cluster.replace("%s", "image: fedora, external_network: public"))
    with pytest.raises(UserError) as refused:
        hot.render(load(path), None)
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the Heat template is empty"),
        ("# nothing yet\n---\n", "the Heat template is empty"),
        ("{}", "the Heat template is empty"),
        ("- a\n", "must be a mapping"),
        ("hello", "must be a mapping"),
        ("[]", "the Heat template is empty"),
    ],
)
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (path := tmp_path / "t.yaml").write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        hot.read(path)
    assert refused.value.where == f"{path}:1"


def test_a_template_is_sent_as_it_was_written(tmp_path: Path) -> None:
    text = "heat_template_version: 2018-08-31\nparameters: {since: {type: string, default: 2016-10-14}}\n"
    (path := tmp_path / "t.yaml").write_text(text)
    assert hot.read(path).text == text


def test_the_files_that_a_template_names_are_sent_with_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "child.yaml").write_text("outputs: {a: {value: {get_file: setup.sh}}}")
    (tmp_path / "parts" / "setup.sh").write_text("echo")
    (tmp_path / "motd").write_text("hello")
    text = "resources:\n  a:\n    type: parts/child.yaml\n    properties: {b: [{get_file: motd}, {type: string}]}\n"
    (path := tmp_path / "t.yaml").write_text(text)
    files = hot.read(path).files
    assert {name: files[name] for name in ("motd", "setup.sh")} == {"motd": "hello", "setup.sh": "echo"}
    assert set(files) == {"motd", "setup.sh", "parts/child.yaml"}
    (tmp_path / "motd").unlink()
    with pytest.raises(UserError, match="get_file: no such file: ") as refused:
        hot.read(path)
    assert refused.value.where == f"{path}:4"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("t.yaml", "a.yaml:2: the template t.yaml contains itself"),
        ("http://x/y.yaml", "t.yaml:2: type: URLs are not supported: http://x/y.yaml"),
    ],
)
def test_a_template_that_cannot_be_read_whole(tmp_path: Path, kind: str, said: str) -> None:
    text = "heat_template_version: 2018-08-31\nresources: {a: {type: %s}}\n"
    (tmp_path / "t.yaml").write_text(text % ("a.yaml" if kind == "t.yaml" else kind))
    (tmp_path / "a.yaml").write_text(text % kind)
    with pytest.raises(UserError) as refused:
        hot.read(tmp_path / "t.yaml")
    assert str(refused.value).startswith(f"{tmp_path}/{said}")


def test_later_environments_take_precedence(tmp_path: Path) -> None:
    (first := tmp_path / "1.yaml").write_text("parameters: {a: 1, b: 2026-01-01}\nparameter_defaults: {}\n")
    (second := tmp_path / "2.yaml").write_text("parameters: {a: 2}\n")
    assert hot.read_environment([first, second])["parameters"] == {"a": 2, "b": "2026-01-01"}
    second.write_text("- a")
    with pytest.raises(UserError, match="an environment must be a mapping"):
        hot.read_environment([second])


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        (['labels={"a":"b","c":"d"}'], {"labels": '{"a":"b","c":"d"}'}),
        (["servers=9.9.9.9,8.8.8.8"], {"servers": "9.9.9.9,8.8.8.8"}),
        (["a=1;b=2=3;"], {"a": "1", "b": "2=3"}),
        (["a=1;2", "b=3"], {"a": "1;2", "b": "3"}),
        (["a=1", "a=2", "a=3"], {"a": ["1", "2", "3"]}),
        (["a="], {"a": ""}),
    ],
)
def test_parameters_are_split_as_heats_own_client_splits_them(given: list[str], parameters: dict[str, Any]) -> None:
    assert parse_parameters(given) == parameters


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(UserError, match="--parameter: 'b' is not KEY=VALUE"):
        parse_parameters(["a=1;b"])
