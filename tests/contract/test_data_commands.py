"""Volumes of a deployment that has no cluster: listing, adopting and deleting them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.command import Ended, run
from tests.contract.clouds import Site
from tests.contract.test_adopting import HUB

KEPT = {"zerojhub:deployment": "mine", "zerojhub:namespace": "mine", "zerojhub:kept": "2026-11-28T10:00:00+00:00"}


@pytest.fixture(autouse=True)
def deployment(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment file in the current directory, with the APIs as its cloud."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(site.clouds))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub.yaml").write_text(HUB)


def data(*words: str, code: int = 0) -> Ended:
    ended = run("data", *words)
    assert ended.code == code, ended.stderr
    return ended


def volume(site: Site, name: str, **metadata: str) -> str:
    """A volume of 1 GB; its UUID."""
    body = {"volume": {"name": name, "size": 1, "metadata": metadata}}
    made = site.client("/volume/v3/x").post("/volumes", json=body).raise_for_status()
    return str(made.json()["volume"]["id"])


def listed() -> list[tuple[str, str, str]]:
    rows = csv.DictReader(io.StringIO(data("list", "-o", "csv").stdout))
    return [(row["owner"], row["volume"], row["state"]) for row in rows]


def test_volumes_without_a_cluster_are_listed_adopted_and_deleted(site):
    kept = volume(site, "pvc-1", **KEPT, **{"zerojhub:claim": "claim-ada", "zerojhub:user": "ada"})
    other = volume(site, "pvc-2", **KEPT | {"zerojhub:deployment": "theirs"}, **{"zerojhub:user": "cleo"})
    loose = volume(site, "disk")
    assert listed() == [("ada", kept, "kept")]

    (refused,) = data("adopt", "disk", "--user", "ada", code=2).errors
    assert refused.startswith(
        f"error: ada already has volume {kept} (1 GB, kept) (delete it with: zerojhub data remove"
    )
    adopted = json.loads(data("adopt", "disk", "--user", "ben", "-o", "json").stdout)
    assert (adopted["volume"], adopted["owner"], adopted["given_back"]) == (loose, "ben", False)
    assert "zerojhub up" in adopted["problem"]
    assert listed() == [("ada", kept, "kept"), ("ben", loose, "kept")]

    (refused,) = data("adopt", other, "--user", "dan", code=2).errors
    assert "belongs to cleo of deployment theirs. Give it to dan?" in refused
    assert "--yes" in refused
    data("adopt", other, "--user", "dan", "--yes")
    assert "dan  1 GB" in data("remove", "dan", code=2).stderr
    data("remove", "dan", "--yes")
    assert listed() == [("ada", kept, "kept"), ("ben", loose, "kept")]

    cinder = site.client("/volume/v3/x")
    body = {"snapshot": {"volume_id": kept, "name": "before-exam"}}
    snapshot = cinder.post("/snapshots", json=body).raise_for_status().json()["snapshot"]["id"]
    (refused,) = data("remove", "ada", "--yes", code=2).errors
    assert refused.endswith(f"(delete them first with: openstack volume snapshot delete {snapshot})")
    assert len(listed()) == 2
    cinder.delete(f"/snapshots/{snapshot}").raise_for_status()

    assert "did you mean ada" in data("remove", "adda", code=2).stderr
    assert "there is no cluster" in data("grow", "ada", "2Gi", code=1).stderr
    for name in ("ada", "ben"):
        assert len(json.loads(data("remove", name, "--yes", "-o", "json").stdout)["deleted"]) == 1
    assert not site.store.volumes


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["adopt", "disk"], "whose is it?"),
        (["adopt", "disk", "--user", "ada", "--hub"], "whose is it?"),
        (["adopt", "disk", "--user", "ada"], "no volume named 'disk'"),
        (["grow", "ada", "much"], "'much' is not a size"),
        (["open", "ada"], "no terminal for a shell"),
        (["copy", "ada", "ada"], "the two users are the same"),
    ],
)
def test_mistakes_are_one_line(words, error):
    (said,) = data(*words, code=2).errors
    assert error in said
