"""What a practice cluster provides: DNS, volumes, load balancers; and nodes that join and leave."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.waiting import until

MANIFESTS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: late}
provisioner: cinder.csi.openstack.org
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: unused}
spec: {storageClassName: late, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsUser: 1000, fsGroup: 1000}
      terminationGracePeriodSeconds: 1
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
      containers:
        - name: web
          image: python:3.11
          command: [sh, -c, "hostname >> /data/$HOSTNAME && cd /data && exec python3 -m http.server 8000"]
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {storageClassName: late, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1500M}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
"""


DIARY = """
apiVersion: v1
kind: Pod
metadata: {name: diary}
spec:
  nodeName: NODE
  terminationGracePeriodSeconds: 1
  containers:
    - name: diary
      image: python:3.11
      command: [sh, -c, "echo started >>/disk/diary; exec python3 -m http.server --directory /disk 8000"]
      volumeMounts: [{name: disk, mountPath: /disk}]
  volumes: [{name: disk, hostPath: {path: /var/lib/diary, type: DirectoryOrCreate}}]
"""


class Cluster:
    """A cluster, with kubectl on its master."""

    def __init__(self, shell: Shell, name: str, key: Path):
        self.shell, self.name, self.key = shell, name, key
        self.master = next(server for server in self.servers() if "-master-0" in server["Name"])["Networks"][name][0]

    def servers(self) -> list[dict]:
        return json.loads(self.shell.openstack("server", "list", "--name", self.name, "-f", "json"))

    def show(self) -> dict:
        return json.loads(self.shell.openstack("coe", "cluster", "show", self.name, "-f", "json"))

    def kubectl(self, *words: str, input: str | None = None) -> str:
        options: list[str | Path] = [
            "-F",
            "none",
            "-i",
            self.key,
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ]
        done = subprocess.run(
            ["ssh", *options, "-o", "LogLevel=ERROR", f"core@{self.master}", shlex.join(["sudo", "kubectl", *words])],
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> dict:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def node_of(self, pod: str) -> str:
        return self.get("pod", pod)["spec"]["nodeName"]

    def attached(self, volume: str) -> list[str]:
        """The servers that the volume is attached to, according to Cinder."""
        shown = json.loads(self.shell.openstack("volume", "show", volume, "-f", "json"))
        return [attachment["server_id"] for attachment in shown["attachments"]]


@pytest.fixture(scope="module")
def cluster(cloud: Shell, tmp_path_factory: pytest.TempPathFactory):
    key = tmp_path_factory.mktemp("keys") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
    name = "parts"
    cloud.openstack("keypair", "create", "--public-key", f"{key}.pub", name)
    template = ["--cluster-template", "kubernetes-v1.34.4", "--keypair", name]
    cloud.openstack("coe", "cluster", "create", *template, "--node-count", "2", name)
    status = until(lambda: finished(cloud, name))
    assert status == "CREATE_COMPLETE"
    yield Cluster(cloud, name, key)
    cloud.openstack("coe", "cluster", "delete", name)
    until(lambda: name not in cloud.openstack("coe", "cluster", "list", "-f", "value", "-c", "name").split())
    cloud.openstack("keypair", "delete", name)
    assert json.loads(cloud.openstack("server", "list", "--name", name, "-f", "json")) == []


def finished(cloud: Shell, name: str) -> str | None:
    status = cloud.openstack("coe", "cluster", "show", name, "-f", "value", "-c", "status").strip()
    return None if status.endswith("IN_PROGRESS") else status


def drivers_of(cluster: Cluster, nodes: int) -> dict[str, list[tuple[str, str]]] | None:
    """Node -> its CSI drivers, each with its ID for the node; None until that many nodes have one."""
    listed = {item["metadata"]["name"]: item["spec"].get("drivers") for item in cluster.get("csinodes")["items"]}
    found = {name: [(each["name"], each["nodeID"]) for each in drivers] for name, drivers in listed.items() if drivers}
    return found if len(found) == nodes else None


def fetch(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return None


def test_nodes_are_the_servers(cluster: Cluster):
    nodes = {node["metadata"]["name"]: node for node in cluster.get("nodes")["items"]}
    servers = {server["Name"]: server["ID"] for server in cluster.servers()}
    flavors = {server["Name"]: server["Flavor"] for server in cluster.servers()}
    assert servers.keys() == nodes.keys()
    # Each node has the Cinder driver, which knows from Nova's metadata service what server it is on.
    drivers = until(lambda: drivers_of(cluster, len(nodes)))
    assert drivers == {name: [("cinder.csi.openstack.org", ident)] for name, ident in servers.items()}
    for name, node in nodes.items():
        info, labels = node["status"]["nodeInfo"], node["metadata"]["labels"]
        assert info["systemUUID"] == servers[name]
        assert node["spec"]["providerID"] == f"openstack:///{servers[name]}"
        assert "CoreOS" in info["osImage"]
        role = "master" if "-master-" in name else "worker"
        assert labels["magnum.openstack.org/nodegroup"] == f"default-{role}"
        assert bool(node["spec"].get("taints")) == (role == "master")
        # What the cloud controllers know from Nova.
        assert labels["node.kubernetes.io/instance-type"] == flavors[name]
        assert labels["topology.kubernetes.io/zone"] == "nova"


def test_claims_and_load_balancers_come_from_openstack_and_go_back(cluster: Cluster):
    cluster.kubectl("apply", "-f", "-", input=MANIFESTS)
    volume = until(lambda: cluster.get("pvc", "data-web-0")["spec"].get("volumeName"))
    made = json.loads(cluster.shell.openstack("volume", "show", volume, "-f", "json"))
    assert made["size"] == 2
    assert made["properties"]["csi.storage.k8s.io/pvc/name"] == "data-web-0"
    assert made["properties"]["cinder.csi.openstack.org/cluster"] == cluster.show()["uuid"]
    # Nobody uses the other claim, so it waits for its first consumer.
    assert not cluster.get("pvc", "unused")["spec"].get("volumeName")

    address = until(lambda: cluster.get("service", "web")["status"]["loadBalancer"].get("ingress"))[0]["ip"]
    # Each wrote to its own volume, unprivileged, on a node of its own; the load balancer sends to both.
    until(lambda: "web-0" in (fetch(f"http://{address}/") or ""))
    until(lambda: "web-1" in (fetch(f"http://{address}/") or ""))
    assert cluster.node_of("web-0") != cluster.node_of("web-1")

    # Pods find Services by name, reach each other across nodes, the APIs, and the load balancer's floating IP.
    gateway = cluster.shell.json("practice", "status")["gateway"]
    for url in ("http://web", f"http://{address}", f"http://{gateway}:9580/identity/v3"):
        script = f"import urllib.request as u; print(u.urlopen('{url}', timeout=10).status)"
        answer = until(partial(cluster.kubectl, "exec", "web-1", "--", "python3", "-c", script))
        assert answer.strip() == "200"

    balancers = cluster.shell.openstack("loadbalancer", "list", "-f", "value", "-c", "name")
    assert f"kube_service_{cluster.show()['uuid']}_default_web" in balancers.split()
    ports = [{"port": 80, "$patch": "delete"}, {"port": 81, "targetPort": 8000}]
    cluster.kubectl("patch", "service", "web", "--patch", json.dumps({"spec": {"ports": ports}}))
    until(lambda: fetch(f"http://{address}:81/"))
    assert until(lambda: fetch(f"http://{address}:80/") is None)

    cluster.kubectl("delete", "service", "web")
    assert "kube_service" not in cluster.shell.openstack("loadbalancer", "list", "-f", "value", "-c", "name")
    assert address not in cluster.shell.openstack("floating", "ip", "list", "-f", "value")


def test_a_volume_is_a_disk_of_its_size_that_follows_its_pod(cluster: Cluster):
    volume = cluster.get("pvc", "data-web-0")["spec"]["volumeName"]
    servers = {server["Name"]: server["ID"] for server in cluster.servers()}
    before = cluster.node_of("web-0")
    assert cluster.attached(volume) == [servers[before]]
    kind, size = cluster.kubectl("exec", "web-0", "--", "df", "--output=fstype,size", "-BM", "/data").split()[-2:]
    assert kind == "ext4"
    assert 1800 < int(size.removesuffix("M")) < 2048
    fill = "fallocate -l 3G /data/more || echo full"
    assert cluster.kubectl("exec", "web-0", "--", "sh", "-c", fill) == "full\n"

    cluster.kubectl("cordon", before)
    cluster.kubectl("delete", "pod", "web-0")
    until(lambda: cluster.get("statefulset", "web")["status"].get("readyReplicas") == 2)
    cluster.kubectl("uncordon", before)
    after = cluster.node_of("web-0")
    assert after != before
    assert cluster.attached(volume) == [servers[after]]
    assert cluster.kubectl("exec", "web-0", "--", "cat", "/data/web-0") == "web-0\nweb-0\n"

    cluster.kubectl("delete", "statefulset/web", "pvc/data-web-0", "pvc/data-web-1", "pvc/unused")
    until(lambda: not cluster.shell.openstack("volume", "list", "-f", "value"))


def test_a_claim_beyond_the_quota_says_so(cluster: Cluster):
    claim = MANIFESTS.split("---")[1].replace("1Gi", "900Ti").replace("late", "now").replace("unused", "huge")
    storage_class = MANIFESTS.split("---")[0].replace("WaitForFirstConsumer", "Immediate").replace("late", "now")
    cluster.kubectl("apply", "-f", "-", input=f"{storage_class}---{claim}")
    events = ["events", "--field-selector", "involvedObject.name=huge,reason=ProvisioningFailed"]
    said = until(lambda: cluster.get(*events)["items"])[0]["message"]
    assert "quota" in said
    cluster.kubectl("delete", "pvc/huge")


def test_a_worker_is_switched_off_and_on_again(cluster: Cluster):
    worker = next(server["Name"] for server in cluster.servers() if "-node-0" in server["Name"])
    cluster.kubectl("apply", "-f", "-", input=DIARY.replace("NODE", worker))
    until(lambda: status_of(cluster.get("pod", "diary"), "Ready") == "True")

    cluster.shell.openstack("server", "stop", worker)
    until(lambda: state(cluster, worker) == "SHUTOFF")
    assert until(lambda: status_of(cluster.get("node", worker), "Ready") == "Unknown")
    until(lambda: cluster.show()["health_status"] == "UNHEALTHY")

    cluster.shell.openstack("server", "start", worker)
    until(lambda: status_of(cluster.get("node", worker), "Ready") == "True")
    assert state(cluster, worker) == "ACTIVE"
    # The pod is started again, on the disk that the machine had; and pods of other nodes reach it.
    until(lambda: status_of(cluster.get("pod", "diary"), "Ready") == "True")
    other = next(server["Name"] for server in cluster.servers() if "-node-1" in server["Name"])
    elsewhere = {"spec": {"nodeName": other, "terminationGracePeriodSeconds": 1}}
    options = ["--image=python:3.11", "--restart=Never", "--overrides", json.dumps(elsewhere)]
    address = cluster.get("pod", "diary")["status"]["podIP"]
    read = f"import urllib.request as u; print(u.urlopen('http://{address}:8000/diary', timeout=9).read().decode())"
    cluster.kubectl("run", "reader", *options, "--", "python3", "-c", read)
    until(lambda: cluster.get("pod", "reader")["status"]["phase"] == "Succeeded")
    assert cluster.kubectl("logs", "reader").split() == ["started", "started"]
    until(lambda: cluster.show()["health_status"] == "HEALTHY")
    cluster.kubectl("delete", "pod/diary", "pod/reader")


def test_pods_back_up_to_the_object_store_with_restic(cluster: Cluster):
    """With the tokens of an application credential, and with an access key over the S3 API."""
    openstack = cluster.shell.openstack
    robot = json.loads(openstack("application", "credential", "create", "backup", "-f", "json"))
    key = json.loads(openstack("ec2", "credentials", "create", "-f", "json"))
    apis = f"http://{cluster.shell.json('practice', 'status')['gateway']}:9580"
    environment = {
        "RESTIC_PASSWORD": "open sesame",
        "OS_AUTH_URL": f"{apis}/identity/v3",
        "OS_APPLICATION_CREDENTIAL_ID": robot["ID"],
        "OS_APPLICATION_CREDENTIAL_SECRET": robot["Secret"],
        "AWS_ACCESS_KEY_ID": key["access"],
        "AWS_SECRET_ACCESS_KEY": key["secret"],
    }
    pod = ["backup", "--image=restic/restic:0.19.1", "--restart=Never"]
    pod += [f"--env={name}={value}" for name, value in environment.items()]
    each = "restic -r $store init && restic -r $store backup /etc && restic -r $store check --read-data || exit 1"
    script = f"for store in swift:backups:/home s3:{apis}/buckets/home; do {each}; done"
    cluster.kubectl("run", *pod, "--command", "--", "sh", "-c", script)
    phase = until(lambda: {"Succeeded", "Failed"} & {cluster.get("pod", "backup")["status"]["phase"]})
    assert phase == {"Succeeded"}, cluster.kubectl("logs", "backup")
    for container in ("backups", "buckets"):
        assert "home/config" in openstack("object", "list", container, "-f", "value").split()
    cluster.kubectl("delete", "pod/backup")


def state(cluster: Cluster, server: str) -> str:
    return cluster.shell.openstack("server", "show", server, "-f", "value", "-c", "status").strip()


def status_of(thing: dict, condition: str) -> str | None:
    return next((item["status"] for item in thing["status"]["conditions"] if item["type"] == condition), None)


def test_a_node_that_leaves_is_drained_first(cluster: Cluster):
    wait = "trap exit TERM; sleep 1000 & wait"
    cluster.kubectl("create", "deployment", "web", "--image=python:3.11", "--replicas=4", "--", "sh", "-c", wait)
    until(lambda: cluster.get("deployment", "web")["status"].get("readyReplicas") == 4)
    cluster.shell.openstack("coe", "cluster", "resize", cluster.name, "1")
    until(lambda: cluster.show()["status"] == "UPDATE_COMPLETE")
    names = {node["metadata"]["name"] for node in cluster.get("nodes")["items"]}
    assert names == {server["Name"] for server in cluster.servers()}
    assert len(names) == 2
    until(lambda: cluster.get("deployment", "web")["status"].get("readyReplicas") == 4)
    assert {pod["spec"]["nodeName"] for pod in cluster.get("pods", "-l", "app=web")["items"]} <= names
    cluster.kubectl("delete", "deployment/web")
