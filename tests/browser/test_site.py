"""The documentation site: it builds without warnings, its links work, and every page renders in a browser."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from selenium.webdriver.common.by import By

from tests.browser.browser import browser
from tests.conftest import ROOT
from zerojhub import stages
from zerojhub.cli.commands import COMMANDS

KINDS = ["Tutorial", "Workshops", "How-to guides", "Reference", "Explanation", "Contributing"]
NOT_WRITTEN = {"genindex.html", "search.html"}
"""Pages that Sphinx generates."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as by `make docs`."""
    folder = tmp_path_factory.mktemp("site")
    words = ["--fail-on-warning", "--keep-going", "--quiet", "--builder", "html", "--doctree-dir", folder / "doctrees"]
    argv = [sys.executable, "-m", "sphinx", *words, ROOT / "docs", folder / "html"]
    built = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site) -> list[Path]:
    return [page for page in sorted(site.rglob("*.html")) if page.name not in NOT_WRITTEN]


class Page(HTMLParser):
    """A page's links and link targets."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links |= {value for key in ("href", "src", "data") if (value := given.get(key))}
        self.places |= {value for key in ("id",) if (value := given.get(key))}


def test_links_inside_lead_to_what_is_there(site, pages):
    parsed = {page: Page(page) for page in site.rglob("*.html")}
    lost = []
    for page in pages:
        for link in parsed[page].links:
            target, place = urldefrag(link)
            if urlparse(target).scheme or link == "#":
                continue
            path = (page.parent / unquote(target.partition("?")[0])).resolve() if target else page
            if not path.exists() or (place and path in parsed and place not in parsed[path].places):
                lost.append(f"{page.relative_to(site)}: {link}")
    assert lost == []


def test_a_browser_shows_every_page(site, pages):
    with browser() as driver:
        for page in pages:
            driver.get(page.as_uri())
            assert [heading.is_displayed() for heading in driver.find_elements(By.TAG_NAME, "h1")] == [True], page
            captions = driver.find_elements(By.CSS_SELECTOR, ".sidebar-tree .caption")
            assert [caption.get_attribute("textContent") for caption in captions] == KINDS
            broken = "return [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
            assert driver.execute_script(broken) == [], page
            assert driver.get_log("browser") == [], page


def test_people_get_from_the_front_page_to_a_how_to(site):
    with browser() as driver:
        driver.get((site / "index.html").as_uri())
        driver.find_element(By.LINK_TEXT, "Set up HTTPS").click()
        assert driver.find_element(By.TAG_NAME, "h1").text.startswith("Set up HTTPS")
        assert "contact: you@example.org" in driver.find_element(By.TAG_NAME, "article").text


def test_the_reference_is_of_this_program(site):
    commands = Page(site / "reference" / "commands.html").places
    assert set(COMMANDS) <= commands
    assert {stage.name for stage in stages.STAGES} <= Page(site / "reference" / "stages.html").places
    told = (site / "reference" / "hub-yaml.html").read_text()
    assert "master_lb_enabled" in told and "open_to_anyone" in told
