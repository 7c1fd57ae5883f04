"""The ordinary client's `stack` and `orchestration` commands find everything here that they find elsewhere."""

from __future__ import annotations

from tests.contract.conftest import Site


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
