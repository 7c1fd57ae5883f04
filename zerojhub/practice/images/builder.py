"""Builds the images with buildah from their Containerfiles into one OCI layout. Only changed images are rebuilt."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from zerojhub.practice.build.tools import Tools, finish
from zerojhub.practice.ground import GroundError
from zerojhub.practice.images import debian, layout, packages
from zerojhub.practice.images.catalog import IMAGES, Image

TOOLS = {"buildah": "buildah", "netavark": "netavark", "mmdebstrap": "mmdebstrap", "apt-get": "apt"}
"""Programs that the build needs -> Debian package. From Debian 13 on, buildah does not start without netavark, which
its package does not depend on, even though chroot isolation sets up no network."""
HELPERS = ("/usr/libexec/podman", "/usr/lib/podman")
"""Folders outside PATH where buildah looks for netavark."""


class Builder:
    """One run of the build. Its scratch folder is removed at the end; the layout is kept."""

    def __init__(self, store: Path, programs: Path | None, say: Callable[[str], None], *, on_demand: bool = False):
        self.store, self.programs, self.say = store, programs, say
        self.recipes: dict[str, str] = {}
        self.index = threading.Lock()
        """Held while adding an image to the layout: buildah rewrites the whole index to add an entry."""
        self.apt = threading.Lock()
        """Held while a Containerfile runs apt-get: they share the package lists in a cache mount, and Debian
        12's buildah ignores `sharing=locked`."""
        self.images = [image for image in IMAGES if self._has_program(image) and (on_demand or not image.on_demand)]

    def _has_program(self, image: Image) -> bool:
        """False if the image's program, or the one beside it, is built later, or was not requested."""
        needed = image.program or image.beside
        if not needed:
            return True
        return self.programs is not None and (not image.on_request or (self.programs / needed).exists())

    def stale(self) -> list[Image]:
        """The images whose current recipe is not in the layout, in build order."""
        for image in self.images:
            self.recipes[image.name] = self._recipe(image)
        there = layout.images(self.store)
        return [image for image in self.images if there.get(image.name, ("",))[0] != self.recipes[image.name]]

    def build(self, stale: list[Image]) -> None:
        """Build these images, independent ones in parallel. Raises GroundError."""
        self.tools = Tools(self.store / "logs")
        for left in self.store.glob("build-*"):
            _remove(left)
        self._install_tools()
        self.scratch = Path(tempfile.mkdtemp(prefix="build-", dir=self.store))
        try:
            (self.scratch / "tmp").mkdir()
            # More workers than cores: some wait for the network while others compile.
            with ThreadPoolExecutor(max_workers=4) as pool:
                self._build(stale, pool)
        finally:
            _remove(self.scratch)
        layout.prune(self.store)

    def _build(self, stale: list[Image], pool: ThreadPoolExecutor) -> None:
        contexts = {image.name: pool.submit(self._context, image) for image in stale}
        bases = {image.base for image in stale if image.base} - contexts.keys()
        built = {name: pool.submit(self._fetch, name) for name in bases}
        for image in stale:
            # A job waits only for jobs queued before it, so the pool cannot deadlock.
            needs = [contexts[image.name], *([built[image.base]] if image.base else [])]
            built[image.name] = pool.submit(self._image, image, needs)
        try:
            finish(built.values())
        except BaseException:
            self.tools.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _recipe(self, image: Image) -> str:
        """A hash of everything that the image is built from."""
        recipe = hashlib.sha256(self.recipes.get(image.base or "", "").encode())
        for file in sorted(file for file in image.folder.rglob("*") if file.is_file()):
            recipe.update(f"{file.relative_to(image.folder)}\0".encode() + file.read_bytes())
        if image.name == "debian":
            recipe.update(json.dumps((debian.SUITE, debian.PACKAGES, debian.LEFT_OUT)).encode())
        if image.program and self.programs:
            try:
                about = (self.programs / image.program).stat()
            except FileNotFoundError:
                raise GroundError(f"no program {image.program} in {self.programs} for image {image.name}") from None
            recipe.update(f"{about.st_size} {about.st_mtime_ns}".encode())
        return recipe.hexdigest()[:12]

    def _context(self, image: Image) -> None:
        """Prepare the files that the Containerfile copies."""
        context = self.scratch / image.name
        shutil.copytree(image.folder, context)
        if image.name == "debian":
            self.say("image debian: root file system")
            debian.root(self.tools, context / "root.tar")
        if (context / "requirements.txt").exists():
            self.say(f"image {image.name}: packages")
            packages.wheels(self.tools, context, image.name)
        if (context / "package.json").exists():
            packages.node(self.tools, context, image.name)
        if image.program and self.programs:
            shutil.copy2(self.programs / image.program, context)

    def _image(self, image: Image, needs: list[Future[None]]) -> None:
        for need in needs:
            need.result()
        self.say(f"image {image.name}: build")
        local = f"localhost/{image.name}"
        with self.apt if "apt-get" in (image.folder / "Containerfile").read_text() else contextlib.nullcontext():
            options = ["--isolation=chroot", *_ulimits(), f"--tag={local}"]
            self._buildah(image.name, "build", *options, str(self.scratch / image.name))
        reference = f"oci:{self.store}:{image.name}:{self.recipes[image.name]}"
        with self.index:
            self._buildah(image.name, "push", "--compression-format=zstd", local, reference)
        self.say(f"image {image.name}: done")

    def _fetch(self, name: str) -> None:
        """Import an up-to-date base image from the layout."""
        # buildah derives the image's local name from the layout's path, and rejects parts like `.cache` or `tmpx1_`.
        plain = Path("/tmp") / f"zerojhub-{secrets.token_hex(8)}"
        plain.symlink_to(self.store)
        try:
            self._buildah(name, "pull", f"oci:{plain}:{name}:{self.recipes[name]}")
        finally:
            plain.unlink()
        self._buildah(name, "tag", layout.image_id(self.store, name), f"localhost/{name}")

    def _buildah(self, name: str, *arguments: str) -> None:
        """Run buildah with its storage in the scratch folder, so that the host's own storage is not touched."""
        where = [f"--root={self.scratch / 'storage'}", f"--runroot={self.scratch / 'run'}", "--storage-driver=overlay"]
        self.tools.run(["buildah", *where, *arguments], name, env={"TMPDIR": str(self.scratch / "tmp")})

    def _install_tools(self) -> None:
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *HELPERS))
        missing = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)]
        if not missing:
            return
        if "apt" in missing:
            raise GroundError(
                f"building images needs {' and '.join(missing)}, and this system has no apt-get to install it"
            )
        self.say(f"Debian packages: {' '.join(missing)}")
        apt = ["apt-get", "--quiet", "--option=DPkg::Lock::Timeout=300"]
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        self.tools.run([*apt, "update"], "packages", env=env)
        install = ["install", "--yes", "--no-install-recommends", "debian-archive-keyring", *missing]
        self.tools.run([*apt, *install], "packages", env=env)


def _ulimits() -> list[str]:
    """Options for limits that root in a container can set: no higher than this process's own, or than buildah's defaults.

    Newer versions fail to raise a limit to their default. Version 1.28 sets its defaults first, and fails to raise them.
    """
    defaults = {"nofile": 1 << 20, "nproc": 1 << 15}  # Linux' smallest pid_max, which 1.28 takes
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    options = []
    for name, limit in limits.items():
        soft, hard = (
            defaults[name] if own == resource.RLIM_INFINITY else min(own, defaults[name])
            for own in resource.getrlimit(limit)
        )
        options.append(f"--ulimit={name}={soft}:{hard}")
    return options


def _remove(scratch: Path) -> None:
    """Remove a build's folder, including the mounts that an interrupted build left in it."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{scratch}/"):
            subprocess.run(["umount", "--lazy", mount], check=False, timeout=30)
    shutil.rmtree(scratch, ignore_errors=True)
