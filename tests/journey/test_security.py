"""A whole run with secrets that can be recognized: they are where they belong, and in nothing else that it shows or leaves behind;
and what a user's server reaches. Each test continues where the one before ended."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Shell
from tests.journey.outside import gateway
from tests.journey.test_data import Hub
from zerojhub.practice.daemon import PORT, read_password

FILE = """
name: keep
cloud: practice
cluster: {{template: kubernetes-v1.34.4, workers: 1}}
hub: {{chart: embedded, values: values.yaml}}
login:
  shared-password: {{password_file: password, admin_password_file: admin-password, admins: [teacher]}}
backup: {{to: 's3:http://{store}/backups', password_file: backup-password, credentials_file: backup-login}}
"""
VALUES = """
hub:
  services: {{grader: {{apiToken: {service}}}}}
singleuser:
  memory: {{guarantee: 64M, limit: 1G}}
  cpu: {{guarantee: 0.01}}
  storage: {{capacity: 1Gi}}
scheduling: {{userScheduler: {{enabled: false}}}}
prePuller: {{hook: {{enabled: false}}, continuous: {{enabled: false}}}}
"""
COMMANDS = """
plan
up -v
status -o json
show -o json
hub check
hub users -o json
hub logs -n 1000
data list -o json
doctor -o json
backup run
backup status -o json
cron list -n keep -o json
helm list -o json
helm history keep
cluster show keep -o json
cluster credentials keep -o json
plan -o json
"""
"""One after the other; the exit code says whether there is something to do."""
LISTS = """
compute/v2.1/servers/detail container-infra/v1/clusters network/v2.0/subnetpools network/v2.0/floatingips
network/v2.0/security-group-rules volume/v3/{project}/volumes/detail load-balancer/v2.0/lbaas/loadbalancers
orchestration/v1/{project}/stacks identity/v3/users/{user}/application_credentials
"""
KINDS = "pod,cm,deploy,ds,sts,rs,job,cronjob,event,svc,ing,sa,pvc,pv,node,ns,netpol,role,rolebinding"
ALLOWED = {
    "secrets.yaml",
    "clouds.yaml",
    "password",
    "admin-password",
    "backup-password",
    "backup-login",
    "values.yaml",
}
"""The files that have secrets: those of the person, and what zerojhub keeps."""
REACH = """
import json, os, socket, ssl, urllib.error, urllib.request

def reaches(url):
    try:
        tls = ssl._create_unverified_context() if url.startswith("https") else None
        return urllib.request.urlopen(url, timeout=3, context=tls).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None

print(json.dumps({
    "metadata": reaches("http://169.254.169.254/openstack/latest/meta_data.json"),
    "secrets": reaches("https://kubernetes.default.svc/api/v1/secrets"),
    "cloud": reaches("CLOUD"),
    "account": os.path.exists("/var/run/secrets/kubernetes.io"),
    "user": os.getuid(),
    "environment": sorted(os.environ),
}))
"""


class Watch:
    """Looks for secrets in the command lines of all processes on this machine, those of its practice machines included."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self.wanted, self.found, self.looks = wanted, set[tuple[str, str]](), 0

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        end = threading.Event()
        thread = threading.Thread(target=self._look, args=(end,))
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _look(self, end: threading.Event) -> None:
        while not end.wait(0.05):
            self.looks += 1
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    text = process.read_bytes().decode(errors="replace").replace("\0", " ")
                    self.found |= {(name, text[:200]) for name, secret in self.wanted.items() if secret in text}


def folder(cloud: Shell) -> Path:
    return Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub"


@pytest.fixture(scope="module")
def canaries(cloud: Shell) -> dict[str, str]:
    """Every secret that the person has, by what it is; none is anywhere else by chance."""
    key = json.loads(cloud.openstack("ec2", "credentials", "create", "-f", "json"))
    made = {
        name: f"canary{secrets.token_hex(16)}" for name in ("password", "admin-password", "backup-password", "service")
    }
    texts = {name: f"{secret}\n" for name, secret in made.items() if name != "service"}
    texts["backup-login"] = f"AWS_ACCESS_KEY_ID={key['access']}\nAWS_SECRET_ACCESS_KEY={key['secret']}\n"
    texts["values.yaml"] = VALUES.format(service=made["service"])
    texts["hub.yaml"] = FILE.format(store=f"{gateway()}:{PORT}")
    for name, text in texts.items():
        (cloud.folder / name).write_text(text)
        (cloud.folder / name).chmod(0o600)
    password = read_password(Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]))
    assert password
    return {**made, "cloud": password, "store": key["secret"]}


@pytest.fixture(scope="module")
def watch(canaries: dict[str, str]) -> Watch:
    return Watch(canaries)


@pytest.fixture(scope="module")
def shown(cloud: Shell, watch: Watch) -> dict[str, str]:
    """What each command of a whole run prints."""
    printed = {}
    with watch.looking():
        for line in COMMANDS.strip().splitlines():
            done = cloud.zerojhub(*line.split(), code=None)
            assert done.returncode in (0, 3), f"{line}: {done.stderr}"
            printed[line] = done.stdout + done.stderr
    return printed


@pytest.fixture(scope="module")
def known(cloud: Shell, canaries: dict[str, str], shown: dict[str, str]) -> dict[str, str]:
    """The secrets, with those that zerojhub has made."""
    file = folder(cloud) / "deployments" / "practice--keep" / "secrets.yaml"
    own = dict(re.findall(r"(\w+): ['\"]?([0-9a-f]{32,})", file.read_text()))
    assert own.keys() >= {"proxy_token", "cookie_secret", "api_token"}
    return canaries | own


def of(text: str, known: dict[str, str]) -> set[str]:
    """The names of the secrets in the text."""
    return {name for name, secret in known.items() if secret in text}


def test_no_command_shows_a_secret(shown, known):
    assert {line: of(text, known) for line, text in shown.items() if of(text, known)} == {}


def test_no_secret_is_in_a_command_line(watch, shown):
    assert watch.looks > 50
    assert watch.found == set()


def test_secrets_are_in_files_of_their_owner_alone_and_in_no_others(cloud, known, shown):
    leaks: dict[str, set[str]] = {}
    kept: dict[str, set[str]] = {}
    for top in (folder(cloud) / "deployments", Path(cloud.environment["XDG_CONFIG_HOME"]), cloud.folder):
        for path in filter(Path.is_file, top.rglob("*")):
            if found := of(path.read_text(errors="replace"), known):
                (kept if path.name in ALLOWED else leaks)[str(path.relative_to(top))] = found
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert leaks == {}
    assert any("secrets.yaml" in path for path in kept)


def test_no_log_of_the_cloud_and_no_file_on_its_machines_has_a_secret(cloud, known, shown):
    """What was written on the machines' own file systems. Beside these, etcd has the Secrets, and containerd containers' variables."""
    practice, seen = folder(cloud) / "practice", 0
    leaks: dict[str, set[str]] = {}
    for pattern in ("*.log", "*.jsonl", "machines/*/*.*", "machines/*/upper/**/*"):
        for path in practice.glob(pattern):
            if path.is_file() and not path.is_symlink():
                seen += 1
                if found := of(path.read_text(errors="replace"), known):
                    leaks[str(path.relative_to(practice))] = found
    assert seen > 20
    assert leaks == {}


def test_what_everybody_in_the_project_or_in_the_cluster_may_read_has_no_secret(cloud, known, shown):
    token = json.loads(cloud.openstack("token", "issue", "-f", "json"))
    with httpx.Client(headers={"X-Auth-Token": token["id"]}, timeout=60) as client:
        for path in LISTS.format(project=token["project_id"], user=token["user_id"]).split():
            answer = client.get(f"http://127.0.0.1:{PORT}/{path}").raise_for_status()
            assert of(answer.text, known) == set(), path
    kubectl = ("cluster", "ssh", "keep", "-q", "--", "sudo", "kubectl")
    listed = cloud.zerojhub(*kubectl, "get", KINDS, "-A", "-o", "json").stdout
    assert len(json.loads(listed)["items"]) > 20
    assert of(listed, known) == set()
    logs = "".join(
        cloud.zerojhub(*kubectl, "-n", "keep", "logs", "--all-containers", f"deploy/{name}").stdout
        for name in ("hub", "proxy")
    )
    assert "JupyterHub" in logs
    assert of(logs, known) == set()


def test_a_users_server_reaches_neither_metadata_nor_the_api_of_kubernetes(cloud, known, shown):
    hub = Hub(cloud, cloud.zerojhub("hub", "url").stdout.strip())
    hub.ask("POST", "/users/ada", check=False)  # an answer that is lost is asked for again
    metadata = "http://169.254.169.254/openstack/latest/meta_data.json"
    node = cloud.zerojhub("cluster", "ssh", "keep", "-q", "--", "curl", "-s", "-m", "5", metadata).stdout
    assert "uuid" in node  # what the pods could have
    printed = hub.run("ada", "", REACH.replace("CLOUD", f"http://{gateway()}:{PORT}/identity/v3"))
    found = json.loads(printed.splitlines()[-1])
    assert found["cloud"] == 200  # the network is there
    assert found["metadata"] is None
    assert found["secrets"] in (None, 401, 403)
    assert (found["account"], found["user"]) == (False, 1000)
    assert not [name for name in found["environment"] if re.search("AWS|OS_|RESTIC|PROXY_TOKEN|CONFIGPROXY", name)]


def test_down_shows_no_secret_and_leaves_them_in_the_file_of_secrets_alone(cloud, known, shown):
    printed = cloud.zerojhub("down", "--yes", "--delete-data", "-v")
    assert of(printed.stdout + printed.stderr, known) == set()
    files = [path for path in (folder(cloud) / "deployments").rglob("*") if path.is_file()]
    assert {path.name for path in files if of(path.read_text(errors="replace"), known)} <= {"secrets.yaml"}
