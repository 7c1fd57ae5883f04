"""The OCI image layout that holds all built images: deduplicated blobs, and an index that names the images.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md. An image's reference is NAME:RECIPE, where
RECIPE is a hash of everything it was built from.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

REFERENCE = "org.opencontainers.image.ref.name"


def entries(layout: Path) -> list[dict]:
    """The index's descriptors, oldest first; empty if nothing has been built."""
    try:
        return json.loads((layout / "index.json").read_text())["manifests"]
    except FileNotFoundError:
        return []


def images(layout: Path) -> dict[str, tuple[str, str]]:
    """Image name -> (recipe, manifest digest) of its latest build."""
    found = {}
    for entry in entries(layout):
        name, _, recipe = entry["annotations"][REFERENCE].partition(":")
        found[name] = (recipe, entry["digest"])
    return found


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / Path(*digest.split(":", 1))


def image_id(layout: Path, name: str) -> str:
    """The image's ID in a local store: the digest of its configuration."""
    _, digest = images(layout)[name]
    return json.loads(blob(layout, digest).read_text())["config"]["digest"].removeprefix("sha256:")


def prune(layout: Path) -> None:
    """Remove all but the latest build of each image, and the blobs that are no longer used."""
    current = {f"{name}:{recipe}" for name, (recipe, _) in images(layout).items()}
    kept = [entry for entry in entries(layout) if entry["annotations"][REFERENCE] in current]
    needed = set()
    for entry in kept:
        manifest = json.loads(blob(layout, entry["digest"]).read_text())
        needed |= {entry["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    index = layout / "index.json"
    written = index.with_suffix(".new")
    written.write_text(json.dumps({"schemaVersion": 2, "manifests": kept}))
    os.replace(written, index)
    for file in (layout / "blobs" / "sha256").iterdir():
        if f"sha256:{file.name}" not in needed:
            file.unlink()
