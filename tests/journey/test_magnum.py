"""Every command on a cluster whose hub is in use: its output, and its result as the `openstack` client shows it."""

from __future__ import annotations

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import anyio
import pytest

from tests.conftest import Shell
from tests.waiting import until
from zerojhub.hub.client import HubClient
from zerojhub.hub.kernel import run_cell
from zerojhub.yamlfile import read_yaml

KUBERNETES = "v1.34.4"
VALUES = """\
hub:
  config:
    JupyterHub: {authenticator_class: dummy}
    DummyAuthenticator: {password: secret}
scheduling: {userScheduler: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
"""
OPENLY = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]


class School:
    """A hub on a cluster with two workers, and the actions of its users."""

    def __init__(self, cloud: Shell, folder: Path, name: str = "life", version: str = KUBERNETES):
        self.cloud, self.folder, self.name = cloud, folder, name
        self.file = folder / "hub.yaml"
        (folder / "values.yaml").write_text(VALUES)
        self.file.write_text(
            f"name: {name}\ncloud: practice\ncluster: {{template: kubernetes-{version}, workers: 2}}\n"
            "hub: {chart: embedded, values: values.yaml, expose: NodePort}\n"
        )
        self.url = cloud.json("up", "-f", self.file)["url"]

    @property
    def kubectl(self) -> Path:
        cache = Path(self.cloud.environment["XDG_CACHE_HOME"]) / "zerojhub" / "practice"
        return next(cache.glob(f"kubernetes-{KUBERNETES}-*/kubectl"))

    @property
    def state(self) -> Path:
        return Path(self.cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / f"practice--{self.name}"

    def run(self, user: str, code: str) -> str:
        """The output of a cell in the user's server, which is started if necessary."""
        token = read_yaml(self.state / "secrets.yaml")["api_token"]

        async def work() -> str:
            async with HubClient(self.url, token) as hub:
                if not await hub.user(user):
                    await hub.create_user(user)
                await hub.start_server(user)
                async for _ in hub.progress(user, timeout=300):
                    pass
                found = await hub.user(user)
                assert found
                url = urljoin(hub.url, found.servers[""].url)
                async with HubClient(url, await hub.create_token(user, seconds=600)) as server:
                    return await run_cell(server, code)

        return anyio.run(work).strip()

    def ssh(self, *command: str) -> str:
        return self.cloud.zerojhub("cluster", "ssh", self.name, "-q", "--", *command).stdout

    def nodes(self) -> list[str]:
        return re.findall(r"node/(\S+)", self.ssh("sudo kubectl get nodes -o name"))

    def node_of(self, user: str) -> str:
        where = "-o jsonpath={.spec.nodeName}"
        return self.ssh(f"sudo kubectl get pod jupyter-{user} -n {self.name} {where}").strip()

    def cluster(self) -> dict:
        """The cluster, as the `openstack` client shows it."""
        return json.loads(self.cloud.openstack("coe", "cluster", "show", self.name, "-f", "json"))

    def groups(self) -> dict[str, dict]:
        listed = json.loads(self.cloud.openstack("coe", "nodegroup", "list", self.name, "-f", "json"))
        return {group["name"]: group for group in listed}


def refused(cloud: Shell, *words: str | Path, said: str, code: int = 2) -> None:
    """Check that the command fails with this message, and changes nothing."""
    before = len(cloud.audit())
    assert said in cloud.zerojhub(*words, code=code).stderr
    assert cloud.writes(before) == []


@pytest.fixture(scope="module")
def school(cloud: Shell, tmp_path_factory: pytest.TempPathFactory):
    school = School(cloud, tmp_path_factory.mktemp("school"))
    for user in ("ada", "bob"):
        school.run(user, f"open('mine.txt', 'w').write('kept by {user}')")
    yield school
    cloud.zerojhub("down", "-f", school.file, "--delete-data", "--yes")
    assert cloud.json("cluster", "list") == []


def test_show_has_the_servers(cloud, school):
    shown = cloud.json("cluster", "show", school.name)
    seen = {row["Name"]: row for row in json.loads(cloud.openstack("server", "list", "-f", "json"))}
    assert {server["name"] for server in shown["servers"]} == set(seen) == set(school.nodes())
    assert shown["status"] == school.cluster()["status"] == "CREATE_COMPLETE"
    people = cloud.zerojhub("cluster", "show", school.name).stdout
    assert all(name in people for name in seen)


def test_ssh_reaches_the_master_and_every_node(cloud, school):
    for node in school.nodes():
        done = cloud.zerojhub("cluster", "ssh", school.name, "-q", "--node", node, "--", "hostname")
        assert done.stdout.strip() == node
    assert "-master-0" in school.ssh("hostname")
    cloud.zerojhub("cluster", "ssh", school.name, "-q", "--", "exit 7", code=7)
    refused(cloud, "cluster", "ssh", school.name, "--node", "none", said="no node named 'none'")


def test_a_changed_host_key_is_refused_with_the_way_out(cloud, school):
    path = school.state / "known_hosts"
    good = path.read_text()
    try:
        key = cloud.folder / "another"
        cloud.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        another = Path(f"{key}.pub").read_text().split()[1]
        path.write_text(re.sub(r"ssh-\S+ AAAA\S+|ecdsa-\S+ AAAA\S+", f"ssh-ed25519 {another}", good))
        done = cloud.zerojhub("cluster", "ssh", school.name, "--", "hostname", code=1)
        assert "does not match the pinned one" in done.stderr
        assert "remove its old key" in done.stderr
        assert str(path) in done.stderr
    finally:
        path.write_text(good)


def test_credentials_work_and_are_masked(cloud, school):
    shown = cloud.json("cluster", "credentials", school.name)
    assert (shown["kind"], shown["works"]) == ("trust", True)
    masked = shown["settings"].pop("password")
    open_ = cloud.json("cluster", "credentials", school.name, "--show-secrets")["settings"]
    assert set(masked) == {"*"}
    assert open_["password"] in school.ssh("sudo cat /etc/kubernetes/cloud-config")
    assert open_["password"] not in cloud.zerojhub("cluster", "credentials", school.name).stdout
    said = cloud.zerojhub("cluster", "credentials", school.name, "--rotate", "--yes", code=1).stderr
    assert "Credential rotation is not supported by driver." in said
    assert "only a new cluster gets a new one" in said


def test_the_cas_are_those_of_the_cluster(cloud, school, tmp_path):
    for kind, name in (("kubernetes", "ca"), ("etcd", "etcd-ca"), ("front-proxy", "front-proxy-ca")):
        shown = cloud.zerojhub("ca", "show", school.name, "--type", kind).stdout
        assert shown.strip() == school.ssh(f"sudo cat /etc/kubernetes/pki/{name}.crt").strip()
    cloud.zerojhub("cluster", "kubeconfig", school.name, "--to", tmp_path / "config", "--output-certs")
    server = read_yaml(tmp_path / "config")["clusters"][0]["cluster"]["server"]
    files = {"certificate-authority": "ca.pem", "client-certificate": "cert.pem", "client-key": "key.pem"}
    words = [f"--{option}={tmp_path / name}" for option, name in files.items()]
    nodes = cloud.run(
        school.kubectl, "--kubeconfig=/dev/null", f"--server={server}", *words, "get", "nodes", "-o", "name"
    )
    assert len(nodes.stdout.split()) == 3


def test_a_kubeconfig_for_kubectl(cloud, school, tmp_path):
    before, path = len(cloud.audit()), tmp_path / "kubeconfig"
    cloud.zerojhub("cluster", "kubeconfig", school.name, "--to", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_yaml(path)["users"][0]["user"]["client-key-data"]
    assert key[:60] not in json.dumps(cloud.audit()[before:])

    def nodes(*words: str) -> list[str]:
        return cloud.run(school.kubectl, "--kubeconfig", path, *words, "get", "nodes", "-o", "name").stdout.split()

    assert len(nodes()) == 3
    refused(cloud, "cluster", "kubeconfig", school.name, "--to", path, said="--merge adds to it")
    other = {"name": "mine", "context": {"cluster": "mine", "user": "admin"}}
    path.write_text(json.dumps({"contexts": [other], "users": [{"name": "admin"}], "clusters": []}))
    cloud.zerojhub("cluster", "kubeconfig", school.name, "--to", path, "--merge")
    merged = read_yaml(path)
    assert {each["name"] for each in merged["contexts"]} == {"mine", school.name}
    assert {each["name"] for each in merged["users"]} == {"admin", f"{school.name}-admin"}
    assert len(nodes("--context", school.name)) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replace", "master_count=3"], "the number of masters changes with"),
        (["replace", "name=other"], "a cluster keeps the name"),
        (["add", "node_count=3"], "node_count cannot be added"),
        (["replace", "labels=a=b"], "labels are read when the cluster is created"),
        (["replace", "node_count=many"], "is not a number of workers"),
        (["change", "node_count=3"], "unknown operation 'change'"),
        (["replace", "colour=red"], "cannot be changed (only node_count can)"),
        (["replace", "node_count=500"], "instances needed"),
    ],
)
def test_what_cannot_change_is_refused_with_the_reason(cloud, school, words, said):
    refused(cloud, "cluster", "update", school.name, *words, said=said)


def test_node_groups(cloud, school):
    create = ["nodegroup", "create", school.name, "gpu"]
    refused(cloud, *create, "--nodes", "5", "--max", "3", said="5 nodes, more than its maximum of 3")
    refused(cloud, *create, "--flavor", "m1.smal", said="did you mean 'm1.small'?")
    cloud.zerojhub(*create, "--nodes", "0", "--max", "2")
    assert (school.groups()["gpu"]["node_count"], len(school.nodes())) == (0, 3)
    refused(cloud, *create, said="has a node group named 'gpu'")
    resize = ["cluster", "resize", school.name]
    refused(cloud, *resize, "3", "--nodegroup", "gpu", said="between 0 and 2 nodes, not 3")
    refused(cloud, *resize, "2", "--nodegroup", "default-master", said="fix the number of masters")
    cloud.zerojhub(*resize, "1", "--nodegroup", "gpu")
    assert (school.groups()["gpu"]["node_count"], len(school.nodes())) == (1, 4)
    update = ["nodegroup", "update", school.name, "gpu"]
    refused(cloud, *update, "--min", "2", said="the group has 1 node, fewer than its minimum of 2")
    cloud.zerojhub(*update, "--min", "1", "--max", "4")
    shown = json.loads(cloud.openstack("coe", "nodegroup", "show", school.name, "gpu", "-f", "json"))
    assert (shown["min_node_count"], shown["max_node_count"]) == (1, 4)
    delete = ["nodegroup", "delete", school.name]
    refused(cloud, *delete, "default-worker", "--yes", said="was created with the cluster and cannot be deleted")
    refused(cloud, *delete, "gpu", said="confirm with --yes")
    refused(cloud, *delete, "gpus", said="did you mean 'gpu'?")
    cloud.zerojhub(*delete, "gpu", "--yes")
    assert set(school.groups()) == {"default-master", "default-worker"}
    assert len(school.nodes()) == 3


def test_more_workers_and_fewer_with_users_at_work(cloud, school):
    """The node is drained before it is removed, its users are named, and nobody loses a file."""
    cloud.zerojhub("cluster", "resize", school.name, "3")
    assert (school.cluster()["node_count"], len(school.nodes())) == (3, 4)
    leaving = school.node_of("ada")
    smaller = ["cluster", "resize", school.name, "2", "--nodes-to-remove", leaving]
    refused(cloud, *smaller, said="ada")
    refused(cloud, "cluster", "resize", school.name, "4", "--nodes-to-remove", leaving, said="are not fewer than 3")
    refused(cloud, "cluster", "resize", school.name, "2", "--nodes-to-remove", "none", said="is none")
    cloud.zerojhub(*smaller, "--yes")
    assert school.cluster()["node_count"] == 2
    assert len(school.nodes()) == 3
    assert leaving not in school.nodes()
    for user in ("ada", "bob"):
        assert school.run(user, "print(open('mine.txt').read())") == f"kept by {user}"


STUBBORN = """\
apiVersion: v1
kind: Pod
metadata: {{name: stubborn, labels: {{app: stubborn}}}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 1
  containers: [{{name: wait, image: busybox, command: [sleep, "1000"]}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: stubborn}}
spec: {{minAvailable: 1, selector: {{matchLabels: {{app: stubborn}}}}}}
"""


def test_a_node_takes_pods_again_when_magnum_keeps_it(cloud, school, tmp_path):
    """While a pod is slow to terminate, another client raises the minimum, so Magnum rejects the resize."""
    path = tmp_path / "kubeconfig"
    cloud.zerojhub("cluster", "kubeconfig", school.name, "--to", path)

    def kubectl(*words: str, **more) -> str:
        return cloud.run(school.kubectl, "--kubeconfig", path, *words, **more).stdout.strip()

    def is_cordoned() -> bool:
        return kubectl("get", "node", node, "-o", "jsonpath={.spec.unschedulable}") == "true"

    node = next(name for name in school.nodes() if "-master-" not in name)
    kubectl("apply", "-f", "-", input=STUBBORN.format(node=node))
    kubectl("wait", "pod/stubborn", "--for=condition=Ready", "--timeout=60s")
    least = ["coe", "nodegroup", "update", school.name, "default-worker", "--min-nodes"]
    with ThreadPoolExecutor() as pool:
        words = ["cluster", "resize", school.name, "1", "--nodes-to-remove", node, "--yes"]
        resizing = pool.submit(cloud.zerojhub, *words, code=1)
        until(is_cordoned)
        try:
            cloud.openstack(*least, "2")
        finally:
            kubectl("delete", "pdb", "stubborn")
        said = resizing.result().stderr
    cloud.openstack(*least, "0")
    assert "outside the allowed range" in said
    assert f"{node} accepts pods again" in said
    assert not is_cordoned()
    assert school.cluster()["node_count"] == 2


def test_a_change_that_failed_says_why_and_that_the_cluster_is_usable(cloud, school):
    failing = ["--node-count", "1", "--labels", "practice_fail=kube_minions"]
    cloud.openstack("coe", "nodegroup", "create", school.name, "broken", *failing)
    until(lambda: school.cluster()["status"] == "UPDATE_FAILED")
    said = cloud.json("cluster", "show", school.name)["failure"]
    assert "is UPDATE_FAILED: broken failed: server life-broken-" in said
    assert "No valid host was found" in said
    assert said.endswith("; usable all the same: its API answers, 3 of 3 nodes are ready")
    cloud.zerojhub("nodegroup", "delete", school.name, "broken", "--yes")
    assert school.cluster()["status"] == "UPDATE_COMPLETE"


def test_update_makes_a_cluster_larger_and_resets_it(cloud, school):
    cloud.zerojhub("cluster", "update", school.name, "replace", "node_count=3")
    assert school.cluster()["node_count"] == 3
    cloud.zerojhub("cluster", "update", school.name, "remove", "node_count", "--yes")
    assert school.cluster()["node_count"] == 1
    assert school.run("bob", "print(open('mine.txt').read())") == "kept by bob"


def test_a_template_in_use_stays(cloud, school):
    template = f"kubernetes-{KUBERNETES}"
    refused(cloud, "template", "delete", template, "--yes", said=f"template {template} is used by {school.name}")


@pytest.fixture
def by_hand(cloud: Shell, tmp_path: Path):
    """A cluster created by the `openstack` client, with the user's own keypair and floating IP."""
    name, key = "by-hand", tmp_path / "key"
    cloud.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    cloud.openstack("keypair", "create", "--public-key", f"{key}.pub", "mine")
    made = cloud.json(
        *("cluster", "create", name, "--template", f"kubernetes-{KUBERNETES}", "--keypair", "mine"), "--workers", "1"
    )
    servers = json.loads(cloud.openstack("server", "list", "--name", f"{name}-.*-master-0", "-f", "json"))
    address = json.loads(cloud.openstack("floating", "ip", "create", "public", "-f", "json"))["floating_ip_address"]
    cloud.openstack("server", "add", "floating", "ip", servers[0]["ID"], address)
    yield name, made["uuid"], key, address
    cloud.zerojhub("cluster", "delete", name, "--delete-data", "--yes", "-q")
    cloud.openstack("floating", "ip", "delete", address)
    cloud.openstack("keypair", "delete", "mine")


def test_adopting_a_cluster_takes_nothing_and_deletes_nothing(cloud, by_hand, tmp_path):
    """First over SSH, with its keypair and floating IP; then through its API, with Helm on this machine."""
    name, uuid, key, address = by_hand
    (tmp_path / "values.yaml").write_text(VALUES)
    file, base = (
        tmp_path / "hub.yaml",
        f"name: {name}\ncloud: practice\nhub: {{chart: embedded, values: values.yaml}}\n",
    )
    base += f"cluster: {{template: kubernetes-{KUBERNETES}}}\n"
    file.write_text(base + f"access: {{private_key: {key}}}\n")
    before = len(cloud.audit())
    stages = {row["name"]: row for row in cloud.json("up", "-f", file, "--only", "access")["stages"]}
    assert stages["floating-ip"]["detail"] == f"{address}, already on the master"
    assert f"core@{address}" in stages["access"]["detail"]
    assert [call["path"] for call in cloud.writes(before) if not call["path"].endswith("/action")] == []

    file.write_text(base + "access: {road: api}\n")
    hub = cloud.json("up", "-f", file)
    assert hub["ready"] is True
    detail = {row["name"]: row["detail"] for row in hub["stages"]}
    assert "https://" in detail["access"]
    assert "this machine" in detail["helm"]
    cloud.zerojhub("down", "-f", file, "--yes")
    assert cloud.json("cluster", "show", name)["uuid"] == uuid
    addresses = [
        row["Floating IP Address"] for row in json.loads(cloud.openstack("floating", "ip", "list", "-f", "json"))
    ]
    assert address in addresses
    assert "mine" in cloud.openstack("keypair", "list", "-f", "value")


def test_what_a_deleted_cluster_leaves(cloud, school):
    """The load balancer of a Service is deleted. Volumes are kept and listed, or deleted on request."""
    cluster = school.cluster()
    # Clouds whose controller manager was not told a name use the cluster's name; Magnum itself looks for its UUID.
    late = f"kube_service_{school.name}_default_late"
    cloud.openstack("loadbalancer", "create", "--name", late, "--vip-subnet-id", "private-subnet", "--wait")
    refused(cloud, "cluster", "delete", school.name, said="confirm with --yes")
    kept = cloud.json("cluster", "delete", school.name, "--yes")["kept"]
    assert sorted(volume["owner"] for volume in kept) == ["claim-ada", "claim-bob", "hub-db-dir"]
    assert school.name not in cloud.openstack("coe", "cluster", "list", "-f", "value", "-c", "name").split()
    assert late not in cloud.openstack("loadbalancer", "list", "-f", "value")
    volumes = json.loads(cloud.openstack("volume", "list", "-f", "json"))
    assert {volume["id"] for volume in kept} <= {volume["ID"] for volume in volumes}
    for volume in kept:
        cloud.openstack("volume", "delete", volume["id"])
    assert cluster["uuid"] not in cloud.openstack("server", "list", "-f", "value")
