"""Every workshop has a page with all its sections, a diagram, files, and exercises that the page checks."""

from __future__ import annotations

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import anyio
import pytest

from tests.command import run
from tests.conftest import ROOT
from tests.journey import pages
from zerojhub import cli
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.practice import build, control
from zerojhub.workshops import WORKSHOPS
from zerojhub.workshops.base import NotDone, Outcome, Workshop, exercise
from zerojhub.workshops.pages import files
from zerojhub.workshops.world import World

HOME = ROOT / "docs" / "workshops"
each = pytest.mark.parametrize("workshop", WORKSHOPS, ids=lambda workshop: workshop.slug)


@each
def test_the_page_has_its_sections_in_order(workshop):
    text = (HOME / f"{workshop.slug}.md").read_text()
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    assert headings[0] == f"{workshop.number}. {workshop.title()}"
    assert (headings[1], headings[-3:]) == ("Set up", ["Exercises", "Clean up", "For teachers"])
    assert "**You will learn**" in text and f"**Time**: {workshop.minutes} minutes" in text
    assert len(re.findall(r"^\d\. \*\*", text.partition("## Exercises")[2], re.M)) == len(workshop.exercises)
    assert text.count("<details>") == text.count("</details>") > 0


@each
def test_the_page_checks_every_exercise_before_and_after(workshop):
    checks = [
        step.prints
        for step in pages.steps(HOME / f"{workshop.slug}.md")
        if f"zerojhub workshop check {workshop.number}" in step.text
    ]
    before, after = "\n".join(checks[0]), "\n".join(checks[-1])
    for number, task in enumerate(workshop.exercises, 1):
        assert re.search(rf"^{number} +not yet +{re.escape(task.text)}", before, re.M)
        assert re.search(rf"^{number} +done +{re.escape(task.text)}", after, re.M)


@each
def test_the_files_exist_and_the_diagram_is_described(workshop):
    found = files(workshop)
    assert {"README.md", "hub.yaml", "config.yaml"} <= found.keys()
    assert all(path.is_file() for path in found.values())
    picture = ElementTree.parse(found[f"{workshop.slug}.svg"]).getroot()
    names = [child.tag.rpartition("}")[2] for child in picture]
    assert names[:2] == ["title", "desc"]
    assert f"({workshop.slug}.svg)" in found["README.md"].read_text()


@each
def test_it_starts_with_a_kubernetes_version_that_is_built(workshop):
    version = build.OLDER[0] if workshop.older else build.KUBERNETES
    assert f"template: kubernetes-{version}," in files(workshop)["hub.yaml"].read_text()


def test_the_index_lists_every_workshop():
    text = (HOME / "index.md").read_text()
    for workshop in WORKSHOPS:
        row = f"| {workshop.number} | [{workshop.title()}]({workshop.slug}.md) | {workshop.minutes} |"
        assert row in text


class Lesson(Workshop):
    """A lesson."""

    number, slug, minutes = 8, "8-a-lesson", 10


@exercise
async def easy(world: World) -> None:
    """Do nothing."""


@exercise
async def hard(world: World) -> None:
    """Do something."""
    raise NotDone("nothing was done")


@exercise
async def unreachable(world: World) -> None:
    """Reach the cluster."""
    raise ZeroJHubError("no response", where="k8s")


def test_every_exercise_is_checked_and_says_why_it_is_not_done(monkeypatch):
    monkeypatch.setattr(Lesson, "exercises", (hard, easy, unreachable), raising=False)
    outcomes = anyio.run(Lesson().check, World("practice"))
    assert outcomes == [
        Outcome(1, False, "Do something", "nothing was done"),
        Outcome(2, True, "Do nothing"),
        Outcome(3, False, "Reach the cluster", "k8s: no response"),
    ]


@pytest.mark.parametrize("command", ["check", "reset"])
def test_without_a_practice_cloud_the_error_names_the_next_step(monkeypatch, command: str):
    monkeypatch.setattr(control, "running", lambda: None)  # the machine may run one for another user or test
    with pytest.raises(UserError, match="zerojhub workshop start 2"):
        cli.app(["workshop", command, "2"], standalone_mode=False)


@pytest.mark.parametrize(("number", "words"), [("3", "practice build --all"), ("9", "practice build --with https")])
def test_a_practice_cloud_that_lacks_a_part_is_refused(monkeypatch, tmp_path, number: str, words: str):
    found = SimpleNamespace(state=str(tmp_path), kubernetes=["v1.34.4"])
    monkeypatch.setattr(control, "running", lambda: found)
    with pytest.raises(UserError, match=words):
        cli.app(["workshop", "start", number], standalone_mode=False)


def test_an_unknown_number_is_refused():
    last = len(WORKSHOPS)
    assert f"numbered 1 to {last}" in run("workshop", "start", str(last + 1), code=2).stderr


@pytest.mark.parametrize(
    ("page", "printed", "same"),
    [
        (["made x (362bf489-f890-4ae6-a556-ce7b26dad3a9)"], ["made x (9fee74cf-a2ab-45ac-929b-709b3c50b31d)"], True),
        (["· a   0.1 s  one", "✓ b   13 s  two"], ["✓ b   9.2 s  two", "✓ a   1 min 02 s  one"], True),
        (["✓ a   1.0 s  one"], ["… a   14 s  half", "✓ a   15 s  one"], True),
        (["first", "…", "last"], ["first", "last"], True),
        (["first", "…", "last"], ["first", "and", "more", "last"], True),
        (["it has … workers"], ["it has 3 workers"], True),
        (["it has 2 workers"], ["it has 3 workers"], False),
        (["first"], ["first", "second"], False),
        (["first", "second"], ["first"], False),
        (["✓ a   1.0 s  one"], ["✗ a   1.0 s  one"], False),
    ],
)
def test_comparing_a_page_ignores_what_differs_from_run_to_run(page, printed, same):
    assert (pages.differences(page, printed) is None) is same
