"""Whose a volume is, and which volumes are given back to whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud
from tests.unit.kubernetes import Cluster
from zerojhub.data import claims, kept, reattach
from zerojhub.data.keep import keep, owner_of
from zerojhub.data.kept import KeptVolume
from zerojhub.data.owner import GIVEN_BACK, KEPT, Owner, recorded, recovered
from zerojhub.data.reattach import Hub, Return, There
from zerojhub.deployment import Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub.names import Scheme, unescape
from zerojhub.kube.volumes import delete
from zerojhub.openstack.leftovers import KEEP
from zerojhub.openstack.session import Cloud

ESCAPE, SAFE = Scheme(False, "claim-{username}{servername}"), Scheme(True, "claim-{user_server}")
ADA = Owner("class", "claim-ada", deployment="class", user="ada", safe=True, cluster="c1")
HUB = Hub("class", "class", "c2", SAFE, "cinder", "cinder", 1, {"cinder": "Delete", "kept": "Retain"})
VOLUMES = f"/volume/v3/{PROJECT}/volumes"


def volume(owner: Owner = ADA, id: str = "v1", **more: Any) -> KeptVolume:
    plain = KeptVolume(id, f"pvc-{id}", 10, "available", "nova", (), owner, "2026-11-28T10:00:00+00:00")
    return replace(plain, **more)


def there(**more: Any) -> There:
    given: dict[str, Any] = {"claims": {}, "volumes": {}, "servers": (), "node_zones": (), "cinder_zones": ()}
    return There(**given | more)


# -- names: as KubeSpawner's own code gives them (kubespawner/slugs.py, 6.2.0 and 7.0.0) ---------------------------------


@pytest.mark.parametrize(
    ("user", "server", "escaped", "safe"),
    [
        ("ada", "", "claim-ada", "claim-ada"),
        ("ada-b", "", "claim-ada-2db", "claim-ada-b"),
        ("ada@example.org", "", "claim-ada-40example-2eorg", "claim-ada-example-org---cfe00dde"),
        ("1ada", "", "claim-1ada", "claim-x-1ada---ba26231b"),
        ("é漢", "", "claim--c3-a9-e6-bc-a2", "claim-x---3ba0cfb6"),
        ("ada", "lab", "claim-adalab", "claim-ada--lab"),
        ("ada", "My lab", "claim-ada-4dy-20lab", "claim-ada--my-lab---90b74a5c"),
        ("a" * 50, "", f"claim-{'a' * 50}", "claim-aaaaaaaaaaaaaaaaa--x---35a479d2"),
    ],
)
def test_claims_have_the_names_that_kubespawner_gives_them(user, server, escaped, safe):
    assert (ESCAPE.claim(user, server), SAFE.claim(user, server)) == (escaped, safe)


def test_a_user_is_recognized_by_an_escape_and_not_guessed_from_a_hash():
    assert [unescape(name) for name in ("ada-2db", "ada", "-c3-a9")] == ["ada-b", "ada", "é"]
    assert [unescape(name) for name in ("ada-b", "ada--lab", "x-1ada---c7d4f1d1", "-ff-fe")] == [None] * 4


# -- what Cinder knows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "owner",
    [
        ADA,
        Owner(
            "class", "claim-x---b9c2d9be", "class", "é漢 🚀 'b' \\ % +", server="my lab", safe=False, file_system="xfs"
        ),
        Owner("class", "hub-db-dir", "class"),
    ],
)
def test_whose_a_volume_is_can_be_read_from_its_metadata(owner):
    metadata = owner.metadata()
    assert recorded(metadata) == owner
    assert all(text.isascii() and 0 < len(text) <= 255 for text in metadata.values())


def test_a_name_too_long_for_cinder_is_left_out_and_the_claim_still_tells():
    found = recorded(replace(ADA, user="漢" * 100).metadata())
    assert found and (found.user, found.claim) == (None, "claim-ada")


CSI = {"cinder.csi.openstack.org/cluster": "gone", "csi.storage.k8s.io/pvc/namespace": "class"}


def test_the_drivers_metadata_tell_whose_a_volume_of_an_earlier_version_is():
    def found(claim: str) -> tuple[str | None, bool | None]:
        owner = recovered({**CSI, "csi.storage.k8s.io/pvc/name": claim})
        assert owner
        return owner.user, owner.safe

    assert found("claim-ada") == ("ada", None)
    assert found("claim-ada-2db") == ("ada-b", False)
    assert found("claim-ada--lab") == found("hub-db-dir") == (None, None)
    assert recovered({"somebody": "else's"}) is None


@pytest.mark.parametrize(
    ("claim", "user"),
    [
        ("claim-grace-40example-2eorg", "grace@example.org"),
        ("claim-zo-c3-ab-2elovelace", "zoë.lovelace"),
        ("claim-1st", "1st"),
        # As KubeSpawner 7 names the claims of user-10, group-2b and so on: in the other scheme they would be of `user\x10`.
        *((f"claim-{name}", None) for name in ("user-10", "group-2b", "class-2d", "lab-42", "s-40123", "x-2ey-")),
    ],
)
def test_nobody_gets_a_volume_because_a_name_can_be_read_in_two_ways(claim, user):
    owner = recovered({**CSI, "csi.storage.k8s.io/pvc/name": claim})
    assert owner and (owner.user, owner.claim) == (user, claim)
    assert names_for(replace(owner, namespace="class"), HUB, DATABASE) == (claim if user is None else SAFE.claim(user))


@pytest.fixture
def project(fake_cloud: FakeCloud) -> FakeCloud:
    fake_cloud.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": []}))
    return fake_cloud


def listed(project: FakeCloud, *metadata: dict[str, str], cluster: Any = None) -> kept.Found:
    volumes = [
        {"id": f"v{number}", "name": "pvc", "size": 10, "status": "available", "availability_zone": "nova"}
        | {"attachments": [], "metadata": each, "created_at": f"2026-11-2{number}T10:00:00.000000"}
        for number, each in enumerate(metadata)
    ]
    project.answer(f"GET {VOLUMES}/detail", Answer(200, {"volumes": volumes}))
    deployment = Deployment.model_validate({"name": "class", "cloud": "fake", "cluster": {"template": "t"}})
    return anyio.run(kept.find, Cloud("fake"), deployment, cluster)


def test_kept_volumes_are_those_of_this_deployment_that_no_cluster_has(project):
    marked = ADA.metadata() | {KEPT: "2026-11-28T10:00:00+00:00"}
    other = replace(ADA, deployment="other").metadata() | {KEPT: "2026-11-28T10:00:00+00:00"}
    found = listed(project, marked, other, {}, {"name": "disk"})
    assert [each.id for each in found.volumes] == ["v0"]


def test_volumes_of_a_cluster_that_was_deleted_by_other_means_are_kept_ones(project):
    given_back = ADA.metadata()
    assert [each.id for each in listed(project, given_back).volumes] == ["v0"]
    there: dict[str, Any] = {"uuid": "c1", "name": "class", "labels": {}, "status": "CREATE_COMPLETE", "stack_id": None}
    there |= {"cluster_template_id": "t", "keypair": None, "node_count": 1, "master_count": 1}
    there |= {"flavor_id": None, "master_flavor_id": None, "health_status": None}
    project.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": [there]}))
    assert listed(project, given_back).volumes == []


def test_only_volumes_of_other_clusters_are_looked_for_among_all_clusters(project):
    early = {**CSI, "csi.storage.k8s.io/pvc/name": "claim-ada"}
    for metadata in (ADA.metadata(), early):
        project.requests.clear()
        assert listed(project, metadata, cluster={"uuid": "c1", "stack_id": "gone"}).volumes == []
        assert [request.path for request in project.requests] == [f"{VOLUMES}/detail"]


def test_volumes_of_an_earlier_version_are_found_by_their_namespace(project):
    early = {**CSI, "csi.storage.k8s.io/pvc/name": "claim-ada-2db"}
    elsewhere = early | {"csi.storage.k8s.io/pvc/namespace": "other"}
    assert [each.owner.user for each in listed(project, early, elsewhere).volumes] == ["ada-b"]


def test_volumes_that_may_be_another_hubs_are_not_given_to_anybody(project):
    early = {**CSI, "csi.storage.k8s.io/pvc/name": "claim-ada"}
    for metadata in (
        [early, early | {"cinder.csi.openstack.org/cluster": "another"}],  # two clusters had such a namespace
        [early | {"cinder.csi.openstack.org/cluster": "kubernetes"}],  # what Heat drivers call every cluster
    ):
        found = listed(project, *metadata)
        assert (found.volumes, len(found.doubtful)) == ([], len(metadata))


# -- keeping ------------------------------------------------------------------------------------------------------------


def claim(name: str, volume: str, **annotations: str) -> dict[str, Any]:
    keys = {f"hub.jupyter.org/{key}": value for key, value in annotations.items()}
    meta = {"name": name, "namespace": "class", "annotations": keys}
    return {"metadata": meta, "spec": {"volumeName": volume}, "status": {"phase": "Bound"}}


def persistent(name: str, id: str, policy: str = "Delete", **spec: Any) -> dict[str, Any]:
    csi = {"driver": "cinder.csi.openstack.org", "volumeHandle": id, "fsType": "xfs"}
    return {
        "metadata": {"name": name},
        "spec": {"capacity": {"storage": "10Gi"}, "persistentVolumeReclaimPolicy": policy, "csi": csi, **spec},
    }


def keep_all(cluster: Cluster, **more: Any) -> None:
    async def work() -> None:
        await keep(
            cluster, Cloud("fake"), deployment="class", namespace="class", cluster="c1", safe=True, say=print, **more
        )

    anyio.run(work)


def test_a_volume_is_retained_and_its_owner_recorded_before_anything_else(fake_cloud):
    fake_cloud.answer(f"POST {VOLUMES}/v1/metadata", Answer(200, {}))
    cluster = Cluster(
        PersistentVolumeClaim=[claim("claim-ada--lab", "pv1", username="ada", servername="lab"), claim("other", "pv2")],
        PersistentVolume=[persistent("pv1", "v1"), persistent("pv2", "doomed")],
    )
    keep_all(cluster, except_for=["doomed"])
    assert [(each["name"], each["spec"]) for each in cluster.applied] == [
        ("pv1", {"persistentVolumeReclaimPolicy": "Retain"})
    ]
    (written,) = [
        each.body["metadata"] for each in fake_cloud.requests if each.method == "POST" and "/v1/" in each.path
    ]
    owner = Owner("class", "claim-ada--lab", "class", "ada", "lab", True, "xfs", "c1")
    assert recorded(written) == owner
    assert written[KEPT] and KEEP.items() <= written.items()


def test_nothing_of_an_earlier_owner_stays_on_an_adopted_volume(fake_cloud):
    fake_cloud.answer(f"POST {VOLUMES}/v1/metadata", Answer(200, {}))
    fake_cloud.answer(f"DELETE {VOLUMES}/v1/metadata/zerojhub:claim", Answer(200))
    fake_cloud.answer(f"DELETE {VOLUMES}/v1/metadata/zerojhub:server", Answer(200))
    fake_cloud.answer(f"DELETE {VOLUMES}/v1/metadata/zerojhub:names", Answer(200))
    fake_cloud.answer(f"DELETE {VOLUMES}/v1/metadata/zerojhub:cluster", Answer(200))
    had = dict(replace(ADA, server="lab").metadata(), other="theirs")

    async def adopt() -> None:
        await kept.mark(Cloud("fake"), "v1", Owner("class", "", "class", "ben"), had=had)

    anyio.run(adopt)
    (written,) = [each.body["metadata"] for each in fake_cloud.requests if each.method == "POST"]
    gone = {each.path.rpartition("/")[2] for each in fake_cloud.requests if each.method == "DELETE"}
    left = {key: text for key, text in (had | written).items() if key not in gone}
    assert recorded(left) == Owner("class", "", "class", "ben")
    assert left["other"] == "theirs"


def test_what_is_not_in_cinder_stops_a_cluster_from_being_deleted(fake_cloud):
    local = persistent("pv1", "v1")
    local["spec"]["csi"]["driver"] = "local.csi.example.org"
    cluster = Cluster(PersistentVolumeClaim=[claim("claim-ada", "pv1", username="ada")], PersistentVolume=[local])
    with pytest.raises(UserError, match=r"pv1 of claim claim-ada is not in Cinder.*nothing was deleted") as refused:
        keep_all(cluster, leaving=True)
    assert "kubectl -n class delete pvc claim-ada" in str(refused.value.hint)
    assert cluster.applied == []
    keep_all(cluster, leaving=True, except_for=["pv1"])  # with --delete-data
    keep_all(cluster)
    assert [each["name"] for each in cluster.applied] == ["pv1"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": "v", "fsType": "xfs"}}, "xfs"),
        ({"cinder": {"volumeID": "v", "fsType": "xfs"}}, "xfs"),
        ({"cinder": {"volumeID": "v"}}, "ext4"),
    ],
)
def test_the_file_system_is_recorded(source, found):
    volume: Any = {"metadata": {"name": "pv1"}, "spec": {"capacity": {"storage": "1Gi"}, **source}}
    a_claim: Any = claim("claim-ada", "pv1")
    assert owner_of(a_claim, volume, deployment="class", cluster="c1", safe=None).file_system == found


def test_nothing_is_removed_when_kubernetes_does_not_retain_a_volume(fake_cloud, monkeypatch):
    async def unchanged(self: Any, kind: Any, name: str, namespace: Any, change: Any) -> Any:
        return persistent("pv1", "v1")

    monkeypatch.setattr(Cluster, "merge", unchanged)
    cluster = Cluster(PersistentVolumeClaim=[claim("c", "pv1")], PersistentVolume=[persistent("pv1", "v1")])
    with pytest.raises(ZeroJHubError, match="pv1 does not have reclaim policy Retain"):
        keep_all(cluster)


def test_only_the_volumes_that_were_listed_are_deleted_and_retained_ones_too():
    cluster = Cluster(
        PersistentVolumeClaim=[claim("claim-ada", "pv1", username="ada"), claim("claim-ben", "pv2", username="ben")],
        PersistentVolume=[
            persistent("pv1", "v1", "Retain", claimRef={"namespace": "class", "name": "claim-ada"}),
            persistent("pv2", "v2", claimRef={"namespace": "class", "name": "claim-ben"}),
            persistent("pv3", "v3", claimRef={"namespace": "class", "name": "claim-left"}),
            persistent("pv4", "v4", claimRef={"namespace": "other", "name": "claim-ada"}),
        ],
    )
    anyio.run(delete, cluster, "class", {"v1", "v3", "v4"})
    assert cluster.deleted == ["claim-ada", "pv3"]
    assert [(each["name"], each["spec"]) for each in cluster.applied] == [
        ("pv1", {"persistentVolumeReclaimPolicy": "Delete"}),
        ("pv3", {"persistentVolumeReclaimPolicy": "Retain"}),
    ]


# -- giving back --------------------------------------------------------------------------------------------------------


def names_for(owner: Owner, hub: Hub, *others: KeptVolume) -> str:
    decision = reattach.decide([volume(owner), *others], hub, there())
    return next(each.claim for each in decision.returns if each.volume.owner is owner)


DATABASE = volume(Owner("class", "hub-db-dir", "class"), id="db", size_gb=1)


def test_a_claim_has_the_name_that_the_hub_of_the_new_cluster_looks_for():
    escaped = Owner("class", "claim-ada-2db", "class", "ada-b", safe=False)
    lab = Owner("class", "claim-adalab", "class", "ada", "lab", safe=False)
    older = replace(HUB, scheme=ESCAPE)
    assert names_for(escaped, older) == "claim-ada-2db"
    assert names_for(escaped, HUB) == "claim-ada-b"
    assert names_for(lab, HUB) == "claim-ada--lab"
    assert names_for(replace(escaped, claim="claim-ada-b", safe=True), older) == "claim-ada-2db"


def test_kubespawner_7_finds_the_name_that_it_has_noted_if_it_still_has_its_database():
    early = replace(ADA, claim="claim-ada-2db", user="ada-b")  # from before an upgrade to KubeSpawner 7
    lost = replace(DATABASE, status="error")
    assert names_for(early, HUB, DATABASE) == "claim-ada-2db"
    assert names_for(early, replace(HUB, has_accounts=True)) == "claim-ada-2db"
    assert names_for(early, HUB) == names_for(early, HUB, lost) == "claim-ada-b"


def test_it_does_so_too_when_the_database_was_given_back_by_a_run_that_was_interrupted():
    early = replace(ADA, claim="claim-ada-2db", user="ada-b")
    reference = {"namespace": "class", "name": "hub-db-dir"}
    for name, expected in (("kept-db", "claim-ada-2db"), ("pvc-new", "claim-ada-b")):
        world = there(volumes={"db": persistent(name, "db", claimRef=reference)})
        (first,) = reattach.decide([volume(early)], HUB, world).returns
        assert first.claim == expected


def test_a_template_that_needs_more_than_names_leaves_the_name_as_it_was():
    assert names_for(replace(ADA, claim="claim-17"), replace(HUB, scheme=Scheme(True, "claim-{userid}"))) == "claim-17"


USED = {"metadata": {"name": "pv9"}, "spec": {"volumeName": "pv9"}, "status": {}}


@pytest.mark.parametrize(
    ("one", "world", "problem"),
    [
        (volume(status="error"), {}, "its status is error"),
        (volume(status="reserved"), {}, "its status is reserved"),
        (volume(status="in-use", servers=("s",)), {"servers": ["s"]}, "server s uses it"),
        (volume(zone="east"), {"node_zones": ["west"], "cinder_zones": ["east", "west"]}, "it is in zone east"),
        (volume(), {"claims": {"claim-ada": USED}}, "claim claim-ada already has another volume"),
        (
            volume(),
            {"volumes": {"v1": persistent("pv1", "v1", claimRef={"namespace": "x", "name": "y"})}},
            "claim y in namespace x has it",
        ),
        (volume(replace(ADA, namespace="old")), {}, "it was in namespace old"),
        (replace(DATABASE, size_gb=0), {}, "hub.db.pvc.storage"),
    ],
)
def test_what_cannot_be_given_back_is_reported_and_does_not_block_the_rest(one, world, problem):
    other = volume(Owner("class", "claim-ben", "class", "ben", safe=True), id="v2", zone="west")
    decision = reattach.decide([one, other], HUB, there(**world))
    assert [each.volume.id for each in decision.returns] == ["v2"]
    (said,) = decision.problems
    assert problem in said and one.id in said and one.owner.label in said


def test_the_volume_that_was_kept_last_is_given_back_and_the_other_is_reported():
    older = volume(id="v0", since="2026-01-01T00:00:00+00:00")
    decision = reattach.decide([older, volume()], HUB, there())
    assert [each.volume.id for each in decision.returns] == ["v1"]
    assert "volume v1 of the same owner was used later" in decision.problems[0]


def test_of_two_that_were_kept_at_the_same_time_neither_is_chosen_unless_one_has_the_name():
    decision = reattach.decide([volume(id="v0"), volume()], HUB, there())
    assert decision.returns == []
    assert len(decision.problems) == 2
    forgotten = volume(replace(ADA, claim="claim-a-64a"), id="v0")  # of an earlier KubeSpawner
    assert [each.volume.id for each in reattach.decide([forgotten, volume()], HUB, there()).returns] == ["v1"]


def test_what_a_cluster_had_last_is_given_back_whoever_has_marked_it(project):
    """A cluster that was deleted by other means leaves volumes that nobody has marked."""
    early = {**CSI, "csi.storage.k8s.io/pvc/name": "claim-ada"}
    marked = ADA.metadata() | {KEPT: "2026-11-01T10:00:00+00:00"}
    given_back = ADA.metadata() | {GIVEN_BACK: "2026-11-27T10:00:00+00:00"}
    for metadata, last in (([early, marked], "v0"), ([given_back, early, marked], "v0"), ([marked, early], "v1")):
        decision = reattach.decide(listed(project, *metadata).volumes, HUB, there())
        assert [each.volume.id for each in decision.returns] == [last]
        assert len(decision.problems) == len(metadata) - 1


def test_what_a_claim_has_lost_before_is_not_taken_for_what_it_had_last(project):
    """`down` marks what the claims have, and then whatever else the cluster has created."""
    project.answer(f"POST {VOLUMES}/v0/metadata", Answer(200, {}))
    cluster: Any = {"uuid": "c1", "stack_id": None}
    tagged = {**CSI, "csi.storage.k8s.io/pvc/name": "claim-ada", "cinder.csi.openstack.org/cluster": "c1"}
    now = kept.now(Cloud("fake"))
    listed(project, tagged, tagged | ADA.metadata() | {KEPT: now}, cluster=cluster)
    deployment = Deployment.model_validate({"name": "class", "cloud": "fake", "cluster": {"template": "t"}})
    anyio.run(kept.mark_rest, Cloud("fake"), cluster, deployment)
    (written,) = [each.body["metadata"] for each in project.requests if each.method == "POST"]
    found = listed(project, tagged | written, tagged | ADA.metadata() | {KEPT: now})
    assert [each.volume.id for each in reattach.decide(found.volumes, HUB, there()).returns] == ["v1"]


def test_an_interrupted_run_knows_that_the_hub_has_its_accounts(project):
    own = Owner("class", "hub-db-dir", "class", cluster="c1").metadata() | {GIVEN_BACK: "2026-11-27T10:00:00+00:00"}
    rest = ADA.metadata() | {KEPT: "2026-11-27T10:00:00+00:00"}
    found = listed(project, own, rest, cluster={"uuid": "c1", "stack_id": None})
    assert ([each.id for each in found.volumes], found.has_accounts) == (["v1"], True)
    assert not listed(project, own | {KEPT: "2026"}, rest, cluster={"uuid": "c1", "stack_id": None}).has_accounts


def test_the_hub_does_not_get_a_second_volume_before_its_release_has_claimed_the_first():
    """A second look, or an `up` that was interrupted before the chart, finds the older one alone."""
    reserved = persistent("pv1", "later", claimRef={"namespace": "class", "name": "hub-db-dir"})
    decision = reattach.decide([DATABASE], HUB, there(volumes={"later": reserved}))
    assert (decision.returns, len(decision.problems)) == ([], 1)
    assert "another volume is reserved for claim hub-db-dir" in decision.problems[0]
    left = persistent("pv1", "left", claimRef={"namespace": "class", "name": "hub-db-dir", "uid": "of a deleted claim"})
    assert len(reattach.decide([DATABASE], HUB, there(volumes={"left": left})).returns) == 1


def test_a_volume_of_a_server_that_is_being_deleted_is_given_back_once_it_is_detached():
    leaving = volume(status="in-use", servers=("gone",))
    (each,) = reattach.decide([leaving], HUB, there(servers=["another"])).returns
    assert each.leaving
    bound = persistent("pv1", "v1", claimRef={"namespace": "class", "name": "claim-ada"})
    (each,) = reattach.decide([leaving], HUB, there(servers=["gone"], volumes={"v1": bound})).returns
    assert not each.leaving  # its user's server runs already


@pytest.mark.parametrize(
    ("world", "zones"),
    [
        ({}, ()),
        ({"node_zones": ["nova", "x"]}, ("nova",)),
        ({"node_zones": ["az2", "az1"], "cinder_zones": ["nova"]}, ("az1", "az2")),
    ],
)
def test_the_zone_is_one_of_the_new_clusters_nodes(world, zones):
    (each,) = reattach.decide([volume()], HUB, there(**world)).returns
    assert each.zones == zones


def test_what_kubernetes_needs_to_bind_a_claim_to_an_existing_volume():
    each = Return(volume(replace(ADA, file_system="xfs")), "claim-ada", ("az1",))
    made = reattach.volume_manifest(each, HUB)
    spec = made["spec"]
    assert "uid" not in spec["claimRef"]
    assert spec["csi"] == {"driver": "cinder.csi.openstack.org", "volumeHandle": "v1", "fsType": "xfs"}
    assert "az1" in str(spec["nodeAffinity"])
    assert made["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] == "cinder.csi.openstack.org"
    wanted = reattach.claim_manifest(each, made["metadata"]["name"], HUB)
    assert wanted["spec"]["volumeName"] == made["metadata"]["name"]
    assert wanted["spec"]["storageClassName"] == spec["storageClassName"]
    assert wanted["spec"]["resources"]["requests"]["storage"] == spec["capacity"]["storage"]
    assert wanted["metadata"]["annotations"] == {"hub.jupyter.org/username": "ada"}
    assert spec["persistentVolumeReclaimPolicy"] == "Delete"
    other = reattach.volume_manifest(each, replace(HUB, storage_class="kept"))
    assert other["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def test_a_kubernetes_that_is_too_old_for_the_csi_driver_attaches_volumes_itself():
    each = Return(volume(replace(ADA, file_system="xfs")), "claim-ada", ())
    made = reattach.volume_manifest(each, replace(HUB, in_tree=True))
    assert made["spec"]["cinder"] == {"volumeID": "v1", "fsType": "xfs"}
    assert "csi" not in made["spec"]
    assert made["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] == "kubernetes.io/cinder"


@pytest.mark.parametrize(
    ("scheme", "label", "own"), [(ESCAPE, "ada-40x", "heritage"), (SAFE, "ada-x---", "app.kubernetes.io/managed-by")]
)
def test_a_claim_has_the_labels_of_its_kubespawner(scheme, label, own):
    found = claims.labels("ada@x", replace(HUB, scheme=scheme))
    assert found["component"] == "singleuser-storage"
    assert found["hub.jupyter.org/username"].startswith(label)
    assert own in found
