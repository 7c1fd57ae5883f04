"""Changes to cluster templates, and templates with a driver of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clouds import Site, until
from tests.contract.conftest import Magnum, Program, practice, program_in

CREATE = (
    *("template", "create", "mine", "--image", "fedora-coreos-38", "--external-network", "public"),
    *(
        "--flavor",
        "m1.small",
        "--master-flavor",
        "m1.medium",
        "--labels",
        "kube_tag=v1.34.4,old=1,a.b/c=x",
        "--tags",
        "x",
    ),
)


@pytest.fixture
def made(site: Site, program: Program) -> Iterator[dict[str, Any]]:
    """A template, deleted after the clusters that use it."""
    template = program.json(*CREATE)
    yield template
    until(lambda: not site.store.clusters.where(cluster_template_id=template["uuid"]))
    program.zerojhub("template", "delete", template["uuid"], "--yes")


def test_values_labels_and_tags_change_and_everything_else_stays(
    site: Site, program: Program, made: dict[str, Any]
) -> None:
    words = ("--flavor", "m1.large", "--labels", "kube_tag=v1.34.5,new='", "--remove-label", "old")
    changed = program.json("template", "update", "mine", *words, "--tags", "x,y", "--floating-ip", "--name", "other")
    labels = {"kube_tag": "v1.34.5", "new": "'", "a.b/c": "x"}
    expected = {"name": "other", "flavor_id": "m1.large", "tags": "x,y", "floating_ip_enabled": True, "labels": labels}
    expected["updated_at"] = changed["updated_at"]
    assert changed == made | expected
    assert changed["updated_at"]
    [shown] = site.asked("coe cluster template show other")
    assert {key: shown[key] for key in ("flavor_id", "labels", "tags")} == {
        key: changed[key] for key in ("flavor_id", "labels", "tags")
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "template mine has these values already: nothing to change"),
        (["--flavor", "m1.small"], "nothing to change"),
        (["--flavor", "m1.smal"], "did you mean 'm1.small'?"),
        (["--network-driver", "docker"], "network driver 'docker' does not work with kubernetes"),
        (["--remove-label", "older"], "template mine has no label 'older'"),
        (["--labels", "older"], "--labels: 'older' is not KEY=VALUE"),
    ],
)
def test_what_would_fail_is_refused(program: Program, made: dict[str, Any], words: list[str], said: str) -> None:
    assert said in program.zerojhub("template", "update", "mine", *words, code=2).stderr
    assert program.json("template", "show", "mine") == made


@pytest.mark.parametrize("option", ["--public", "--hidden"])
def test_what_administrators_change_is_refused_to_others(program: Program, made: dict[str, Any], option: str) -> None:
    error = program.zerojhub("template", "update", "mine", option, code=1).stderr
    assert "Not authorized to set public or hidden flag for cluster template" in error
    assert (
        "nothing to change" in program.zerojhub("template", "update", "mine", "--visible", "--private", code=2).stderr
    )


def test_a_driver_that_there_is_not_shows_in_the_clusters(
    program: Program, made: dict[str, Any], magnum: Magnum
) -> None:
    assert program.json("template", "update", "mine", "--driver", "magic")["driver"] == "magic"
    cluster = magnum.settled(magnum.create("hub", node_count=1, cluster_template_id=made["uuid"]))
    assert cluster["status"] == "CREATE_FAILED"
    assert "Cluster driver (magic) not supported" in cluster["faults"]["default-worker"]


def test_a_template_without_flavors_needs_both(program: Program) -> None:
    program.zerojhub("template", "create", "bare", "--image", "fedora-coreos-38", "--external-network", "public")
    try:
        error = program.zerojhub("template", "update", "bare", "--tags", "x", code=1).stderr
        assert "give --flavor and --master-flavor, too" in error
        both = ("--flavor", "m1.small", "--master-flavor", "m1.small")
        assert program.json("template", "update", "bare", "--tags", "x", *both)["tags"] == "x"
    finally:
        program.zerojhub("template", "delete", "bare", "--yes")


def test_a_template_in_use_changes_only_its_looks(program: Program, made: dict[str, Any], magnum: Magnum) -> None:
    magnum.settled(magnum.create("hub", node_count=1, cluster_template_id=made["uuid"]))
    error = program.zerojhub("template", "update", "mine", "--flavor", "m1.large", code=2).stderr
    assert "template mine is used by hub (Magnum changes only its name, its tags or its visibility" in error
    error = program.zerojhub("template", "update", "mine", "--name", "new", "--tags", "z", code=2).stderr
    assert "one at a time" in error
    assert program.json("template", "update", "mine", "--tags", "z")["tags"] == "z"
    assert program.json("template", "update", made["uuid"], "--name", "new")["name"] == "new"


def test_a_driver_is_chosen(program: Program) -> None:
    options = ("--driver", "k8s_cluster_api_ubuntu", "--visible", "--tls-enabled")
    template = program.json(*CREATE, *options)
    assert template["driver"] == "k8s_cluster_api_ubuntu"
    program.zerojhub("template", "delete", template["uuid"], "--yes")
    assert "Cluster driver (magic) not supported" in program.zerojhub(*CREATE, "--driver", "magic", code=1).stderr


def test_an_older_magnum_has_neither_drivers_nor_tags(tmp_path: Path) -> None:
    with practice(tmp_path, "magnum-heat") as site, program_in(tmp_path, site) as program:
        create = ("template", "create", "mine", "--image", "fedora-atomic-29", "--external-network", "public")
        flavors = ("--flavor", "m1.small", "--master-flavor", "m1.small")
        said = program.zerojhub(*create, *flavors, "--driver", "k8s_fedora_atomic_v1", code=2).stderr
        assert "the Magnum of cloud practice is too old for driver (leave it out)" in said
        program.zerojhub(*create, *flavors)
        said = program.zerojhub("template", "update", "mine", "--tags", "x", code=2).stderr
        assert "the Magnum of cloud practice is too old for tags (leave it out)" in said
        assert program.json("template", "update", "mine", "--labels", "a=b")["labels"] == {"a": "b"}
