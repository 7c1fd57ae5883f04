"""A user guide for Magnum from its first section to its last, with one cluster per road and without a deployment file.

What each command reports is what the `openstack` client and kubectl show. Each test continues where the previous one ended.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import mpmath
import pytest

from tests.conftest import PROGRAM, ROOT, Shell
from tests.waiting import until
from zerojhub.cluster.upgrade import number

OLD, NEW = "v1.33.13", "v1.34.4"
PI = """\
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  backoffLimit: 4
  template:
    spec:
      restartPolicy: Never
      containers: [{name: pi, image: "perl:5.34", command: [perl, -Mbignum=bpi, -wle, print bpi(2000)]}]
"""
EIGHT = """\
apiVersion: batch/v1
kind: Job
metadata: {name: eight}
spec:
  completions: 8
  parallelism: 2
  template:
    spec:
      restartPolicy: Never
      containers: [{name: eight, image: busybox, command: [echo, done]}]
"""
HELLO = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: hello}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: hello, image: busybox, command: [echo, hello from the cluster]}]
"""
STORAGE = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: cinder.csi.openstack.org
"""
CONFIG = """\
hub:
  config:
    JupyterHub: {authenticator_class: dummy}
    DummyAuthenticator: {password: secret}
"""
STACK = """\
heat_template_version: 2018-08-31
parameters:
  template: {type: string}
resources:
  cluster:
    type: OS::Magnum::Cluster
    properties: {name: from-heat, cluster_template: {get_param: template}, keypair: mykey, node_count: 1, master_count: 1}
outputs:
  api: {value: {get_attr: [cluster, api_address]}}
"""


class Guide:
    """One road through the guide, with a cluster of its own."""

    def __init__(self, shell: Shell, road: str):
        self.shell, self.road, self.name = shell, road, f"guide-{road}"

    def image(self, version: str) -> str:
        return "fedora-coreos-38" if self.road == "ssh" else f"ubuntu-2204-kube-{version}"

    def cluster(self) -> dict:
        return json.loads(self.shell.openstack("coe", "cluster", "show", self.name, "-f", "json"))

    def servers(self) -> list[str]:
        listed = json.loads(self.shell.openstack("server", "list", "-f", "json"))
        return [server["Name"] for server in listed]

    def do(self, group: str, verb: str, *words: str) -> dict:
        """`zerojhub GROUP VERB CLUSTER …`, its output as data."""
        return self.shell.json(group, verb, self.name, *words)

    def there(self, *words: str | Path, input: str | bytes = "") -> str:
        """The output of `zerojhub …` with an input."""
        text = input.decode("latin-1") if isinstance(input, bytes) else input
        done = self.shell.run(PROGRAM, *words, input=text, encoding="latin-1")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kubectl(self, *words: str, input: str = "") -> str:
        """kubectl where the guide uses it: on the master, or here with a kubeconfig."""
        if self.road == "ssh":
            return self.there("cluster", "ssh", self.name, "-q", "--", "sudo", "kubectl", *words, input=input)
        path = self.shell.folder / "kubeconfig"
        if not path.exists():
            self.shell.zerojhub("cluster", "kubeconfig", self.name, "--to", path)
        cache = Path(self.shell.environment["XDG_CACHE_HOME"]) / "zerojhub" / "practice"
        program = next(cache.glob("kubernetes-*/kubectl"))
        done = self.shell.run(program, "--kubeconfig", path, *words, input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> dict:
        return json.loads(self.kubectl("get", *words, "-o", "json"))


@pytest.fixture(scope="module", params=["ssh", "api"])
def guide(request: pytest.FixtureRequest, cloud: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    """A person's folder with a private key that Nova made, as the guide has it, and no deployment file."""
    home = tmp_path_factory.mktemp("home")
    shell = Shell(home, cloud.environment | {"HOME": str(home)})
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "mykey.pem").write_text(shell.openstack("keypair", "create", "mykey"))
    (home / ".ssh" / "mykey.pem").chmod(0o600)
    yield Guide(shell, request.param)
    shell.openstack("keypair", "delete", "mykey")


def test_a_template_is_made_listed_and_shown(guide):
    shell = guide.shell
    assert shell.json("cluster", "list") == []
    assert shell.openstack("coe", "cluster", "list", "-f", "value").strip() == ""
    words = ["--external-network", "public", "--flavor", "m1.small", "--master-flavor", "m1.medium"]
    words += ["--dns-nameserver", "8.8.8.8", "--network-driver", "calico", "--coe", "kubernetes", "--keypair", "mykey"]
    if guide.road == "api":
        words += ["--master-lb-enabled", "--floating-ip"]
    for version, name in ((OLD, guide.name), (NEW, f"{guide.name}-new")):
        made = shell.json(
            "template", "create", name, "--image", guide.image(version), *words, "--labels", f"kube_tag={version}"
        )
        shown = json.loads(shell.openstack("coe", "cluster", "template", "show", made["uuid"], "-f", "json"))
        assert (shown["name"], shown["coe"], shown["labels"]) == (name, "kubernetes", {"kube_tag": version})
    assert {guide.name, f"{guide.name}-new"} <= {row["name"] for row in shell.json("template", "list")}
    assert shell.json("template", "show", guide.name)["keypair_id"] == "mykey"


def test_a_cluster_is_made(guide):
    create = ["cluster", "create", guide.name, "--template", guide.name, "--keypair", "mykey"]
    if guide.road == "api":  # where the autoscaler runs outside the cluster, a label admits it
        create += ["--labels", "auto_scaling_enabled=true,min_node_count=1,max_node_count=1"]
    made = guide.shell.json(*create, "--workers", "1", "--masters", "1")
    assert made["status"] == guide.cluster()["status"] == "CREATE_COMPLETE"
    assert made["uuid"] == guide.cluster()["uuid"]
    shown = guide.do("cluster", "show")
    assert sorted(server["name"] for server in shown["servers"]) == sorted(guide.servers())


def test_a_floating_ip_is_added_to_the_master_for_ssh(guide):
    shell = guide.shell
    if guide.road == "api":
        assert guide.do("cluster", "expose")["needed"] is False
        assert "no SSH access" in shell.zerojhub("cluster", "ssh", guide.name, code=2).stderr
        return
    expose = f"zerojhub cluster expose {guide.name}"
    for words in (
        ["cluster", "ssh", guide.name],
        ["job", "list", "--cluster", guide.name],
        ["node", "list", guide.name],
    ):
        assert expose in shell.zerojhub(*words, code=1).stderr
    address = guide.do("cluster", "expose")["floating_ip_address"]
    (listed,) = json.loads(shell.openstack("floating", "ip", "list", "-f", "json"))
    assert listed["Floating IP Address"] == address
    openly = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    key = shell.folder / ".ssh" / "mykey.pem"
    by_hand = shell.run("ssh", *openly, "-i", key, f"core@{address}", "hostname")
    assert by_hand.returncode == 0, by_hand.stderr
    assert guide.there("cluster", "ssh", guide.name, "-q", "--", "hostname") == by_hand.stdout
    elsewhere = key.rename(shell.folder / "mykey.pem")
    assert "no private key" in shell.zerojhub("cluster", "ssh", guide.name, "--", "hostname", code=2).stderr
    words = ["cluster", "ssh", guide.name, "-q", "-i", "mykey.pem", "--user", "core", "--", "hostname"]
    assert guide.there(*words) == by_hand.stdout
    elsewhere.rename(key)


def test_its_nodes_are_its_servers(guide):
    nodes = {node["metadata"]["name"] for node in guide.get("nodes")["items"]}
    assert nodes == {row["name"] for row in guide.do("node", "list")} == set(guide.servers())


def test_it_is_updated_and_resized(guide):
    guide.shell.zerojhub("cluster", "update", guide.name, "replace", "node_count=2", "--yes")
    assert (guide.cluster()["node_count"], guide.cluster()["status"]) == (2, "UPDATE_COMPLETE")
    assert len(guide.servers()) == 3
    guide.shell.zerojhub("cluster", "resize", guide.name, "1", "--yes")
    assert guide.cluster()["node_count"] == 1
    until(lambda: {node["metadata"]["name"] for node in guide.get("nodes")["items"]} == set(guide.servers()))


def test_a_job_computes_and_prints(guide):
    shell, here = guide.shell, ("--cluster", guide.name)
    (shell.folder / "job.yaml").write_text(PI)
    digits = shell.zerojhub("job", "run", "--from", "job.yaml", "--logs", *here).stdout.strip()
    with mpmath.workdps(2020):
        assert digits == mpmath.nstr(mpmath.pi, 2000)
    assert shell.zerojhub("job", "logs", "pi", *here).stdout.strip() == digits
    assert guide.get("job", "pi")["status"]["succeeded"] == 1


def test_jobs_run_in_parallel(guide):
    shell, here = guide.shell, ("--cluster", guide.name)
    (shell.folder / "eight.yaml").write_text(EIGHT)
    shell.zerojhub("job", "run", "--from", "eight.yaml", "--wait", *here)
    assert guide.get("job", "eight")["status"]["succeeded"] == 8
    assert {row["name"]: row["completions"] for row in shell.json("job", "list", *here)} == {
        "pi": "1/1",
        "eight": "8/8",
    }
    for name in ("pi", "eight"):
        shell.zerojhub("job", "delete", name, "--yes", *here)
    assert guide.get("jobs")["items"] == []


def test_a_job_runs_on_a_schedule(guide):
    shell, here = guide.shell, ("--cluster", guide.name)
    (shell.folder / "cronjob.yaml").write_text(HELLO)
    assert "every minute" in shell.zerojhub("cron", "create", "--from", "cronjob.yaml", *here).stdout
    until(lambda: guide.get("jobs")["items"])
    assert guide.get("cronjob", "hello")["spec"]["schedule"] == "* * * * *"
    until(lambda: shell.json("cron", "list", *here)[0]["last_state"] == "complete")
    assert "hello from the cluster" in shell.zerojhub("cron", "logs", "hello", *here).stdout
    shell.zerojhub("cron", "delete", "hello", "--yes", *here)
    assert guide.get("cronjobs")["items"] == guide.get("jobs")["items"] == []


def test_a_storage_class_is_defined(guide):
    if guide.road == "ssh":
        assert guide.get("storageclass")["items"] == []
        guide.kubectl("apply", "-f", "-", input=STORAGE)
    (default,) = guide.get("storageclass")["items"]
    assert default["provisioner"] == "cinder.csi.openstack.org"


def test_helm_installs_a_hub_that_answers(guide):
    helm = ["helm", "--cluster", guide.name]
    assert guide.there(*helm, "version", "--short").startswith("v3.")
    chart = str(ROOT / "charts" / "jupyterhub")
    if guide.road == "ssh":  # Helm runs on the master
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(chart, "jupyterhub")
        chart = "/tmp/jupyterhub.tgz"
        guide.there("cluster", "ssh", guide.name, "-q", "--", f"cat >{chart}", input=packed.getvalue())
    install = ["upgrade", "--install", "jhub", chart, "--namespace", "jhub", "--create-namespace", "--wait"]
    guide.there(*helm, *install, "-f", "-", input=CONFIG)
    (release,) = json.loads(guide.there(*helm, "list", "--all-namespaces", "-o", "json"))
    assert (release["name"], release["status"]) == ("jhub", "deployed")
    service = ("service", "proxy-public", "-n", "jhub")
    address = until(lambda: guide.get(*service)["status"]["loadBalancer"].get("ingress"))[0]["ip"]
    assert httpx.get(f"http://{address}/hub/login", timeout=10).status_code == 200
    assert "proxy-public" in guide.shell.openstack("loadbalancer", "list", "-f", "value", "-c", "name")
    guide.there(*helm, "uninstall", "jhub", "--namespace", "jhub", "--wait")
    guide.kubectl("delete", "namespace", "jhub")
    until(lambda: "proxy-public" not in guide.shell.openstack("loadbalancer", "list", "-f", "value", "-c", "name"))
    until(lambda: guide.shell.volumes() == [])


def test_its_size_follows_its_load_and_a_node_is_protected(guide):
    guide.shell.zerojhub("node", "fix-machine-id", guide.name, "--yes")
    rows = guide.do("node", "list")
    assert all(row["matches"] for row in rows)
    seen = {node["metadata"]["name"]: node["status"]["nodeInfo"] for node in guide.get("nodes")["items"]}
    assert all(info["machineID"] == info["systemUUID"].replace("-", "") for info in seen.values())
    guide.shell.zerojhub("autoscale", "enable", guide.name, "--min", "1", "--max", "2")
    (group,) = guide.do("autoscale", "status")["groups"]
    assert (group["min"], group["max"]) == (1, 2)
    if guide.road == "ssh":
        assert guide.shell.zerojhub("autoscale", "logs", guide.name).stdout
    (worker,) = [row["name"] for row in rows if row["role"] == "worker"]
    guide.shell.zerojhub("autoscale", "protect", guide.name, worker)
    annotations = guide.get("node", worker)["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/scale-down-disabled"] == "true"
    guide.shell.zerojhub("autoscale", "disable", guide.name, "--yes")


def test_its_own_credential_is_shown(guide):
    shown = guide.do("cluster", "credentials")
    assert shown["works"] is True
    if guide.road == "ssh":
        assert shown["id"] in guide.there(
            "cluster", "ssh", guide.name, "-q", "--", "sudo cat /etc/kubernetes/cloud-config"
        )
    else:
        assert shown["id"] in guide.shell.openstack("application", "credential", "list", "-f", "value", "-c", "ID")


def test_kubernetes_is_upgraded_with_a_new_template(guide):
    versions = {row["labels"].get("kube_tag") for row in guide.shell.json("template", "list") if row["public"]}
    assert NEW in versions, "zerojhub practice build --all builds a second Kubernetes"
    guide.shell.zerojhub("cluster", "upgrade", guide.name, "--template", f"{guide.name}-new", "--yes")
    assert guide.cluster()["status"] == "UPDATE_COMPLETE"
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in guide.get("nodes")["items"]} == {NEW}
    assert number(guide.cluster()["coe_version"]) == number(NEW)


def test_heat_makes_a_cluster_and_takes_it_away(guide):
    shell = guide.shell
    (shell.folder / "example.yaml").write_text(STACK)
    made = shell.json("heat", "create", "example", "-t", "example.yaml", "--parameter", f"template={guide.name}", "-q")
    assert made["stack_status"] == "CREATE_COMPLETE"
    assert "from-heat" in shell.openstack("coe", "cluster", "list", "-f", "value", "-c", "name").split()
    shell.zerojhub("cluster", "expose", "from-heat")
    shell.zerojhub("heat", "delete", "example", "--yes")
    assert "from-heat" not in shell.openstack("coe", "cluster", "list", "-f", "value", "-c", "name").split()


def test_everything_is_given_back(guide):
    shell = guide.shell
    used = shell.zerojhub("template", "delete", f"{guide.name}-new", "--yes", code=2).stderr
    assert f"is used by {guide.name}" in used
    shell.zerojhub("cluster", "delete", guide.name, "--yes")
    for name in (guide.name, f"{guide.name}-new"):
        shell.zerojhub("template", "delete", name, "--yes")
    for words in ("coe cluster", "server", "floating ip", "loadbalancer", "stack", "volume"):
        assert shell.openstack(*words.split(), "list", "-f", "value").strip() == "", words
