"""Things of the cloud by name or ID, and the hint when a name is wrong."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakecloud import Answer, FakeCloud
from zerojhub.errors import UserError
from zerojhub.openstack import names, nova
from zerojhub.openstack.session import Cloud

FLAVORS = [
    {"id": "1", "name": "m1.small", "vcpus": 1, "ram": 2048},
    {"id": "2", "name": "m1.large", "vcpus": 4, "ram": 8192},
    {"id": "3", "name": "twice", "vcpus": 1, "ram": 512},
    {"id": "4", "name": "twice", "vcpus": 1, "ram": 512},
    {"id": "m1.large", "name": "confusing", "vcpus": 1, "ram": 512},
]


@pytest.fixture
def cloud(fake_cloud: FakeCloud) -> Cloud:
    fake_cloud.answer("GET /compute/v2.1/flavors/detail", Answer(200, {"flavors": FLAVORS}))
    return Cloud("fake")


@pytest.mark.parametrize(("wanted", "found"), [("m1.small", "1"), ("2", "2"), ("3", "3"), ("m1.large", "m1.large")])
def test_by_id_or_else_by_name(cloud, wanted, found):
    assert anyio.run(names.flavor, cloud, wanted)["id"] == found


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("m1.smal", "no flavor named 'm1.smal' (did you mean 'm1.small'?)"),
        ("gpu", "no flavor named 'gpu' (existing flavors: confusing, m1.large, m1.small, twice)"),
        ("twice", "2 flavors are named 'twice' (use the ID of one: 3, 4)"),
    ],
)
def test_a_name_that_leads_to_none_or_several(cloud, wanted, message):
    with pytest.raises(UserError) as error:
        anyio.run(names.flavor, cloud, wanted)
    assert str(error.value) == message


def test_keypairs_have_no_ids(fake_cloud, cloud):
    keypairs = [{"keypair": {"name": name, "public_key": f"ssh-ed25519 {name}"}} for name in ("mine", "other")]
    fake_cloud.answer("GET /compute/v2.1/os-keypairs", Answer(200, {"keypairs": keypairs}))
    assert anyio.run(names.keypair, cloud, "other")["public_key"] == "ssh-ed25519 other"
    with pytest.raises(UserError, match=r"no keypair named 'min' \(did you mean 'mine'\?\)"):
        anyio.run(names.keypair, cloud, "min")


def test_external_networks_are_asked_for_as_such(fake_cloud, cloud):
    fake_cloud.answer("GET /network/v2.0/networks", Answer(200, {"networks": [{"id": "n1", "name": "public"}]}))
    assert anyio.run(lambda: names.network(cloud, "public", external=True))["id"] == "n1"
    assert anyio.run(names.network, cloud, "public")["id"] == "n1"
    assert [request.query for request in fake_cloud.requests] == [{"router:external": "True"}, {}]


def test_a_project_without_any(fake_cloud, cloud):
    fake_cloud.answer("GET /image/v2/images", Answer(200, {"images": []}))
    with pytest.raises(UserError, match=r"no image named 'fcos' \(existing images: none\)"):
        anyio.run(names.image, cloud, "fcos")


@pytest.mark.parametrize("name", ["..", ".", "mine?", "../servers"])
def test_a_keypairs_name_is_no_path(fake_cloud, cloud, name):
    for path in ("os-keypairs", "os-keypairs/mine", "servers", ""):
        fake_cloud.answer(f"GET /compute/v2.1/{path}", Answer(200, {"keypair": {"name": path, "public_key": ""}}))
    assert anyio.run(nova.find_keypair, cloud, name) is None
