"""Growing volumes on a machine whose root may not grow a mounted file system, as in many containers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio

from tests.contract.clouds import Site
from zerojhub.practice.machines import filesystem


def test_a_volume_in_use_is_refused_and_a_detached_one_grows(site: Site, monkeypatch):
    cinder = site.client("/volume/v3/x", **{"OpenStack-API-Version": "volume 3.42"})
    made = cinder.post("/volumes", json={"volume": {"size": 1}}).raise_for_status().json()["volume"]["id"]

    def extend(size: int) -> int:
        return cinder.post(f"/volumes/{made}/action", json={"os-extend": {"new_size": size}}).status_code

    volume = site.store.volumes[made]
    monkeypatch.setitem(volume, "status", "in-use")
    monkeypatch.setattr(site.ground, "grows_in_use", False)
    assert (extend(2), volume["size"]) == (400, 1)
    monkeypatch.setattr(site.ground, "grows_in_use", True)
    assert (extend(2), volume["size"]) == (202, 2)
    monkeypatch.setattr(site.ground, "grows_in_use", False)
    monkeypatch.setitem(volume, "status", "available")
    assert (extend(3), volume["size"]) == (202, 3)
    cinder.delete(f"/volumes/{made}").raise_for_status()


def test_a_detached_volumes_file_system_grows_with_it(tmp_path: Path):
    file = tmp_path / "volume"
    file.touch()
    os.truncate(file, 16 << 20)
    anyio.run(filesystem.grow, file)  # there is none yet
    subprocess.run(["mkfs.ext4", "-q", file], check=True)
    os.truncate(file, 64 << 20)
    anyio.run(filesystem.grow, file)
    found = subprocess.run(["dumpe2fs", "-h", file], check=True, capture_output=True, text=True).stdout
    assert int(found.split("Block count:")[1].split()[0]) * int(found.split("Block size:")[1].split()[0]) == 64 << 20
