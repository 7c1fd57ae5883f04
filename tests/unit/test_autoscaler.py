"""The autoscaler's options, the version that a cluster gets, and the decisions of the practice cloud's substitute."""

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from zerojhub.cluster import autoscale_status
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import autoscaler
from zerojhub.openstack import clusters
from zerojhub.practice.cloud.magnum import autoscaling
from zerojhub.practice.images.catalog import HERE

SETTINGS = autoscaler.Settings(
    groups={"default-worker": (1, 5), "gpu": (0, 2)}, unneeded_time="90s", image=autoscaler.image_for("v1.34.4")
)
GLOBAL = {
    "auth-url": "https://cloud/v3",
    "user-id": "u1",
    "password": 'secret, with \\ " = and #',
    "trust-id": "t1",
    "region": "R",
    "ca-file": "/etc/kubernetes/ca-bundle.crt",
    "subnet-id": "not for it",
}


def named(kind: str) -> Any:
    files = autoscaler.cloud_config(GLOBAL, ca="PEM")
    return next(each for each in autoscaler.manifests("c1", SETTINGS, files) if each["kind"] == kind)


@pytest.mark.parametrize(
    ("kubernetes", "tag"),
    [
        ("v1.34.4", "v1.34.5"),
        ("v1.28.9-rancher1", "v1.28.7"),
        ("1.19.0", "v1.19.3"),
        ("v1.14.3", "v1.19.3"),  # the first that knows node groups
        ("v1.52.1", "v1.52.0"),  # of which nothing was known here
    ],
)
def test_the_autoscaler_is_of_the_minor_version_of_the_cluster(kubernetes, tag):
    assert autoscaler.image_for(kubernetes) == f"registry.k8s.io/autoscaling/cluster-autoscaler:{tag}"


def test_an_image_of_another_minor_version_is_not_kept():
    assert autoscaler.suits("mirror.example:5000/cluster-autoscaler:v1.34.2", "v1.34.4")
    assert not autoscaler.suits("docker.io/openstackmagnum/cluster-autoscaler:v1.18.1", "v1.34.4")
    assert not autoscaler.suits("", "v1.34.4")


def test_only_old_ones_go_by_the_machine_id():
    assert autoscaler.goes_by_machine_id("docker.io/openstackmagnum/cluster-autoscaler:v1.18.1")
    assert not autoscaler.goes_by_machine_id(autoscaler.image_for("v1.34.4"))
    assert not autoscaler.goes_by_machine_id("registry:5000/cluster-autoscaler")


def test_its_flags_say_cluster_groups_and_times():
    [container] = named("Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [
        "./cluster-autoscaler",
        "--cloud-provider=magnum",
        "--cluster-name=c1",
        "--cloud-config=/config/cloud-config",
        "--nodes=1:5:default-worker",
        "--nodes=0:2:gpu",
        "--scale-down-unneeded-time=90s",
        "--scale-down-delay-after-add=10m",
        "--scale-down-delay-after-failure=3m",
    ]


def test_the_secret_holds_what_it_reads_and_nothing_else_does():
    files = named("Secret")["stringData"]
    lines = files["cloud-config"].splitlines()
    assert lines[0] == "[Global]"
    assert r'password="secret, with \\ \" = and #"' in lines
    assert 'ca-file="/config/ca.crt"' in lines
    assert files["ca.crt"] == "PEM"
    assert not any("subnet-id" in line for line in lines)
    others = [each for each in autoscaler.manifests("c1", SETTINGS, files) if each["kind"] != "Secret"]
    assert "secret, with" not in str(others)
    assert autoscaler.cloud_config(GLOBAL, ca=None)["cloud-config"].count("ca-file") == 0


def test_a_credential_that_it_cannot_use_is_refused():
    with pytest.raises(ZeroJHubError, match="no password"):
        autoscaler.cloud_config({"auth-url": "u", "application-credential-id": "i"}, ca=None)


def test_what_was_told_is_read_back_also_from_magnums_own():
    assert autoscaler.Settings.of(named("Deployment")) == SETTINGS
    cluster = {
        "uuid": "c1",
        "labels": {"auto_scaling_enabled": "True", "max_node_count": "4"},
        "nodegroups": [{"role": "master", "node_count": 1}, {"role": "worker", "node_count": 2}],
    }
    theirs: Any
    [theirs] = [each for each in autoscaling.manifests(cluster, "[Global]\n") if each["kind"] == "Deployment"]
    read = autoscaler.Settings.of(theirs)
    assert read.groups == {"default-worker": (1, 4)}
    assert (read.unneeded_time, read.image) == ("10m", "docker.io/openstackmagnum/cluster-autoscaler:v1.18.1")


def test_every_object_is_deleted_that_is_made():
    made = {(each["kind"], each["metadata"]["name"]) for each in autoscaler.manifests("c1", SETTINGS, {})}
    deleted = {(kind.rpartition("/")[2], name) for kind, name, _ in autoscaler.OBJECTS}
    assert made <= deleted


# -- the substitute -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program():
    """Import the substitute's modules. Its image is built from their folder, so nothing may be left there."""
    folder, kept = HERE / "cluster-autoscaler", sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        spec = importlib.util.spec_from_file_location("cluster_autoscaler", folder / "main.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.dont_write_bytecode = kept
        sys.path.remove(str(folder))


def pod(cpu: str, **spec) -> dict:
    meta = {"namespace": "default", "name": "p", "ownerReferences": [{"kind": "ReplicaSet"}]}
    return {"metadata": meta, "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}], **spec}}


def test_the_cloud_config_is_read_as_it_was_written(program, tmp_path):
    (tmp_path / "cloud-config").write_text(autoscaler.cloud_config(GLOBAL, ca=None)["cloud-config"])
    about = sys.modules["cloud"].Cloud(str(tmp_path / "cloud-config"))._about
    assert (about["password"], about["region"]) == (GLOBAL["password"], "R")


def test_a_pod_fits_or_is_refused_in_the_schedulers_words(program):
    node = {
        "metadata": {"name": "n", "labels": {"pool": "users"}},
        "spec": {"taints": [{"key": "hub", "value": "user", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}},
    }
    room = program.Room.of(node, [pod("1500m")])
    tolerant = {"tolerations": [{"key": "hub", "operator": "Exists"}]}
    assert room.refusal(pod("100m")) == "node(s) had untolerated taint {hub: user}"
    assert room.refusal(pod("600m", **tolerant)) == "Insufficient cpu"
    assert room.refusal(pod("500m", **tolerant)) is None
    elsewhere = tolerant | {"nodeSelector": {"pool": "core"}}
    assert room.refusal(pod("1m", **elsewhere)) == "node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", Fraction(1, 2)), ("1Gi", 2**30), ("3", 3), ("1e3", 1000), ("100k", 100_000), ("1.5", Fraction(3, 2))],
)
def test_quantities(program, text, number):
    assert sys.modules["fit"].quantity(text) == number


def test_pods_that_nobody_would_make_again_hold_their_node(program):
    lone = pod("1m")
    del lone["metadata"]["ownerReferences"]
    assert program.why_held(pod("1m")) is None
    assert "is not replicated" in program.why_held(lone)
    assert "has local storage" in program.why_held(pod("1m", volumes=[{"emptyDir": {}}]))
    lone["metadata"]["annotations"] = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
    assert program.why_held(lone) is None


def test_it_takes_magnums_flags_and_refuses_others(program, capsys):
    words = ["--alsologtostderr", "--cluster-name=c", "--cloud-config=/c", "--nodes=1:3:default-worker"]
    asked = program.flags([*words, "--scale-down-unneeded-time=1h30m"])
    assert asked.scale_down_unneeded_time == 5400
    for more in (["--no-such-flag=1"], ["--scale-down-unneeded-time=soon"], ["--node-group-auto-discovery=magnum:x"]):
        with pytest.raises(SystemExit):
            program.flags([*words, *more])
    assert "invalid duration" in capsys.readouterr().err


def test_its_status_is_yaml(program):
    told = {"a": {"b": 1, "c": "it's: so"}, "groups": [{"name": "x", "health": {"maxSize": 3}}, {"name": "y"}]}
    assert yaml.safe_load(program.yaml(told)) == told


def test_nothing_is_left_where_its_image_is_built_from(program):
    assert not [each for each in Path(program.__file__).parent.rglob("*") if "__pycache__" in each.parts]


# -- why no node comes --------------------------------------------------------------------------------------------------


def group(**more) -> autoscale_status.GroupStatus:
    usual: dict[str, Any] = {"name": "default-worker", "min": 1, "max": 3, "nodes": 1, "ready": 1}
    usual |= {"error": None, "flavor": "m1.small", "scale_up": None, "scale_down": None}
    return autoscale_status.GroupStatus(**usual | more)


NOT = "pod didn't trigger scale-up: 1 "


@pytest.mark.parametrize(
    ("groups", "reason", "message", "lacking", "told"),
    [
        ([group(max=None)], None, "", [], "autoscaling is off (zerojhub autoscale enable); the scheduler: 0/2 nodes"),
        ([group()], None, "", [], "the autoscaler has not reacted yet; the scheduler: 0/2 nodes"),
        ([group()], "TriggeredScaleUp", "pod triggered scale-up: [{a 1->2}]", [], "a node is being added: [{a 1->2}]"),
        ([group(nodes=3, ready=2)], "TriggeredScaleUp", "pod: [{a 2->3}]", [], "a node is being added"),
        ([group(nodes=3, ready=3)], "TriggeredScaleUp", "pod: [{a 2->3}]", [], "the upper bounds are reached"),
        ([group(error="Quota exceeded")], "TriggeredScaleUp", "pod", [], "the cloud provides no node: Quota exceeded"),
        ([group(nodes=3)], None, "", [], "the upper bounds are reached: default-worker has 3 of 3 nodes"),
        ([group()], "NotTriggerScaleUp", NOT + "max node group size reached", [], "the upper bounds are reached"),
        (
            [group(error="no host")],
            "NotTriggerScaleUp",
            NOT + "in backoff after failed scale-up",
            [],
            "retrying later: no host",
        ),
        (
            [group()],
            "NotTriggerScaleUp",
            NOT + "Insufficient cpu",
            ["2 cores are left"],
            "no quota for another node: 2",
        ),
        ([group()], "NotTriggerScaleUp", NOT + "Insufficient cpu", [], "too large for a node of flavor m1.small"),
        ([group()], "NotTriggerScaleUp", NOT + "node(s) had taint", [], "the autoscaler: 1 node(s) had taint"),
    ],
)
def test_the_reason_that_no_node_comes_is_told(monkeypatch, groups, reason, message, lacking, told):
    async def room(*_):
        return lacking

    monkeypatch.setattr(clusters, "lacking_for_nodes", room)
    cloud: Any = None
    said: Any = {"reason": reason, "message": message} if reason else None
    refused = "0/2 nodes are available"
    why = anyio.run(autoscale_status.why_no_node, cloud, groups, said, refused)
    assert told in why
