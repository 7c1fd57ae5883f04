"""Lists in an order, in parts and with chosen fields; and several things deleted at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum, Program

NAMES = ["c", "a", "b"]
CREATE = ("--image", "fedora-coreos-38", "--external-network", "public", "--flavor", "m1.small", "--tags", "mine")


@pytest.fixture
def made(program: Program, site: Site) -> Iterator[None]:
    """Three templates."""
    for name in NAMES:
        program.zerojhub("template", "create", name, *CREATE)
    yield
    for name in NAMES:
        for template in site.store.templates.named(name):
            del site.store.templates[template["uuid"]]


def names_in(program: Program, *words: str) -> list[str]:
    rows = program.json(*words)
    return [row["name"] for row in rows if row["name"] in NAMES]


def test_a_list_is_sorted_and_cut(program: Program, made: None) -> None:
    templates = ("template", "list")
    assert names_in(program, *templates) == NAMES
    assert names_in(program, *templates, "--sort-key", "name") == ["a", "b", "c"]
    newest = (*templates, "--sort-dir", "desc")
    assert names_in(program, *newest) == NAMES[::-1]
    assert names_in(program, *newest, "--limit", "2") == ["b", "a"]
    error = program.zerojhub(*templates, "--sort-key", "colour", code=1).stderr
    assert 'The sort_key value "colour" is an invalid field for sorting' in error
    assert (
        "--sort-dir: 'up' is not one of 'asc', 'desc'"
        in program.zerojhub(*templates, "--sort-dir", "up", code=2).stderr
    )


def test_a_limit_beyond_a_page_goes_on_to_the_next(
    program: Program, made: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = program.json("template", "list", "-c", "uuid")
    monkeypatch.setattr("zerojhub.practice.cloud.magnum.pages.MOST", 2)
    assert program.json("template", "list", "-c", "uuid") == whole
    assert program.json("template", "list", "-c", "uuid", "--limit", "5") == whole[:5]
    assert len(whole) > 5


def test_chosen_fields_and_csv(program: Program, made: None) -> None:
    printed = program.zerojhub("template", "list", "-c", "name", "-c", "tags", "-c", "labels", "-o", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert {"name": "a", "tags": "mine", "labels": "{}"} in rows
    assert program.json("template", "list", "-c", "name")[0].keys() == {"name"}
    assert "UUID" not in program.zerojhub("template", "list", "-c", "name").stdout
    error = program.zerojhub("template", "list", "-c", "nam", code=2).stderr
    assert "-c: no field 'nam' in the list (did you mean 'name'?)" in error


def test_several_templates_are_deleted_or_none(program: Program, made: None) -> None:
    delete = ("template", "delete", "a", "b")
    error = program.zerojhub(*delete, "d", "e", code=2).stderr
    assert len([line for line in error.splitlines() if line.startswith("error: no cluster template named")]) == 2
    assert "Delete 2 cluster templates a (" in program.zerojhub(*delete, code=2).stderr
    assert len(program.json(*delete, "a", "--yes")) == 2
    assert names_in(program, "template", "list") == ["c"]
    assert program.json("template", "delete", "c", "--yes").keys() == {"deleted"}


def test_clusters_and_node_groups(program: Program, magnum: Magnum) -> None:
    for name in ("second", "first"):
        magnum.settled(magnum.create(name, node_count=1))
    listed = program.zerojhub("cluster", "list", "--sort-key", "name", "-c", "name", "-c", "node_count", "-o", "csv")
    assert listed.stdout == "name,node_count\nfirst,1\nsecond,1\n"
    assert program.zerojhub("cluster", "list", "--limit", "1", "-c", "name").stdout == "NAME\nsecond\n"
    for name in ("x", "y"):
        program.zerojhub("nodegroup", "create", "first", name, "--nodes", "0")
    groups = program.json("nodegroup", "list", "first", "--sort-key", "name", "--sort-dir", "desc", "--limit", "2")
    assert [group["name"] for group in groups] == ["y", "x"]
    shown = program.zerojhub("nodegroup", "list", "first", "--role", "worker", "-c", "name").stdout.split()
    assert shown == ["NAME", "default-worker", "x", "y"]
    error = program.zerojhub("nodegroup", "delete", "first", "x", "y", "default-worker", "--yes", code=2).stderr
    assert "was created with the cluster and cannot be deleted" in error
    assert len(program.json("nodegroup", "list", "first")) == 4
    assert "Delete 2 clusters first (" in program.zerojhub("cluster", "delete", "first", "second", code=2).stderr
    assert "no cluster named 'third'" in program.zerojhub("cluster", "delete", "first", "third", "--yes", code=2).stderr
    done = program.json("cluster", "delete", "first", "second", "--yes")
    assert [each["kept"] for each in done] == [[], []]
    assert program.json("cluster", "list") == []
