"""The `openstack stack` and `openstack orchestration` commands work as on a real cloud."""

from __future__ import annotations

from pathlib import Path

from tests.contract.clouds import Site


def test_the_client_says_what_may_stand_in_a_template(site: Site) -> None:
    build, versions, functions, types, described = site.asked(
        "orchestration build info",
        "orchestration template version list",
        "orchestration template function list heat_template_version.pike",
        "orchestration resource type list",
        "orchestration resource type list --long --filter name=.*Template",
    )
    assert set(build) == {"api", "engine"}
    assert {"Version": "heat_template_version.2013-05-23", "Type": "hot", "Aliases": []} in versions
    assert versions[-1]["Aliases"] == ["heat_template_version.wallaby"]
    assert {"get_param", "get_attr", "str_replace_strict"} < {item["Functions"] for item in functions}
    assert [item["Resource Type"] for item in types] == ["OS::Magnum::Cluster", "OS::Magnum::ClusterTemplate"]
    assert [item["Resource Type"] for item in described] == ["OS::Magnum::ClusterTemplate"]
    assert described[0]["Description"].startswith("A resource for the ClusterTemplate in Magnum.")
    assert "version not found: heat_template_version.1999" in site.refused(
        "orchestration template function list heat_template_version.1999"
    )


TEMPLATE = """
heat_template_version: 2018-08-31
description: for a course
parameters:
  flavor: {type: string, default: m1.small}
  secret: {type: string, default: shh, hidden: true}
resources:
  template:
    type: OS::Magnum::ClusterTemplate
    properties:
      name: course
      image: fedora-coreos-38
      flavor: {get_param: flavor}
      master_flavor: m1.medium
      coe: kubernetes
      external_network: public
      docker_storage_driver: overlay
outputs:
  id: {value: {get_resource: template}, description: its id}
"""


def test_the_client_takes_a_stack_through_its_life(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "course.yaml"
    file.write_text(TEMPLATE)
    create = f"stack create --wait -t {file} --parameter flavor=m1.medium --parameter secret=mine course"
    valid, stack, resources, resource, outputs, output = site.asked(
        f"orchestration template validate -t {file}",
        create,
        "stack resource list course",
        "stack resource show course template",
        "stack output list course",
        "stack output show course id",
    )
    assert set(valid["Parameters"]) == {"flavor", "secret"}
    assert stack["stack_status"] == "CREATE_COMPLETE"
    made = site.store.templates.named("course")[0]
    assert made["flavor_id"] == "m1.medium"
    assert [item["physical_resource_id"] for item in resources] == [made["uuid"]]
    assert (resource["resource_type"], resource["resource_status"]) == (
        "OS::Magnum::ClusterTemplate",
        "CREATE_COMPLETE",
    )
    assert ([item["output_key"] for item in outputs], output["output_value"]) == (["id"], made["uuid"])
    template, environment, files, updated, events = site.asked(
        "stack template show course",
        "stack environment show course",
        "stack file list course",
        "stack update --wait --existing --parameter flavor=m1.small course",
        "stack event list course",
    )
    assert (template["description"], list(template["resources"])) == ("for a course", ["template"])
    assert (environment["parameters"], files) == ({"flavor": "m1.medium", "secret": "******"}, {"files": {}})
    assert updated["stack_status"] == "UPDATE_COMPLETE"
    assert [each["flavor_id"] for each in site.store.templates.named("course")] == ["m1.small"]
    assert events[-1]["resource_status"] == "UPDATE_COMPLETE"
    site.openstack("stack delete --yes --wait course")
    assert site.store.templates.named("course") == []
    assert "Stack not found: course" in site.refused("stack show course")
