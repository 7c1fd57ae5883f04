"""An announcement on the hub's pages: kept in the release, whatever the values say."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.deployment import Deployment, HubSpec
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import message, proof
from zerojhub.hub.proof import Proof
from zerojhub.hub.release import InstalledRelease, difference
from zerojhub.hub.secrets import Secrets
from zerojhub.hub.values import UserValues
from zerojhub.report import Progress
from zerojhub.run import Run
from zerojhub.stages import Access, Values, chart
from zerojhub.stages.values import Rendered

TEXTS = ["Back at 5", "<b>Save</b> & 'go' \"home\"", "à bientôt\\n {{ name }}", "two\nlines"]
CHART: Any = SimpleNamespace(name="jupyterhub", version="4.4.0", major=4, digest="0" * 64)


def rendered(tmp_path, text: str) -> Rendered:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return Rendered(CHART, UserValues(path), HubSpec(), "fingerprint")


@pytest.mark.parametrize("text", TEXTS)
def test_a_message_is_found_again_and_goes_without_a_trace(text):
    for values in ({}, {"hub": {"extraConfig": {"mine": "x = 1"}}}, {"hub": {"extraConfig": None}}):
        shown = message.with_message(values, text)
        assert message.shown(shown) == text
        assert message.shown(message.with_message(shown, "another")) == "another"
        cleared = message.with_message(shown, None)
        assert message.shown(cleared) is None
        assert (cleared["hub"].get("extraConfig") or {}) == (values.get("hub", {}).get("extraConfig") or {})


@pytest.mark.parametrize("values", [{}, {"hub": None}, {"hub": {"extraConfig": None}}, {"hub": {"extraConfig": {}}}])
def test_values_without_a_message_stay_as_they_are(values):
    assert message.shown(values) is None
    assert message.with_message(values, None) == {"hub": {}} | values


@pytest.mark.parametrize("text", ["", "hub: {extraConfig: {mine: x = 1}}\n"])
def test_a_message_is_no_difference_from_the_deployment(tmp_path, text):
    wanted, secrets = rendered(tmp_path, text), Secrets()
    values = message.with_message(wanted.values(secrets), "Back at 5")
    installed = InstalledRelease(2, "deployed", "jupyterhub-4.4.0", "", values)
    assert difference(installed, CHART, wanted.values(secrets, values)) is None
    cleared = replace(installed, values=message.with_message(values, None))
    assert difference(cleared, CHART, wanted.values(secrets, cleared.values)) is None


class Announced:
    """A release whose changes are recorded instead of installed."""

    def __init__(self, monkeypatch, tmp_path, **changes: Any) -> None:
        wanted = rendered(tmp_path, "cull: {timeout: 77}\n")
        values = {"cull": {"timeout": 60}, "hub": {"services": {}}}  # what was installed before an edit
        installed = InstalledRelease(3, "deployed", "jupyterhub-4.4.0", "", values)
        self.installed: Any = replace(installed, **changes)
        self.proofs: list[int] = [3]
        self.run = Run(
            Deployment.model_validate({"name": "toy", "cloud": "c", "cluster": {"template": "t"}}), Progress(quiet=True)
        )
        reach: Any = SimpleNamespace(kube=Cluster())
        self.run[Access], self.run[Values] = reach, wanted
        monkeypatch.setattr(chart, "hub_release", self._release)
        monkeypatch.setattr(chart, "_install", self._install)
        monkeypatch.setattr(chart, "_wait", self._wait)
        monkeypatch.setattr(proof, "recorded", self._recorded)
        monkeypatch.setattr(proof, "record", self._record)

    async def _release(self, run):
        return self.installed

    async def _install(self, run, values):
        self.installed = replace(self.installed, revision=self.installed.revision + 1, values=values)

    async def _wait(self, run):
        pass

    async def _recorded(self, kube, namespace, release, revision):
        return Proof(None, 1.0, 1.0, 1.0) if revision in self.proofs else None

    async def _record(self, kube, namespace, release, revision, proven):
        self.proofs.append(revision)

    def announce(self, text: str | None) -> bool:
        return anyio.run(chart.announce, self.run, text)


def test_an_announcement_changes_nothing_else_and_needs_no_new_check(monkeypatch, tmp_path):
    release = Announced(monkeypatch, tmp_path)
    assert release.announce("Back at 5")
    assert release.installed.values["cull"] == {"timeout": 60}
    assert message.shown(release.installed.values) == "Back at 5"
    assert release.proofs == [3, 4]
    assert not release.announce("Back at 5")
    assert release.announce(None)
    assert release.installed.values == {"cull": {"timeout": 60}, "hub": {"services": {}}}
    assert release.proofs == [3, 4, 5]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chart": "jupyterhub-4.3.0"}, "the release has chart jupyterhub-4.3.0, not jupyterhub-4.4.0 (zerojhub up"),
        ({"status": "pending-upgrade"}, "the release is pending-upgrade"),
    ],
)
def test_nothing_is_announced_with_another_chart(monkeypatch, tmp_path, changes, said):
    release = Announced(monkeypatch, tmp_path, **changes)
    with pytest.raises(ZeroJHubError) as caught:
        release.announce("Back at 5")
    assert str(caught.value).startswith(said)
    assert release.installed.revision == 3


def test_a_hub_that_is_not_there(monkeypatch, tmp_path):
    release = Announced(monkeypatch, tmp_path)
    release.installed = None
    with pytest.raises(ZeroJHubError, match="there is no hub"):
        release.announce("Back at 5")


def test_the_announcement_of_a_move_ends_with_it(tmp_path):
    secrets = Secrets()
    for text, kept in ((message.MOVING, None), ("Back at 5", "Back at 5")):
        values = rendered(tmp_path, "{}").values(secrets, message.with_message({}, text))
        assert message.shown(values) == kept
