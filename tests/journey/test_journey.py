"""The whole journey on the practice cloud, on the command line. Each test continues where the previous one ended."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.browser.browser import log_in_and_run
from tests.conftest import GIVEN_CHARTS, PROGRAM, ROOT, Shell
from tests.waiting import until

pytestmark = pytest.mark.journey
STAGES = [
    "preflight",
    "kept",
    "keypair",
    "template",
    "floating-ip",
    "cluster",
    "access",
    "helm",
    "storage",
    "values",
    "volumes",
    "chart",
    "address",
    "endpoint",
    "check",
]
PRACTICE = ROOT / "config" / "practice.yaml"
CHARTS = ["embedded", *GIVEN_CHARTS]
"""The charts to test: our own, and the archives that the environment names."""
USER = "ada-b"
CLAIMS = {"4": "claim-ada-2db", "5": "claim-ada-b"}
"""The user's claim, by JupyterHub's major version: KubeSpawner 7 escapes fewer names."""


@pytest.fixture(scope="module", params=CHARTS, ids=lambda chart: Path(chart).name)
def file(request, tmp_path_factory) -> Path:
    """A copy of config/practice.yaml with the chart."""
    text = PRACTICE.read_text().replace("practice-values.yaml", str(PRACTICE.with_name("practice-values.yaml")))
    path = tmp_path_factory.mktemp("deployment") / "hub.yaml"
    path.write_text(text.replace("chart: embedded", f"chart: {request.param}"))
    return path


@pytest.fixture(scope="module")
def hub(cloud: Shell, file: Path) -> dict:
    """The running hub: the output of `up -o json`."""
    return cloud.json("up", "-f", file)


def kubectl(cloud: Shell, *words: str) -> str:
    """The output of kubectl in the hub's namespace."""
    return cloud.zerojhub("cluster", "ssh", "-q", "practice", "--", "sudo", "kubectl", "-n", "practice", *words).stdout


def test_a_plan_says_what_would_be_made(cloud, file):
    plan = cloud.json("plan", "-f", file, code=3)
    states = {stage["name"]: stage["state"] for stage in plan["stages"]}
    assert list(states) == STAGES
    assert states["preflight"] == states["template"] == "found"
    assert states["keypair"] == states["floating-ip"] == "missing"
    assert states["cluster"] == states["chart"] == "waiting"
    assert cloud.openstack("coe", "cluster", "list", "-f", "value").strip() == ""


def test_up_answers_with_the_url_of_a_hub(hub):
    assert hub["ready"] is True
    assert [stage["name"] for stage in hub["stages"]] == STAGES
    assert all(stage["state"] == "found" for stage in hub["stages"])
    health = httpx.get(hub["url"].rstrip("/") + "/hub/health", timeout=10)
    assert health.status_code == 200


def test_a_browser_logs_in_and_runs_a_cell(hub, tmp_path):
    answer = log_in_and_run(hub["url"], USER, "practice", "print(6*7)", tmp_path / "lab.png")
    assert answer.strip() == "42"
    assert (tmp_path / "lab.png").stat().st_size > 10_000


def test_the_hub_is_the_one_of_the_chart(cloud, file, hub):
    """And names claims as that one does, which is what an upgrade has to cope with."""
    version = httpx.get(hub["url"].rstrip("/") + "/hub/api/", timeout=10).json()["version"]
    [release] = json.loads(cloud.zerojhub("helm", "-f", file, "list", "-o", "json").stdout)
    assert version == release["app_version"]
    claims = kubectl(cloud, "get", "pvc", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert sorted(claims) == [CLAIMS[version[0]], "hub-db-dir"]


def test_up_again_changes_nothing(cloud, file, hub):
    until(lambda: cloud.volumes() == ["in-use"] * 2)  # the hub's and the user's
    before = len(cloud.audit())
    again = cloud.json("up", "-f", file)
    assert again["url"] == hub["url"]
    assert cloud.writes(before) == []


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_runs_alone(cloud, file, hub, stage):
    before = len(cloud.audit())
    assert stage in cloud.zerojhub("stage", "run", stage, "-f", file).stderr
    assert cloud.writes(before) == []


def test_status_is_for_people_and_programs(cloud, file, hub):
    status = cloud.json("status", "-f", file)
    assert (status["url"], status["ready"]) == (hub["url"], True)
    assert hub["url"] in cloud.zerojhub("status", "-f", file).stdout
    assert cloud.zerojhub("plan", "-f", file).stdout.count("found") == len(STAGES)


DRIFTS = {
    "values changed": ("", "", "cull: {timeout: 77}", "chart: values changed: cull"),
    "values invalid": ("", "", "hub: [", "not valid YAML"),
    "another template": ("template: kubernetes-v1.34.4", "template: nosuch", "", "no cluster template named 'nosuch'"),
}
"""What somebody has edited and not applied: a replacement in the deployment file, the values; and what is said of it."""


@pytest.mark.parametrize("drift", DRIFTS)
def test_what_is_running_is_used_although_the_deployment_has_changed(cloud, file, hub, tmp_path, drift):
    old, new, values, said = DRIFTS[drift]
    changed = tmp_path / "hub.yaml"
    text = file.read_text().replace(str(PRACTICE.with_name("practice-values.yaml")), "values.yaml")
    changed.write_text(text.replace(old, new))
    (tmp_path / "values.yaml").write_text(f"{PRACTICE.with_name('practice-values.yaml').read_text()}{values}\n")
    before = len(cloud.audit())
    url = cloud.zerojhub("hub", "url", "-f", changed)
    assert (url.stdout.strip(), said in url.stderr) == (hub["url"], True)
    status = cloud.json("status", "-f", changed, code=3)
    assert (status["url"], status["ready"]) == (hub["url"], False)
    assert any(said in line for line in status["drift"])
    assert cloud.json("show", "-f", changed)["url"] == hub["url"]
    assert USER in [user["name"] for user in cloud.json("hub", "users", "-f", changed)]
    assert "JupyterHub" in cloud.zerojhub("hub", "logs", "-f", changed).stdout
    assert "practice" in cloud.zerojhub("helm", "-f", changed, "list").stdout
    assert cloud.json("job", "list", "-f", changed) == []
    assert cloud.writes(before) == []


def test_the_ordinary_client_sees_the_same_cluster(cloud, hub):
    [cluster] = json.loads(cloud.openstack("coe", "cluster", "list", "-f", "json"))
    assert (cluster["name"], cluster["status"], cluster["node_count"]) == ("practice", "CREATE_COMPLETE", 2)
    servers = json.loads(cloud.openstack("server", "list", "-f", "json"))
    assert [server["Status"] for server in servers] == ["ACTIVE"] * 3
    assert cloud.json("cluster", "list")[0]["uuid"] == cluster["uuid"]


def test_ssh_logs_in_to_the_master(cloud, hub):
    [floating_ip] = [
        row["Floating IP Address"]
        for row in json.loads(cloud.openstack("floating", "ip", "list", "--long", "-f", "json"))
        if row["Description"] == "zerojhub:practice"
    ]
    state = Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / "practice--practice"
    options = ["-i", state / "id_ed25519", f"-oUserKnownHostsFile={state / 'known_hosts'}", "-oBatchMode=yes"]
    done = cloud.run("ssh", "-F", "none", *options, f"core@{floating_ip}", "sudo kubectl get nodes --no-headers")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\sReady\s", done.stdout)) == 3


def test_secrets_are_nobody_elses(cloud, hub):
    state = Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / "practice--practice"
    secrets = [path for path in state.iterdir() if path.name in ("secrets.yaml", "id_ed25519")]
    assert len(secrets) == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets)
    journal = (state / "journal.jsonl").read_text()
    for word in re.findall(r"[0-9a-f]{32,}", (state / "secrets.yaml").read_text()):
        assert word not in journal


def test_lost_secrets_come_back_from_the_release(cloud, file, hub, tmp_path):
    """An upgrade with new secrets would log everyone out."""

    def token() -> str:
        return json.loads(cloud.zerojhub("helm", "-f", file, "get", "values", "practice", "-o", "json").stdout)[
            "proxy"
        ]["secretToken"]

    state = Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / "practice--practice"
    before, secrets = token(), (state / "secrets.yaml").read_text()
    (state / "secrets.yaml").unlink()
    values = PRACTICE.with_name("practice-values.yaml")
    (tmp_path / "values.yaml").write_text(values.read_text() + "cull: {timeout: 7200}\n")
    changed = tmp_path / "hub.yaml"
    changed.write_text(file.read_text().replace(str(values), "values.yaml"))
    cloud.zerojhub("up", "-f", changed)
    assert token() == before
    assert (state / "secrets.yaml").read_text() == secrets


def test_the_users_scheduler_and_the_image_pullers(cloud, file, hub, tmp_path):
    """The charts have them by default; the practice deployment turns them off."""
    values = PRACTICE.with_name("practice-values.yaml")
    kept = [line for line in values.read_text().splitlines() if not line.startswith(("scheduling", "prePuller"))]
    (tmp_path / "values.yaml").write_text("\n".join(kept) + "\n")
    changed = tmp_path / "hub.yaml"
    changed.write_text(file.read_text().replace(str(values), "values.yaml"))
    assert cloud.json("up", "-f", changed)["ready"] is True

    ready = kubectl(cloud, "get", "daemonset", "continuous-image-puller", "-o", "jsonpath={.status.numberReady}")
    assert ready == "2"
    bound = kubectl(cloud, "get", "events", "--field-selector", "reason=Scheduled", "-o", "json")
    placed = {
        each["involvedObject"]["name"]: each["reportingComponent"] or each["source"].get("component")
        for each in sorted(json.loads(bound)["items"], key=lambda event: event["metadata"]["creationTimestamp"])
    }
    [scheduler] = {placed[pod] for pod in placed if pod.startswith("jupyter-zerojhub-")}
    assert scheduler == "practice-user-scheduler"
    cloud.json("up", "-f", file)
    assert "image-puller" not in kubectl(cloud, "get", "daemonset", "-o", "name")


def test_a_user_comes_and_goes_and_comes_back_to_their_files(cloud, file, hub):
    """KubeSpawner deletes the claim of a user who is deleted, and its volume with it."""

    def users(*words: str) -> list[dict]:
        return cloud.json("hub", "users", *words, "-f", file)

    def home(*words: str) -> str:
        inside = ("sudo", "kubectl", "-n", "practice", "exec", "jupyter-cleo", "--", *words)
        return cloud.zerojhub("cluster", "ssh", "-q", "practice", "--", *inside).stdout

    def in_cinder() -> set[str]:
        return set(cloud.openstack("volume", "list", "-f", "value", "-c", "ID").split())

    [added] = users("add", "Cleo")
    assert (added["name"], added["outcome"]) == ("cleo", "added")
    assert users("admin", "cleo")[0]["outcome"] == "now an administrator"
    assert users("start", "cleo")[0]["outcome"] == "started"
    [cleo] = [user for user in users() if user["name"] == "cleo"]
    assert (cleo["admin"], cleo["servers"]) == ("yes", 1)
    home("sh", "-c", "'echo chapter one > /home/jovyan/thesis'")
    assert users("stop", "cleo")[0]["outcome"] == "stopped"
    [removed] = users("remove", "cleo", "--yes")
    assert removed["outcome"] == "removed"
    volume = removed["volumes"][0]["id"]
    assert volume in in_cinder()
    assert "cleo" not in [user["name"] for user in users()]
    users("add", "cleo")
    users("start", "cleo")
    assert home("cat", "/home/jovyan/thesis") == "chapter one\n"
    [deleted] = users("remove", "cleo", "--with-data", "--yes")
    assert deleted["volumes"][0]["id"] == volume
    until(lambda: volume not in in_cinder())


def test_an_announcement_is_on_the_hubs_pages_until_it_is_cleared(cloud, file, hub):
    def page() -> str:
        return httpx.get(hub["url"].rstrip("/") + "/hub/login", timeout=10).text

    cloud.zerojhub("hub", "message", "Back at <five>", "-f", file)
    assert "Back at &lt;five&gt;" in page()
    assert cloud.json("status", "-f", file)["ready"] is True
    assert cloud.zerojhub("hub", "message", "-f", file).stdout == "Back at <five>\n"
    before = cloud.json("helm", "-f", file, "list")[0]["revision"]
    cloud.zerojhub("up", "-f", file)
    assert cloud.json("helm", "-f", file, "list")[0]["revision"] == before
    cloud.zerojhub("hub", "message", "--clear", "-f", file)
    assert "Back at" not in page()
    assert cloud.json("status", "-f", file)["ready"] is True


def test_a_node_port_for_a_while_and_a_load_balancer_again(cloud, file, hub):
    """OpenStack's cloud controllers would look for the load balancer that they deleted themselves."""
    changed = file.with_name("node-port.yaml")
    changed.write_text(file.read_text().replace("hub: {", "hub: {expose: NodePort, "))
    assert re.search(r":3\d{4}/", cloud.json("up", "-f", changed)["url"])
    assert cloud.openstack("loadbalancer", "list", "-f", "value").strip() == ""
    again = cloud.json("up", "-f", file)
    assert again["ready"] is True
    address = cloud.openstack("floating", "ip", "list", "-f", "value", "-c", "Floating IP Address")
    assert httpx.URL(again["url"]).host in address.split()
    assert httpx.URL(again["url"]).port is None


def test_down_keeps_the_volumes_of_users_and_of_the_hub_and_leaves_nothing_else(cloud, file, hub):
    kept = cloud.json("down", "-f", file, "--yes")["kept"]
    assert [volume["owner"] for volume in kept] == [USER, "hub-db-dir"]
    volumes = json.loads(cloud.openstack("volume", "list", "-f", "json"))
    assert {volume["ID"] for volume in volumes} == {volume["id"] for volume in kept}
    cloud.zerojhub("down", "-f", file, "--yes", "--delete-data")
    assert cloud.volumes() == []
    for words in ("coe cluster", "server", "floating ip", "keypair", "loadbalancer", "stack"):
        assert cloud.openstack(*words.split(), "list", "-f", "value").strip() == "", words
    assert [row["Name"] for row in json.loads(cloud.openstack("router", "list", "-f", "json"))] == ["router"]


def test_ctrl_c_leaves_things_to_go_on_from(cloud, file):
    running = subprocess.Popen(
        [PROGRAM, "up", "-f", file], env=cloud.environment, cwd=cloud.folder, stderr=subprocess.PIPE, text=True
    )
    until(lambda: cloud.json("cluster", "list"))
    done = cloud.zerojhub("up", "-f", file, "--no-wait", code=1)
    assert "has been running `zerojhub up` on practice" in done.stderr
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "run the same command again to continue" in said
    assert cloud.json("up", "-f", file, "--only", "cluster")["stages"][-1]["state"] == "found"
    assert len(cloud.json("cluster", "list")) == 1
    cloud.zerojhub("down", "-f", file, "--yes")


def test_a_failed_cluster_says_why(cloud, file, tmp_path):
    path = tmp_path / "hub.yaml"
    path.write_text(file.read_text().replace("workers: 2", "workers: 1, labels: {practice_fail: kube_minions}"))
    for _ in range(2):
        error = cloud.zerojhub("up", "-f", path, code=1).stderr
        assert "CREATE_FAILED" in error
        assert "No valid host was found" in error
        assert "zerojhub down" in error
    cloud.zerojhub("down", "-f", path, "--yes")
    assert cloud.json("cluster", "list") == []
