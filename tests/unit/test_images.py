"""What the practice cloud's images are built from, and when they are rebuilt."""

import json
import os
import re
import resource

import pytest
import yaml

from tests.conftest import ROOT
from zerojhub.practice.build import pypi
from zerojhub.practice.build.tools import Tools
from zerojhub.practice.ground import GroundError
from zerojhub.practice.images import layers, layout
from zerojhub.practice.images.builder import Builder
from zerojhub.practice.images.catalog import HERE, IMAGES


@pytest.fixture
def programs(tmp_path):
    folder = tmp_path / "programs"
    folder.mkdir()
    for image in IMAGES:
        if image.program:
            (folder / image.program).write_text("a program")
    return folder


@pytest.fixture
def commands(monkeypatch):
    """The programs that a build runs, with their arguments; none is really run."""
    ran = []
    monkeypatch.setattr(Tools, "run", lambda self, argv, *_, **__: ran.append(argv))
    return ran


def requirements(name):
    """Package -> version in the image's own layer."""
    lines = (HERE / name / "requirements.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def stale(tmp_path, programs, on_demand=True):
    """The names of stale images; afterwards they count as built."""
    builder = Builder(tmp_path / "images", programs, print, on_demand=on_demand)
    names = [image.name for image in builder.stale()]
    (tmp_path / "images").mkdir(exist_ok=True)
    entries = [
        {"digest": "sha256:0", "annotations": {layout.REFERENCE: f"{name}:{recipe}"}}
        for name, recipe in builder.recipes.items()
    ]
    (tmp_path / "images" / "index.json").write_text(json.dumps({"manifests": entries}))
    return names


def test_what_was_built_is_not_built_again(tmp_path, programs):
    assert stale(tmp_path, programs) == [image.name for image in IMAGES]
    assert stale(tmp_path, programs) == []


def test_images_without_programs_can_be_built_before_the_programs_are_there(tmp_path, programs):
    first = stale(tmp_path, None)
    later = stale(tmp_path, programs)
    assert later == [image.name for image in IMAGES if image.program or image.beside]
    assert sorted(first + later) == sorted(image.name for image in IMAGES)


def test_the_images_of_other_charts_are_built_on_demand(tmp_path, programs):
    others = {"k8s-hub-3.3.8", "k8s-hub-5", "k8s-singleuser-sample-5"}
    assert not others & set(stale(tmp_path, programs, on_demand=False))
    assert set(stale(tmp_path, programs)) == others


def test_a_new_program_makes_its_image_anew_and_no_other(tmp_path, programs):
    stale(tmp_path, programs)
    (programs / "pause").write_text("a newer program")
    assert stale(tmp_path, programs) == ["pause"]


def test_a_changed_base_makes_all_that_stand_on_it_anew(tmp_path, programs, monkeypatch):
    stale(tmp_path, programs)
    monkeypatch.setattr("zerojhub.practice.images.debian.PACKAGES", ("python3", "more"))
    assert stale(tmp_path, programs) == [image.name for image in IMAGES if image.base or image.name == "debian"]


def test_a_program_that_is_missing_is_named(tmp_path, programs):
    (programs / "coredns").unlink()
    with pytest.raises(GroundError, match="no program coredns"):
        stale(tmp_path, programs)


def test_an_image_whose_program_was_not_requested_is_left_out(tmp_path, programs):
    (programs / "restic").unlink()
    assert "restic" not in stale(tmp_path, programs)
    (programs / "restic").write_text("a program")
    assert stale(tmp_path, programs) == ["restic"]


def test_an_image_that_is_of_use_beside_a_program_only_is_left_out_without_it(tmp_path, programs):
    (programs / "traefik").unlink()
    assert not {"traefik", "k8s-secret-sync"} & set(stale(tmp_path, programs))
    (programs / "traefik").write_text("a program")
    assert stale(tmp_path, programs) == ["traefik", "k8s-secret-sync"]


def test_the_certificates_are_requested_with_the_traefik_of_the_embedded_chart():
    """Zero to JupyterHub's own chart of that version has the same."""
    values = yaml.safe_load((ROOT / "charts" / "jupyterhub" / "values.yaml").read_text())["proxy"]
    assert values["traefik"]["image"]["tag"] == f"v{pypi.TRAEFIK}"
    for name in (values["traefik"]["image"]["name"], values["secretSync"]["image"]["name"]):
        full = name if "/" in name else f"docker.io/library/{name}"
        assert [image for image in IMAGES if full in image.answers]


def test_each_image_starts_from_the_base_that_the_catalogue_says():
    """The build uses it for ordering and for rebuilding."""
    built = set()
    for image in IMAGES:
        lines = (image.folder / "Containerfile").read_text()
        assert set(re.findall(r"^FROM localhost/(\S+)", lines, re.MULTILINE)) == ({image.base} - {None})
        assert image.base is None or image.base in built
        built.add(image.name)


def test_every_folder_is_an_image():
    folders = {file.parent.name for file in HERE.glob("*/Containerfile")}
    assert folders == {image.name for image in IMAGES}


def test_one_image_of_a_repository_takes_every_tag_that_is_left():
    repositories = {repository for image in IMAGES for repository in image.answers}
    for repository in repositories:
        images = [image for image in IMAGES if repository in image.answers]
        assert [image.takes("latest") for image in images].count(True) == 1, repository
        assert all(
            sum(image.takes(tag) for image in images if image.on_demand) <= 1 for tag in ("3.3.8", "4.4.0", "5.0.0")
        )


@pytest.mark.parametrize(
    ("layers", "jupyterhub", "kubespawner"),
    [
        (("k8s-hub-3.3.8",), "4.1.6", "6.2.0"),
        (("jupyterhub", "k8s-hub"), "5.5.0", "7.0.0"),
        (("jupyterhub", "k8s-hub", "k8s-hub-5"), "6.1.1", "7.1.0"),
    ],
)
def test_a_hub_has_what_the_hub_of_its_chart_has(layers, jupyterhub, kubespawner):
    """Zero to JupyterHub 3.3.8 and 4.4.0. The next one is not released yet."""
    pins = {package: version for layer in layers for package, version in requirements(layer).items()}
    assert (pins["jupyterhub"], pins["jupyterhub-kubespawner"]) == (jupyterhub, kubespawner)
    authenticators = {f"jupyterhub-{kind}authenticator" for kind in ("native", "lti", "ldap", "tmp", "firstuse")}
    assert {"oauthenticator", *authenticators} <= pins.keys()


def test_a_package_is_in_one_layer_only():
    """A second copy above the shared layer would hide the first, possibly with another version."""
    shared = requirements("jupyterhub")
    for name in ("k8s-hub", "k8s-singleuser-sample"):
        assert not shared.keys() & requirements(name).keys()


def test_the_hub_and_the_users_servers_of_the_next_chart_have_the_same_jupyterhub():
    assert requirements("k8s-hub-5")["jupyterhub"] == requirements("k8s-singleuser-sample-5")["jupyterhub"]


def test_the_lock_of_the_proxy_names_no_place_to_download_from():
    """Every host downloads npm packages from the registry that it is configured for."""
    lock = json.loads((HERE / "configurable-http-proxy" / "package-lock.json").read_text())
    packages = {path: about for path, about in lock["packages"].items() if path}
    assert packages and all("integrity" in about and "resolved" not in about for about in packages.values())


def test_images_are_built_with_the_limits_of_this_machine(tmp_path, commands, monkeypatch):
    """In a container, root may raise no limit: neither to a newer buildah's default, nor above one that 1.28 has set."""
    limits = {resource.RLIMIT_NOFILE: (200, 300), resource.RLIMIT_NPROC: (400, resource.RLIM_INFINITY)}
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    builder = Builder(tmp_path, None, print)
    (image, *_) = builder.stale()
    builder.tools, builder.scratch = Tools(tmp_path), tmp_path
    builder._image(image, [])
    assert {"build", "--ulimit=nofile=200:300", "--ulimit=nproc=400:32768"} <= set(commands[0])


def test_a_machine_with_buildah_but_without_netavark_gets_it(tmp_path, commands, monkeypatch):
    for program in ("buildah", "mmdebstrap", "apt-get"):
        (tmp_path / program).touch(mode=0o755)
    helpers = tmp_path / "podman"
    helpers.mkdir()
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr("zerojhub.practice.images.builder.HELPERS", (os.fspath(helpers),))
    (tmp_path / "images" / "blobs" / "sha256").mkdir(parents=True)
    Builder(tmp_path / "images", None, print).build([])
    assert [command[-1] for command in commands] == ["update", "netavark"]
    (helpers / "netavark").touch(mode=0o755)
    commands.clear()
    Builder(tmp_path / "images", None, print).build([])
    assert commands == []


def unpacked(tmp_path, **digests):
    """The folder of the unpacked layers of images with these digests."""
    entries = [
        {"digest": digest, "annotations": {layout.REFERENCE: f"{name}:recipe"}} for name, digest in digests.items()
    ]
    (tmp_path / "index.json").write_text(json.dumps({"manifests": entries}))
    return layers.recipe(Tools(tmp_path / "logs"), tmp_path / "root-0" / "root", tmp_path).path(tmp_path)


def test_layers_are_unpacked_again_when_an_image_has_changed_but_not_for_one_on_demand(tmp_path):
    first = unpacked(tmp_path, debian="sha256:1", pause="sha256:2")
    assert unpacked(tmp_path, debian="sha256:1", pause="sha256:3") != first
    assert unpacked(tmp_path, debian="sha256:1", pause="sha256:2", **{"k8s-hub-3.3.8": "sha256:4"}) == first


def test_a_machine_has_links_to_the_layers_and_its_own_database_of_them(tmp_path):
    folder, store = tmp_path / "layers", tmp_path / "store"
    (folder / "store" / layers.SNAPSHOTTER / "snapshots").mkdir(parents=True)
    (folder / "store" / layers.SNAPSHOTTER / "metadata.db").write_text("database")
    (folder / "snapshots" / "7").mkdir(parents=True)
    layers.lend(folder, store)
    own = store / layers.SNAPSHOTTER
    (own / "metadata.db").write_text("changed")
    assert (folder / "store" / layers.SNAPSHOTTER / "metadata.db").read_text() == "database"
    assert [(each.name, str(each.readlink())) for each in (own / "snapshots").iterdir()] == [("7", "/opt/layers/7")]
