"""Magnum's quotas, statistics and services: one's own, and those of others for administrators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.clouds import PASSWORD, Site
from tests.contract.conftest import Magnum, Program

ADMIN = """
  admin:
    region_name: practice
    auth:
      auth_url: {url}/identity/v3
      username: admin
      password: {password}
      project_name: service
      user_domain_name: Default
      project_domain_name: Default
"""


@pytest.fixture
def project(site: Site) -> str:
    found: str = site.store.projects.named("practice")[0]["id"]
    return found


@pytest.fixture(autouse=True)
def admin(site: Site) -> Iterator[None]:
    """The cloud `admin` in clouds.yaml."""
    before = site.clouds.read_text()
    site.clouds.write_text(before + ADMIN.format(url=site.url, password=PASSWORD))
    yield
    site.clouds.write_text(before)
    site.store.cluster_quotas.clear()


def test_an_administrator_sets_quotas_and_takes_them_back(program: Program, project: str) -> None:
    admin = ("--cloud", "admin")
    assert program.json("quota", "list", *admin) == []
    assert "20 clusters (Magnum's default)" in program.zerojhub("quota", "show", "--project", project, *admin).stdout
    for limit in (3, 4, 4):
        done = program.zerojhub("quota", "set", str(limit), "--project", project, *admin)
        assert done.stdout == f"project {project} may have {limit} clusters\n"
    assert program.zerojhub("quota", "show").stdout == f"project {project}: 0 of 4 clusters\n"
    [listed] = program.json("quota", "list", "--all-projects", *admin)
    assert (listed["project_id"], listed["resource"], listed["hard_limit"]) == (project, "Cluster", 4)
    delete = ("quota", "delete", "--project", project, *admin)
    assert "Magnum's default will apply. (confirm with --yes)" in program.zerojhub(*delete, code=2).stderr
    assert "may have 20 clusters (Magnum's default)" in program.zerojhub(*delete, "--yes").stdout
    assert "no quota was set for project" in program.zerojhub(*delete, "--yes", code=2).stderr
    error = program.zerojhub("quota", "set", "3", "--project", "none", *admin, code=1).stderr
    assert "The project_id none could not be found" in error
    error = program.zerojhub("quota", "set", "3", "--project", project, "--resource", "Node", *admin, code=2).stderr
    assert "'Node' is not one of 'Cluster'" in error


def test_a_quota_that_somebody_else_sets_meanwhile_is_changed(
    program: Program, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_set(*_: object) -> bool:
        return False

    monkeypatch.setattr("zerojhub.openstack.magnum_quotas._is_set", not_set)
    for limit in ("3", "5"):
        program.zerojhub("quota", "set", limit, "--project", project, "--cloud", "admin")
    assert program.json("quota", "show")["hard_limit"] == 5


def test_a_quota_limits_clusters(site: Site, program: Program, magnum: Magnum, project: str) -> None:
    magnum.settled(magnum.create("first", node_count=2))
    program.zerojhub("quota", "set", "1", "--project", project, "--cloud", "admin")
    shown = program.json("quota", "show")
    assert (shown["hard_limit"], shown["used"]) == (1, 1)
    create = ("cluster", "create", "second", "--template", "kubernetes-v1.34.4", "--keypair", "mykey")
    assert "quota: 1 cluster needed, 0 of 1 free" in program.zerojhub(*create, code=2).stderr
    program.zerojhub("quota", "delete", "--project", project, "--cloud", "admin", "--yes")
    program.zerojhub(*create, "--no-wait")
    magnum.settled("second")


def test_statistics_count_masters_and_workers(program: Program, magnum: Magnum, project: str) -> None:
    magnum.settled(magnum.create("first", node_count=2))
    assert program.zerojhub("stats").stdout == "1 cluster, 3 nodes\n"
    assert program.json("stats", "--project", project, "--cloud", "admin") == {"clusters": 1, "nodes": 3}
    assert program.json("stats", "--cloud", "admin") == {"clusters": 0, "nodes": 0}


def test_services_are_listed_for_administrators(program: Program) -> None:
    [service] = program.json("service", "list", "--cloud", "admin")
    assert (service["binary"], service["state"], service["disabled"]) == ("magnum-conductor", "up", False)
    assert "magnum-conductor  up" in program.zerojhub("service", "list", "--cloud", "admin").stdout


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["quota", "list"], "quota:get_all", "list quotas; your project's: zerojhub quota show"),
        (["quota", "set", "5"], "quota:get_all", "set quotas"),
        (["quota", "delete", "--yes"], "quota:get_all", "delete quotas"),
        (["quota", "show", "--project", "x"], "Not authorized", "ask for other projects"),
        (["stats", "--project", "x"], "Not authorized", "ask for other projects"),
        (["service", "list"], "magnum-service:get_all", "list services"),
    ],
)
def test_others_are_told_who_may(program: Program, words: list[str], said: str, hint: str) -> None:
    error = program.zerojhub(*words, code=1).stderr
    assert said in error
    assert f"(only administrators may {hint})" in error
