"""The layers of the images, unpacked once for all machines.

A machine still pulls each image from the registry, but its containerd finds the layers already there, and downloads and unpacks only
those of images that were built later.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from zerojhub.practice.build.recipe import Recipe
from zerojhub.practice.build.tools import Tools
from zerojhub.practice.images import layout
from zerojhub.practice.images.catalog import IMAGES
from zerojhub.text import Say

SCRIPT = Path(__file__).with_name("unpack.sh")
MOUNTED = "/opt/layers"
"""Where machines see the layers."""
SNAPSHOTTER = "io.containerd.snapshotter.v1.overlayfs"


def recipe(tools: Tools, root: Path, images: Path) -> Recipe:
    """The layers of the images in that OCI layout, unpacked by the containerd of the machines' root file system `root`.

    Those that are built on demand are not among them.
    """
    built = layout.images(images)
    wanted = {built[image.name][1] for image in IMAGES if image.name in built and not image.on_demand}
    entries = [entry for entry in layout.entries(images) if entry["digest"] in wanted]

    def make(folder: Path, say: Say) -> None:
        say(f"unpacking {len(entries)} images")
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        environment = {"BASE": str(root), "IMAGES": str(images), "DIR": str(folder)}
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        tools.run([*spaces, "sh", str(SCRIPT)], "layers", env=environment)

    return Recipe("layers", (root.parent.name, SCRIPT.read_text(), *(entry["digest"] for entry in entries)), make)


def lend(layers: Path, store: Path) -> None:
    """Give them to a containerd that has not run yet. `store` will be its folder, and `MOUNTED` the layers."""
    shutil.copytree(layers / "store", store)
    snapshots = store / SNAPSHOTTER / "snapshots"
    for layer in (layers / "snapshots").iterdir():
        (snapshots / layer.name).symlink_to(f"{MOUNTED}/{layer.name}")
