"""The map of a deployment: everything is on it, inside the page, and nothing covers anything else."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest

from zerojhub.cluster.survey import LoadBalancer, Pod, Server, Survey, Volume
from zerojhub.report.map import CHIP, drawn
from zerojhub.report.svg import NAMESPACE, shortened

TAG = f"{{{NAMESPACE}}}"


def survey(workers: int, users: int, **more) -> Survey:
    """Masters and workers, the hub on the first and the proxy on the last, the users spread evenly."""
    masters = [Server(f"k8s-master-{number}", "master", "m1.small", "10.0.0.9", "Ready") for number in range(3)]
    nodes = [Server(f"k8s-node-{number}", "worker", "m1.large", "10.0.0.7", "Ready") for number in range(workers)]
    for number in range(users):
        nodes[number % workers].pods.append(user(f"user-{number}"))
    if nodes:
        nodes[0].pods.append(Pod("hub-1", "hub", None, "Running", (volume("hub-db-dir"),)))
        nodes[-1].pods.append(Pod("proxy-1", "proxy", None, "Running"))
    url = "https://hub.example.org/" if nodes else None
    return Survey("class", "mycloud", url, "k8s", "CREATE_COMPLETE", "v1.34.4", [*masters, *nodes], **more)


def user(name: str, state: str = "Running") -> Pod:
    return Pod(f"jupyter-{name}", "user", name, state, (volume(name),))


def volume(owner: str) -> Volume:
    return Volume(f"pvc-{owner}", 10, owner, f"claim-{owner}")


def numbers(shape: ElementTree.Element, *names: str) -> list[float]:
    return [float(shape.attrib[name]) for name in names]


@pytest.mark.parametrize(("workers", "users"), [(0, 0), (1, 0), (1, 1), (1, 40), (2, 12), (3, 13), (7, 100)])
def test_all_is_inside_the_page_and_apart(workers, users):
    waiting, resting = [user("late", "Pending")], [volume(f"away-{number}") for number in range(9)]
    root = ElementTree.fromstring(drawn(survey(workers, users, waiting=waiting, resting=resting)))
    width, height = numbers(root, "width", "height")
    chips = [box for box in root.iter(f"{TAG}rect") if box.get("class") in ("chip", "late")]
    assert len(chips) == users + (2 if workers else 0) + 1 + 9
    places = [numbers(chip, "x", "y") for chip in chips]
    assert all(0 <= x <= width - CHIP[0] and 0 <= y <= height - CHIP[1] for x, y in places)
    for (x, y), (other_x, other_y) in combinations(places, 2):
        assert abs(x - other_x) >= CHIP[0] or abs(y - other_y) >= CHIP[1]
    cards = [numbers(box, "x", "y", "width", "height") for box in root.iter(f"{TAG}rect") if box.get("class") == "card"]
    for (x, y, wide, high), (other_x, other_y, other_wide, other_high) in combinations(cards, 2):
        assert x + wide <= other_x or other_x + other_wide <= x or y + high <= other_y or other_y + other_high <= y


def test_the_description_says_what_the_picture_shows():
    balancer = LoadBalancer("kube_service_k8s_class_proxy-public", "203.0.113.7", "ONLINE")
    root = ElementTree.fromstring(drawn(survey(2, 1, balancers=[balancer], resting=[volume("edsger")])))
    told = root.findtext(f"{TAG}desc") or ""
    assert "https://hub.example.org/, on cluster k8s" in told
    assert "Load balancer 203.0.113.7: ONLINE." in told
    assert "Worker k8s-node-0, Ready: user-0's server, hub." in told
    assert "Unused volumes: edsger." in told
    assert {root.get("role"), root.get("aria-labelledby")} == {"img", "title description"}


def test_names_are_words_and_nothing_else():
    strange = survey(1, 0)
    strange.servers[-1].pods.append(user("<script>&amp;"))
    root = ElementTree.fromstring(drawn(strange))
    assert not list(root.iter(f"{TAG}script"))
    assert any("<scr" in (text.text or "") for text in root.iter(f"{TAG}text"))


def test_long_names_keep_the_end_that_tells_them_apart():
    assert shortened("k8s-default-worker-x2x3-node-17", 120, 15).endswith("-17")
    assert shortened("ada", 120, 15) == "ada"
    assert "…" not in drawn(survey(1, 3))
