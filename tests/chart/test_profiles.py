"""Every profile that `zerojhub init` writes renders with our chart."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.chart.rendering import render
from zerojhub import deployment, profiles
from zerojhub.hub import charts, values
from zerojhub.hub.secrets import Secrets


@pytest.mark.parametrize("name", [each.name for each in profiles.listed()])
def test_a_profile_renders_to_a_hub(tmp_path: Path, name: str):
    profiles.write(name, tmp_path / "hub.yaml")
    loaded = deployment.load(tmp_path / "hub.yaml")
    if not loaded.hub.contact:  # a certificate from Let's Encrypt is the other chart's
        chart = anyio.run(charts.find, "embedded", None, Path())
        user = values.UserValues(loaded.hub.values)
        assert ("Deployment", "hub") in render(values.completed(user.values, Secrets(), loaded.hub, chart))
