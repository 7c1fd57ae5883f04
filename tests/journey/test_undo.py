"""Upgrades of the hub that migrate its database, and back. Each test continues where the one before ended."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Shell
from tests.journey.test_data import ROADS, VALUES, Hub
from tests.waiting import until

FILE = """
name: keep
cloud: practice
cluster: {{template: {template}, workers: 1}}
hub: {{chart: {chart}, values: values.yaml}}
"""
OLDER, NEWER, NEXT = "3.3.8", "4.4.0", "5.0.0"


def chart(folder: Path, version: str, images: str) -> None:
    """Our own chart as it would be for another version, whose hub cannot read a newer one's database. `images`: pattern."""
    shutil.copytree(ROOT / "charts" / "jupyterhub", folder)
    for name, pattern, text in (
        ("Chart.yaml", r"(?m)^version: .*$", f"version: {version}"),
        ("values.yaml", rf"((?:{images}), tag: ){re.escape(NEWER)}", rf"\g<1>{version}"),
    ):
        path = folder / name
        changed, number = re.subn(pattern, text, path.read_text())
        assert number
        path.write_text(changed)


@pytest.fixture(scope="module")
def hub(cloud: Shell) -> Hub:
    """A hub of the older version."""
    chart(cloud.folder / "older", OLDER, "k8s-hub")
    chart(cloud.folder / "next", NEXT, "k8s-hub|k8s-singleuser-sample")
    storage = VALUES.replace("storage: {capacity: 1Gi}", "storage: {type: none}")
    (cloud.folder / "values.yaml").write_text(storage)
    write(cloud, "older")
    return Hub(cloud, cloud.json("up")["url"])


def write(cloud: Shell, name: str) -> None:
    (cloud.folder / "hub.yaml").write_text(FILE.format(template=ROADS["api"], chart=name))


def version(hub: Hub) -> str:
    return str(until(lambda: hub.ask("GET", "/", check=False).json().get("version")))


@pytest.fixture(scope="module")
def token(hub: Hub) -> str:
    """Of ada's, from before the upgrade."""
    assert version(hub).startswith("4.")
    hub.ask("POST", "/users/ada", check=False)  # an administrator is there already
    made: str = hub.ask("POST", "/users/ada/tokens", body={"note": "of mine"}).json()["token"]
    return made


def test_without_an_upgrade_there_is_nothing_to_undo(cloud: Shell, token: str) -> None:
    assert "there is no upgrade to undo" in cloud.zerojhub("up", "--undo", "--yes", code=2).stderr


def test_an_upgrade_migrates_the_accounts(cloud: Shell, hub: Hub, token: str) -> None:
    write(cloud, "embedded")
    cloud.zerojhub("up")
    assert version(hub).startswith("5.")
    hub.ask("POST", "/users/later")
    assert hub.ask("GET", "/user", token=token).json()["name"] == "ada"


def test_it_is_undone_with_the_accounts_of_before(cloud: Shell, hub: Hub, token: str) -> None:
    question = cloud.zerojhub("up", "--undo", code=2).stderr
    assert f"Go back from chart jupyterhub-{NEWER}" in question
    assert f"jupyterhub-{OLDER}" in question
    undone = cloud.json("up", "--undo", "--yes")
    assert undone["chart"] == f"jupyterhub-{OLDER}"
    assert until(lambda: version(hub).startswith("4."))
    assert hub.ask("GET", "/user", token=token).json()["name"] == "ada"
    assert "later" not in {each["name"] for each in hub.ask("GET", "/users").json()}
    assert "there is no upgrade to undo" in cloud.zerojhub("up", "--undo", "--yes", code=2).stderr


def test_up_with_the_old_version_writes_nothing(cloud: Shell, hub: Hub, token: str) -> None:
    write(cloud, "older")
    assert cloud.json("up")["ready"] is True
    assert version(hub).startswith("4.")


def test_the_next_jupyterhub_takes_the_accounts_and_starts_servers(cloud: Shell, hub: Hub, token: str) -> None:
    write(cloud, "next")
    cloud.zerojhub("up")
    assert version(hub).startswith("6.")
    assert hub.ask("GET", "/user", token=token).json()["name"] == "ada"
    cell = "import jupyterhub, os; print(jupyterhub.__version__, os.environ['JUPYTERHUB_USER'])"
    assert re.fullmatch(r"6\.\S+ ada", hub.run("ada", "", cell).strip())
    cloud.zerojhub("hub", "check")
    cloud.zerojhub("hub", "users", "add", "grace")
    cloud.zerojhub("hub", "users", "start", "grace")
    assert {"ada", "grace"} <= {row["name"] for row in cloud.json("hub", "users")}
    cloud.zerojhub("hub", "users", "remove", "grace", "--yes")


def test_it_is_undone_too(cloud: Shell, hub: Hub, token: str) -> None:
    assert cloud.json("up", "--undo", "--yes")["chart"] == f"jupyterhub-{OLDER}"
    assert until(lambda: version(hub).startswith("4."))
    assert hub.ask("GET", "/user", token=token).json()["name"] == "ada"
    cloud.zerojhub("down", "--yes", "--delete-data")
