"""Heat: clusters from users' own templates, rejected templates, and the life of a stack."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.clouds import Site, until
from tests.contract.conftest import Magnum

HOT: dict[str, Any] = {
    "heat_template_version": "2018-08-31",
    "description": "Kubernetes for a course",
    "parameters": {
        "keypair": {"type": "string", "constraints": [{"custom_constraint": "nova.keypair"}]},
        "workers": {"type": "number", "default": 1, "constraints": [{"range": {"min": 1, "max": 3}}]},
        "course": {"type": "string", "default": "physics", "constraints": [{"allowed_pattern": "[a-z]+"}]},
        "secret": {"type": "string", "default": "shh", "hidden": True},
        "labels": {"type": "json", "default": {"kube_tag": "v1.34.4"}},
    },
    "resources": {
        "cluster": {
            "type": "OS::Magnum::Cluster",
            "properties": {
                "name": {"list_join": ["-", ["hub", {"get_param": "course"}]]},
                "cluster_template": {"get_resource": "template"},
                "keypair": {"get_param": "keypair"},
                "node_count": {"get_param": "workers"},
            },
        },
        "template": {
            "type": "OS::Magnum::ClusterTemplate",
            "properties": {
                "name": {"str_replace": {"template": "for-$course", "params": {"$course": {"get_param": "course"}}}},
                "image": "fedora-coreos-38",
                "flavor": "m1.small",
                "master_flavor": "m1.medium",
                "coe": "kubernetes",
                "external_network": "public",
                "floating_ip_enabled": False,
                "master_lb_enabled": False,
                "docker_storage_driver": "overlay",
                "labels": {"get_param": "labels"},
            },
        },
    },
    "outputs": {
        "api": {"description": "Where it is", "value": {"get_attr": ["cluster", "api_address"]}},
        "first": {"value": {"get_attr": ["cluster", "node_addresses", 0]}},
        "id": {"value": {"get_resource": "cluster"}},
    },
}


class Heat:
    def __init__(self, site: Site):
        self.site = site
        self.client = site.client(site.heat)
        self.client.follow_redirects = True

    def create(self, name: str = "course", template: object = HOT, **more: Any) -> httpx.Response:
        parameters = {"keypair": "mykey", **more.pop("parameters", {})}
        body = {"stack_name": name, "template": template, "parameters": parameters, **more}
        return self.client.post("/stacks", json=body)

    def update(self, method: str = "PATCH", name: str = "course", **body: object) -> dict:
        answer = self.client.request(method, f"/stacks/{name}/{self.show(name)['id']}", json=body)
        assert answer.status_code == 202, answer.text
        return self.settled(name)

    def show(self, name: str = "course") -> dict:
        return self.client.get(f"/stacks/{name}").json()["stack"]

    def settled(self, name: str = "course") -> dict:
        until(lambda: "PROGRESS" not in self.show(name)["stack_status"])
        return self.show(name)

    def delete(self, name: str = "course") -> None:
        path = f"/stacks/{name}/{self.show(name)['id']}"
        assert self.client.delete(path).status_code == 204
        until(lambda: self.client.get(path).json()["stack"]["stack_status"] == "DELETE_COMPLETE")


@pytest.fixture
def heat(site: Site, magnum: Magnum) -> Heat:
    return Heat(site)


def test_a_stack_makes_a_template_and_a_cluster_and_takes_them_away(site: Site, heat: Heat, magnum: Magnum) -> None:
    answer = heat.create(parameters={"workers": "2"})
    assert answer.status_code == 201, answer.text
    assert set(answer.json()["stack"]) == {"id", "links"}
    stack = heat.settled()
    assert (stack["stack_status"], stack["stack_status_reason"]) == (
        "CREATE_COMPLETE",
        "Stack CREATE completed successfully",
    )
    cluster = magnum.show("hub-physics")
    assert (cluster["status"], cluster["node_count"], cluster["keypair"]) == ("CREATE_COMPLETE", 2, "mykey")
    template = magnum.client.get("/clustertemplates/for-physics").json()
    assert (template["uuid"], template["labels"]) == (cluster["cluster_template_id"], {"kube_tag": "v1.34.4"})
    assert {each["output_key"]: each["output_value"] for each in stack["outputs"]} == {
        "api": cluster["api_address"],
        "first": cluster["node_addresses"][0],
        "id": cluster["uuid"],
    }
    assert stack["parameters"]["workers"] == "2"
    assert stack["parameters"]["secret"] == "******"
    resources = heat.client.get("/stacks/course/resources").json()["resources"]
    made = {each["resource_name"]: each["physical_resource_id"] for each in resources}
    assert made == {"template": template["uuid"], "cluster": cluster["uuid"]}
    events = heat.client.get("/stacks/course/events?sort_dir=asc").json()["events"]
    done = [(each["resource_name"], each["resource_status"]) for each in events]
    assert done.index(("template", "CREATE_COMPLETE")) < done.index(("cluster", "CREATE_IN_PROGRESS"))
    written = [json.loads(line) for line in site.audit.read_text().splitlines()]
    asked = [(each["method"], each["path"], each["user"]) for each in written if each["service"] == "container-infra"]
    assert ("POST", "/container-infra/v1/clusters", "practice") in asked
    heat.delete()
    assert magnum.client.get("/clusters").json()["clusters"] == []
    assert magnum.client.get("/clustertemplates/for-physics").status_code == 404


def test_a_cluster_that_fails_fails_its_stack_which_then_goes(heat: Heat, magnum: Magnum) -> None:
    heat.create(parameters={"labels": {"practice_fail": "kube_minions"}}).raise_for_status()
    stack = heat.settled()
    assert stack["stack_status"] == "CREATE_FAILED"
    assert stack["stack_status_reason"] == (
        "Resource CREATE failed: ResourceInError: resources.cluster: Went to status CREATE_FAILED due to "
        "\"Failed to create Cluster 'cluster' - default-master failed, default-worker failed\""
    )
    heat.delete()
    assert magnum.client.get("/clusters").json()["clusters"] == []


def test_an_update_changes_in_place_what_it_can(heat: Heat, magnum: Magnum) -> None:
    heat.create(parameters={"course": "biology"})
    heat.settled()
    before = magnum.show("hub-biology")
    stack = heat.update(parameters={"workers": 2})
    assert (stack["stack_status"], stack["parameters"]["course"]) == ("UPDATE_COMPLETE", "biology")
    after = magnum.show("hub-biology")
    assert (after["uuid"], after["node_count"], after["status"]) == (before["uuid"], 2, "UPDATE_COMPLETE")
    events = [
        (each["resource_name"], each["resource_status"])
        for each in heat.client.get("/stacks/course/events?sort_dir=asc").json()["events"]
    ]
    assert events[-4:] == [
        ("course", "UPDATE_IN_PROGRESS"),
        ("cluster", "UPDATE_IN_PROGRESS"),
        ("cluster", "UPDATE_COMPLETE"),
        ("course", "UPDATE_COMPLETE"),
    ]
    heat.delete()


CHOICE = """
heat_template_version: 2018-08-31
parameters:
  keypair: {type: string}
  spare: {type: boolean, default: no}
  names: {type: comma_delimited_list, default: "a,b"}
conditions:
  spare: {get_param: spare}
resources:
  one: &template
    type: OS::Magnum::ClusterTemplate
    properties: &properties
      name: {list_join: ["-", [one, {str_split: [",", "x,y", 1]}]]}
      image: fedora-coreos-38
      coe: kubernetes
      external_network: public
      docker_storage_driver: overlay
      labels:
        map_merge:
          - {mode: 0744, since: 2016-10-14}
          - if: [spare, {spare: "yes"}, {spare: "no"}]
  two:
    <<: *template
    condition: spare
    properties: {<<: *properties, name: two}
outputs:
  names: {value: {repeat: {template: name-%n%, for_each: {"%n%": {get_param: names}}}}}
  two: {condition: spare, value: {get_resource: two}}
"""


def test_a_resource_with_a_false_condition_is_not_made(heat: Heat, magnum: Magnum) -> None:
    def made() -> dict[str, dict[str, str]]:
        listed = magnum.client.get("/clustertemplates").json()["clustertemplates"]
        return {each["name"]: each["labels"] for each in listed if each["name"] in ("one-y", "two")}

    heat.create(template=CHOICE).raise_for_status()
    outputs = {each["output_key"]: each["output_value"] for each in heat.settled()["outputs"]}
    assert outputs == {"names": ["name-a", "name-b"], "two": None}
    assert made() == {"one-y": {"mode": "484", "since": "2016-10-14", "spare": "no"}}
    heat.update(parameters={"spare": "true"})
    assert set(made()) == {"one-y", "two"}
    assert made()["two"]["spare"] == "yes"
    heat.update(parameters={"spare": "false"})
    assert set(made()) == {"one-y"}
    heat.delete()
    assert made() == {}


def test_an_update_makes_the_rest_anew_and_takes_the_old_away_last(heat: Heat, magnum: Magnum) -> None:
    heat.create()
    heat.settled()
    before = magnum.show("hub-physics")
    # A PUT says everything: what it leaves out has its default.
    changed = {"keypair": "mykey", "labels": {"kube_tag": "v1.15.7"}}
    stack = heat.update("PUT", template=HOT, parameters=changed)
    assert stack["stack_status"] == "UPDATE_COMPLETE"
    (after,) = magnum.client.get("/clusters").json()["clusters"]
    assert after["uuid"] != before["uuid"]
    assert after["labels"] == {"kube_tag": "v1.15.7"}
    mine = [each for each in magnum.client.get("/clustertemplates").json()["clustertemplates"] if not each["public"]]
    assert [each["uuid"] for each in mine] == [after["cluster_template_id"]]
    without = copy.deepcopy(HOT)
    del without["resources"]["cluster"], without["outputs"]
    assert heat.update(template=without)["stack_status"] == "UPDATE_COMPLETE"
    assert magnum.client.get("/clusters").json()["clusters"] == []
    assert [each["resource_name"] for each in heat.client.get("/stacks/course/resources").json()["resources"]] == [
        "template"
    ]
    heat.delete()


def test_an_update_that_magnum_refuses_fails_and_rolls_back_when_asked(heat: Heat, magnum: Magnum) -> None:
    heat.create()
    heat.settled()
    before, more = magnum.show("hub-physics"), copy.deepcopy(HOT)
    more["resources"]["cluster"]["properties"]["master_count"] = 3
    stack = heat.update(template=more)
    assert stack["stack_status"] == "UPDATE_FAILED"
    assert stack["stack_status_reason"].startswith(
        "Resource UPDATE failed: BadRequest: resources.cluster: cannot change cluster property(ies) master_count."
    )
    assert magnum.show("hub-physics")["uuid"] == before["uuid"]
    # What failed is made anew by the next update, though nothing more of it changed.
    assert heat.update(template=HOT)["stack_status"] == "UPDATE_COMPLETE"
    (after,) = magnum.client.get("/clusters").json()["clusters"]
    assert after["uuid"] != before["uuid"]
    more["resources"]["other"] = {
        "type": "OS::Magnum::Cluster",
        "properties": {"cluster_template": "none", "keypair": "mykey"},
    }
    answer = heat.client.patch(f"/stacks/course/{stack['id']}", json={"template": more})
    assert answer.status_code == 400
    assert heat.show()["stack_status"] == "UPDATE_COMPLETE"
    more["resources"]["other"]["properties"]["cluster_template"] = {"get_resource": "template"}
    more["resources"]["other"]["properties"]["master_count"] = 2
    del more["resources"]["cluster"]["properties"]["master_count"]
    assert heat.update(template=more, disable_rollback=False)["stack_status"] == "ROLLBACK_COMPLETE"
    (there,) = magnum.client.get("/clusters").json()["clusters"]
    assert there["uuid"] == after["uuid"]
    heat.delete()


def test_an_update_of_a_stack_that_is_being_made_takes_the_place_of_that(
    site: Site, heat: Heat, magnum: Magnum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.ground, "held", {"boot"})
    heat.create()
    answer = heat.client.patch(f"/stacks/course/{heat.show()['id']}", json={"parameters": {"workers": 2}})
    assert answer.status_code == 202
    site.ground.held = set()
    assert heat.settled()["stack_status"] == "UPDATE_COMPLETE"
    assert magnum.show("hub-physics")["node_count"] == 2
    events = heat.client.get("/stacks/course/events").json()["events"]
    assert "CREATE_COMPLETE" not in [each["resource_status"] for each in events if each["resource_name"] == "course"]
    heat.delete()


def test_what_magnum_refuses_fails_the_stack_and_rollback_takes_the_rest_away(heat: Heat, magnum: Magnum) -> None:
    template = copy.deepcopy(HOT)
    template["resources"]["cluster"]["properties"] |= {"master_count": 3}
    heat.create(template=template, disable_rollback=False).raise_for_status()
    until(lambda: heat.show()["stack_status"] == "ROLLBACK_COMPLETE")
    assert magnum.client.get("/clustertemplates/for-physics").status_code == 404
    events = heat.client.get("/stacks/course/events?sort_dir=asc").json()["events"]
    reasons = [each["resource_status_reason"] for each in events if each["resource_status"] == "CREATE_FAILED"]
    assert "BadRequest: resources.cluster: master_count must be 1 when master_lb_enabled is False (HTTP 400)" in (
        " ".join(reasons)
    )
    heat.delete()


def test_what_a_template_leaves_out_is_as_heat_has_it(heat: Heat, magnum: Magnum) -> None:
    template = copy.deepcopy(HOT)
    for name in ("floating_ip_enabled", "master_lb_enabled"):
        del template["resources"]["template"]["properties"][name]
    heat.create(template=template).raise_for_status()
    assert heat.settled()["stack_status"] == "CREATE_COMPLETE"
    cluster = magnum.show("hub-physics")
    assert (cluster["floating_ip_enabled"], cluster["master_lb_enabled"]) == (True, True)
    heat.delete()


def test_a_cluster_that_was_deleted_elsewhere_does_not_hold_its_stack(heat: Heat, magnum: Magnum) -> None:
    heat.create().raise_for_status()
    heat.settled()
    magnum.delete(magnum.show("hub-physics")["uuid"])
    assert heat.show()["outputs"][0]["output_value"] is None
    heat.delete()


def test_a_stack_that_is_being_made_can_be_deleted(
    site: Site, heat: Heat, magnum: Magnum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.ground, "held", {"boot"})
    heat.create().raise_for_status()
    until(lambda: len(site.store.servers) == 2)
    heat.delete()
    assert not site.store.servers


def test_magnums_own_stacks_are_left_to_magnum(heat: Heat, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create(node_count=0))
    name = heat.show(cluster["cluster_id"])["stack_name"]
    assert heat.client.delete(f"/stacks/{name}/{cluster['cluster_id']}").status_code == 403


def test_the_ordinary_client_takes_a_stack_through_its_life(site: Site, heat: Heat, tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text(json.dumps(HOT))
    said = site.openstack(
        f"orchestration template validate -t {tmp_path}/k.yaml --parameter keypair=mykey -f json",
        f"stack create -t {tmp_path}/k.yaml --parameter keypair=mykey --parameter workers=2 course -f json",
    )
    decoder = json.JSONDecoder()
    checked, end = decoder.raw_decode(said.lstrip())
    assert checked["Parameters"]["workers"]["Type"] == "Number"
    assert json.loads(said.lstrip()[end:])["stack_name"] == "course"
    heat.settled()
    said = site.openstack("stack update course --existing --parameter workers=1 --wait -f json")
    assert "UPDATE_COMPLETE" in said
    said = site.openstack(
        "stack list -f value",
        "stack show course -f value -c stack_status",
        "stack resource list course -f value -c resource_name",
        "stack output show course api -f value -c output_value",
        "stack template show course -f value -c heat_template_version",
        "stack event list course -f value",
        "stack delete course --yes",
    )
    for word in ("course", "UPDATE_COMPLETE", "template", "cluster", ":6443", "2018-08-31", "state changed"):
        assert word in said
    until(lambda: not site.store.stacks)
