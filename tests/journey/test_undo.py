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
OLDER, NEWER = "3.3.8", "4.4.0"
STORAGE_OFF = VALUES.replace("storage: {capacity: 1Gi}", "storage: {type: none}")


def chart(folder: Path) -> None:
    """Our own chart as it would have been for the older version, whose hub cannot read a newer one's database."""
    shutil.copytree(ROOT / "charts" / "jupyterhub", folder)
    for name, pattern, text in (
        ("Chart.yaml", r"(?m)^version: .*$", f"version: {OLDER}"),
        ("values.yaml", rf"(k8s-hub, tag: ){re.escape(NEWER)}", rf"\g<1>{OLDER}"),
    ):
        path = folder / name
        changed, number = re.subn(pattern, text, path.read_text())
        assert number == 1
        path.write_text(changed)


@pytest.fixture(scope="module")
def hub(cloud: Shell) -> Hub:
    """A hub of the older version."""
    chart(cloud.folder / "older")
    (cloud.folder / "values.yaml").write_text(STORAGE_OFF)
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


def test_a_service_that_is_lost_is_created_again(cloud: Shell, hub: Hub) -> None:
    """As a `down` loses it that is killed between the load balancer and the release."""
    program = next((Path(cloud.environment["XDG_CACHE_HOME"]) / "zerojhub" / "practice").glob("kubernetes-*/kubectl"))
    cloud.zerojhub("cluster", "kubeconfig", "keep", "--to", "kubeconfig")
    gone = cloud.run(program, "--kubeconfig", "kubeconfig", "-n", "keep", "delete", "service", "proxy-public")
    assert gone.returncode == 0, gone.stderr
    assert "its service proxy-public is missing" in cloud.zerojhub("status", code=3).stdout
    assert "keep/proxy-public" in cloud.zerojhub("doctor", code=3).stdout
    hub.url = cloud.json("up")["url"].rstrip("/")
    assert version(hub).startswith("4.")


def test_a_newer_image_takes_the_accounts_and_starts_servers(cloud: Shell, hub: Hub, token: str) -> None:
    """JupyterHub 6, with the same chart."""
    newer = STORAGE_OFF.replace("\nhub:\n", "\nhub:\n  image: {tag: 5.0.0}\n").replace(
        "\nsingleuser:\n", "\nsingleuser:\n  image: {tag: 5.0.0}\n"
    )
    (cloud.folder / "values.yaml").write_text(newer)
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


def test_the_older_image_does_not_start_on_its_database_and_says_why(cloud: Shell, hub: Hub, token: str) -> None:
    (cloud.folder / "values.yaml").write_text(STORAGE_OFF)
    error = cloud.zerojhub("up", code=1).stderr
    assert "its database has been changed by a newer JupyterHub, which this one cannot read" in error


def test_a_changed_image_is_undone_too(cloud: Shell, hub: Hub, token: str) -> None:
    undone = cloud.zerojhub("up", "--undo", "--yes").stdout
    assert re.search(r"the hub has image \S+:5\.0\.0 and the accounts of .* again", undone)
    assert until(lambda: version(hub).startswith("6."))
    assert hub.ask("GET", "/user", token=token).json()["name"] == "ada"
    cloud.zerojhub("down", "--yes", "--delete-data")
