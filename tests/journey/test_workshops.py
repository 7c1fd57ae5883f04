"""Every workshop as its page tells it, on one practice cloud: commands, files, solutions, and what is printed."""

from __future__ import annotations

import pytest

from tests.conftest import PROGRAM, ROOT
from tests.journey import pages
from zerojhub.workshops import WORKSHOPS

HOME = ROOT / "docs" / "workshops"


@pytest.mark.parametrize("workshop", WORKSHOPS, ids=lambda workshop: workshop.slug)
def test_the_page_is_true(cloud, workshop):
    """The page itself checks its exercises before they are done, and when they are (tests/unit/test_workshops.py)."""
    environment = {key: value for key, value in cloud.environment.items() if not key.startswith("OS_")}
    environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
    pages.run(HOME / f"{workshop.slug}.md", cloud.folder, environment)
