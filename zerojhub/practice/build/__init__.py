"""The parts of the practice cloud, built on this machine and kept in the user's cache folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zerojhub.text import Say

if TYPE_CHECKING:
    from zerojhub.practice.build.recipe import Recipe

KUBERNETES = "v1.34.4"
"""Default Kubernetes version of clusters."""
OLDER = ("v1.33.13",)
"""Versions to upgrade from, oldest first."""
TURN = 10
"""Seconds to wait for another build, which takes no longer where there is nothing to do."""


class More(StrEnum):
    """What is built only on request."""

    older = "older"
    """What upgrades start from: the Kubernetes versions in OLDER, and the images of older and newer charts."""
    object_store = "object-store"
    """Swift with its S3 API, and restic to back up to it."""
    https = "https"
    """What certificates are requested with and from: an ACME server, Traefik, and what keeps Traefik's certificates."""
    helm_4 = "helm-4"
    """Helm 4, beside Helm 3."""


class Progress(Protocol):
    """Shows the steps of a build, each by its name."""

    def start(self, name: str) -> object: ...

    def say(self, name: str, detail: str) -> object: ...

    def end(self, name: str, outcome: str, detail: str) -> object: ...


@dataclass(frozen=True)
class Built:
    """The paths of the parts."""

    root: Path
    """Root file system that machines share."""
    kubernetes: dict[str, Path]
    """Kubernetes version -> folder of its programs, oldest first."""
    images: Path
    """OCI image layout that the registry serves."""
    layers: Path
    """The layers of the images, unpacked, which machines share."""
    swift: Path
    """Virtual environment of the object store; does not exist unless it was requested."""
    pebble: Path
    """The ACME server's program; does not exist unless it was requested."""


class Parts:
    """All recipes, with the tools to build them."""

    def __init__(self, where: Path):
        from zerojhub.practice.build import debian, golang, pypi
        from zerojhub.practice.build.tools import Tools

        self.where = where
        self.tools = Tools(where / "logs")
        go = golang.Go(self.tools)
        self.root = debian.machine_root(self.tools)
        self.kubernetes = {version: golang.kubernetes(go, version) for version in (*OLDER, KUBERNETES)}
        self.helm, self.helm_4 = golang.helm(go), golang.helm_4(go)
        self.swift = pypi.swift(self.tools)
        self.restic = golang.restic(go)
        self.pebble, self.traefik = debian.pebble(self.tools), pypi.traefik(self.tools)
        own = (golang.cloud_controllers(go), golang.cinder_csi(go), golang.csi_registrar(go))
        self.static = {
            "pause": golang.pause(go),
            "coredns": golang.coredns(go),
            "kube": self.kubernetes[KUBERNETES],
            **{recipe.name: recipe for recipe in own},
            **dict.fromkeys(golang.CSI_SIDECARS, golang.csi_sidecars(go)),
        }
        """File name -> recipe of each program that images contain."""

    def all(self, more: Collection[More] = ()) -> list[Recipe]:
        """The required parts and the requested ones."""
        further = [self.kubernetes[version] for version in OLDER] if More.older in more else []
        further += [self.swift, self.restic] if More.object_store in more else []
        further += [self.pebble, self.traefik] if More.https in more else []
        further += [self.helm_4] if More.helm_4 in more else []
        return [self.root, *dict.fromkeys(self.static.values()), self.helm, *further]

    def there(self, more: Collection[More] = ()) -> bool:
        return all(recipe.path(self.where).exists() for recipe in self.all(more))

    def layers(self) -> Recipe:
        """The unpacked layers of the images that are built now."""
        from zerojhub.practice.images import layers, layouts

        return layers.recipe(self.tools, self.root.path(self.where) / "root", layouts(self.where))

    def built(self) -> Built:
        from zerojhub.practice import images

        folders = {version: recipe.path(self.where) for version, recipe in self.kubernetes.items()}
        versions = {version: folder for version, folder in folders.items() if folder.exists()}
        root, swift = self.root.path(self.where) / "root", self.swift.path(self.where)
        pebble = self.pebble.path(self.where) / "pebble"
        layers = self.layers().path(self.where)
        return Built(root, versions, images.layouts(self.where), layers, swift, pebble)


def cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("zerojhub") / "practice"


def built() -> Built:
    """The built parts. Raises GroundError if one is missing."""
    from zerojhub.practice.ground import GroundError

    parts = Parts(cache())
    if not parts.there() or not parts.layers().path(parts.where).exists():
        raise GroundError("the practice cloud's parts are not built: run zerojhub practice build")
    return parts.built()


def build(progress: Progress, *, in_use: Callable[[], object], more: Collection[More] = ()) -> Built:
    """Build what is missing of the required parts and of `more`.

    Deletes outdated parts unless they are `in_use`. Raises GroundError; finished parts are kept.
    """
    with _alone() as where:
        return _build(Parts(where), progress, in_use, more)


def build_images_on_demand(say: Say) -> None:
    """Build the images on demand that are missing. Raises GroundError."""
    from zerojhub.practice import images

    with _alone() as where:
        images.build(where, None, say, on_demand=True)


@contextmanager
def _alone() -> Iterator[Path]:
    """The cache, locked. Raises GroundError if another build is using it."""
    from filelock import FileLock, Timeout

    from zerojhub.practice.ground import GroundError

    where = cache()
    where.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(where / "lock", timeout=TURN):
            yield where
    except Timeout:
        raise GroundError(f"another build is running (lock: {where / 'lock'}): wait for it") from None


def _build(parts: Parts, progress: Progress, in_use: Callable[[], object], more: Collection[More]) -> Built:
    from zerojhub.practice import images
    from zerojhub.practice.build import debian
    from zerojhub.practice.build.tools import finish

    def make(recipe: Recipe) -> None:
        with _step(progress, recipe.name) as say:
            recipe.build(parts.where, say)

    def system() -> None:
        make(parts.root)
        with _step(progress, "images") as say:
            images.build(parts.where, None, say, on_demand=More.older in more)

    # Also where everything is built already: the cache may come from another machine.
    with _step(progress, "packages") as say:
        debian.install_host_tools(parts.tools, say)
    if not parts.there(more):
        # One compiler at a time, since it uses all cores; the Debian parts mostly wait for the network.
        with ThreadPoolExecutor(max_workers=1) as compiler, ThreadPoolExecutor(max_workers=1) as other:
            try:
                finish([other.submit(system), *(compiler.submit(make, recipe) for recipe in parts.all(more)[1:])])
            except BaseException:
                parts.tools.stop()
                raise
    _offer_helm(parts.helm.path(parts.where) / "helm")
    folder = parts.where / "programs"
    folder.mkdir(exist_ok=True)
    requested = {"restic": parts.restic, "pebble": parts.pebble, "traefik": parts.traefik}
    there = {name: recipe for name, recipe in requested.items() if recipe.path(parts.where).exists()}
    for name, recipe in {**parts.static, **there}.items():
        _link(folder / name, recipe.path(parts.where) / name)
    with _step(progress, "images") as say:
        images.build(parts.where, folder, say, on_demand=More.older in more)
    layers = parts.layers()
    make(layers)
    if not in_use():  # the machines use the parts that they started with
        for recipe in (*parts.all(more), layers):
            recipe.prune(parts.where)
    return parts.built()


@contextmanager
def _step(progress: Progress, name: str) -> Iterator[Say]:
    """Show a step from its first message on: a step without messages has nothing to do."""
    started = False

    def say(text: str) -> None:
        nonlocal started
        if not started:
            progress.start(name)
            started = True
        progress.say(name, text)

    try:
        yield say
    except BaseException as error:
        if started:
            progress.end(name, "failed", str(error))
        raise
    if started:
        progress.end(name, "done", "built")


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _offer_helm(program: Path) -> None:
    """Link it next to the running interpreter, where zerojhub looks for helm; never replace another helm."""
    offered = Path(sys.executable).parent / "helm"
    if offered.is_symlink() and offered.readlink().is_relative_to(cache()):
        offered.unlink()
    if not offered.exists():
        offered.symlink_to(program)
