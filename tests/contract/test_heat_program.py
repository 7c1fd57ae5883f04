"""The `zerojhub heat` commands, with the practice cloud's Heat and a real one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.contract.clouds import Cloud
from tests.contract.session import PUBLIC_KEY
from zerojhub.openstack import hot

HUB = """
name: course
cloud: practice
cluster:
  name: hub
  keypair: mykey
  workers: 1
  template:
    name: for-course
    image: fedora-coreos-38
    external_network: public
    flavor: m1.small
    master_flavor: m1.medium
    labels: {kube_tag: v1.34.4}
  docker_volume_size: 20
  labels: {course: physics}
  discovery_url: https://discovery.example.org/abc
"""
TWO_MASTERS = """\
  other:
    type: OS::Magnum::Cluster
    properties: {cluster_template: {get_resource: cluster_template}, keypair: mykey, master_count: 2}
"""
LABELLED = """
heat_template_version: 2018-08-31
parameters:
  since: {type: string, default: 2016-10-14}
  labels: {type: json}
  mode: {type: number, default: 0744}
  names: {type: comma_delimited_list}
  text: {type: string}
outputs:
  all: {value: [{get_param: since}, {get_param: labels}, {get_param: mode}, {get_param: names}, {get_param: text}]}
  file: {value: {get_file: text}}
"""


@pytest.fixture(scope="module", params=["site", pytest.param("real_heat", marks=pytest.mark.agreement)])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    cloud = request.getfixturevalue(request.param)
    keypairs = cloud.client("/compute/v2.1")
    keypairs.post("/os-keypairs", json={"keypair": {"name": "mykey", "public_key": PUBLIC_KEY}}).raise_for_status()
    yield cloud
    keypairs.delete("/os-keypairs/mykey").raise_for_status()


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Shell:
    (tmp_path / "hub.yaml").write_text(HUB)
    given = {"OS_CLIENT_CONFIG_FILE": str(cloud.clouds), "OS_CLOUD": "practice", "XDG_STATE_HOME": str(tmp_path)}
    shell = Shell(tmp_path, {**os.environ, **given})
    (tmp_path / "k.yaml").write_text(shell.zerojhub("heat", "render", "-f", "hub.yaml").stdout)
    return shell


def test_it_renders_makes_shows_and_deletes_a_stack(cloud: Cloud, shell: Shell) -> None:
    create = ("heat", "create", "k", "-t", "k.yaml")
    refused = shell.zerojhub(*create, "--parameter", "keypair=nope", code=2).stderr
    assert "The Key (nope) could not be found." in refused
    assert (
        "The Parameter (wrokers) was not defined" in shell.zerojhub(*create, "--parameter", "wrokers=2", code=2).stderr
    )
    made = shell.json(*create, "-q")
    assert (made["stack_name"], made["stack_status"]) == ("k", "CREATE_COMPLETE")
    magnum = cloud.client("/container-infra/v1")
    cluster = magnum.get("/clusters/hub").json()
    assert (cluster["status"], cluster["floating_ip_enabled"]) == ("CREATE_COMPLETE", False)
    template = magnum.get(f"/clustertemplates/{cluster['cluster_template_id']}").json()
    assert template["labels"] == {"kube_tag": "v1.34.4", "course": "physics"}
    assert template["docker_volume_size"] == 20
    assert "already exists" in shell.zerojhub(*create, code=2).stderr
    assert [stack["stack_name"] for stack in shell.json("heat", "list") if stack["id"] == made["id"]] == ["k"]
    shown = {each["output_key"]: each["output_value"] for each in shell.json("heat", "show", "k")["outputs"]}
    assert shown == {name: cluster.get(name) for name in hot.ATTRIBUTES}
    assert shown["discovery_url"] == "https://discovery.example.org/abc"
    assert "did you mean" in shell.zerojhub("heat", "show", "kk", code=2).stderr
    shell.zerojhub("heat", "delete", "k", "--yes", "-q")
    assert magnum.get("/clusters/hub").status_code == 404
    # Its name is free at once.
    again = shell.json(*create, "--no-wait")
    assert again["id"] != made["id"]
    shell.zerojhub("heat", "delete", "k", "--yes", "-q")
    assert shell.json("heat", "list") == []


def test_a_stack_is_changed_in_place_and_keeps_what_is_not_given(cloud: Cloud, shell: Shell) -> None:
    made = shell.json("heat", "create", "k", "-t", "k.yaml", "-q")
    update = ("heat", "update", "k")
    changed = shell.json(*update, "--parameter", "workers=2", "-q")
    assert (changed["id"], changed["stack_status"]) == (made["id"], "UPDATE_COMPLETE")
    magnum = cloud.client("/container-infra/v1")
    cluster = magnum.get("/clusters/hub").json()
    assert (cluster["status"], cluster["node_count"], cluster["keypair"]) == ("UPDATE_COMPLETE", 2, "mykey")
    template = shell.folder / "k.yaml"
    template.write_text(template.read_text() + "  more: {value: {get_param: workers}}\n")
    outputs = {
        each["output_key"]: each["output_value"] for each in shell.json(*update, "-t", "k.yaml", "-q")["outputs"]
    }
    assert (outputs["more"], outputs["node_count"]) == (2, 2)
    assert "nothing to change was given (-t FILE, " in shell.zerojhub(*update, code=2).stderr
    shell.zerojhub("heat", "delete", "k", "--yes", "-q")


def test_a_change_that_fails_is_taken_back_when_asked(shell: Shell) -> None:
    shell.json("heat", "create", "k", "-t", "k.yaml", "-q")
    template = shell.folder / "k.yaml"
    # Two masters need a load balancer.
    template.write_text(template.read_text().replace("resources:\n", "resources:\n" + TWO_MASTERS))
    update = ("heat", "update", "k", "-t", "k.yaml", "-q")
    assert "stack k is ROLLBACK_COMPLETE: " in shell.zerojhub(*update, "--rollback", code=1).stderr
    assert "stack k is UPDATE_FAILED: " in shell.zerojhub(*update, code=1).stderr
    shell.zerojhub("heat", "delete", "k", "--yes", "-q")


def test_a_stack_that_fails_says_why_and_goes(shell: Shell) -> None:
    template = shell.folder / "k.yaml"
    template.write_text(template.read_text().replace("kube_tag: v1.34.4", "practice_fail: kube_minions"))
    failed = shell.zerojhub("heat", "create", "k", "-t", "k.yaml", "-q", code=1).stderr
    assert "stack k is CREATE_FAILED: Resource CREATE failed: ResourceInError: resources.cluster: Went to" in failed
    assert "CREATE_FAILED" in [stack["stack_status"] for stack in shell.json("heat", "list")]
    shell.zerojhub("heat", "delete", "k", "--yes", "-q")
    assert shell.json("heat", "list") == []


def test_a_template_and_its_parameters_mean_what_they_mean_to_heat(shell: Shell) -> None:
    (shell.folder / "labelled.yaml").write_text(LABELLED)
    (shell.folder / "text").write_text("one;two\n")
    create = ("heat", "create", "l", "-t", "labelled.yaml", "-q")
    (shell.folder / "env.yaml").write_text("parameters: {mode: 017, names: [z]}\n")
    (shell.folder / "more.yaml").write_text("parameters: {mode: 0755}\n")
    words = ["--parameter", 'labels={"a":"b","c":"d"};names=x,y', "--parameter-file", "text=text"]
    made = shell.json(*create, *words, "-e", "env.yaml", "-e", "more.yaml")
    outputs = {each["output_key"]: each["output_value"] for each in made["outputs"]}
    assert outputs["all"] == ["2016-10-14", {"a": "b", "c": "d"}, 493, ["x", "y"], "one;two\n"]
    assert outputs["file"] == "one;two\n"
    shell.zerojhub("heat", "delete", "l", "--yes", "-q")


def test_a_file_that_is_no_template_is_refused(shell: Shell) -> None:
    for text, said in (("", "the Heat template is empty"), ("- a\n", "must be a mapping")):
        (shell.folder / "bad.yaml").write_text(text)
        refused = shell.zerojhub("heat", "create", "b", "-t", "bad.yaml", code=2).stderr
        assert refused.startswith("error: bad.yaml:1: ")
        assert said in refused
