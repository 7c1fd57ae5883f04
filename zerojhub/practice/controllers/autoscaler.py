"""The autoscaler of Cluster API drivers: a process outside the cluster that respects the node groups' limits.

It is the program from the practice cloud's image cluster-autoscaler, with the provider `clusterapi`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

from zerojhub.practice.images.catalog import HERE

PROGRAM = HERE / "cluster-autoscaler" / "main.py"
PAUSE = 2
"""Seconds before it is restarted after an exit."""


class Autoscaler:
    """Runs until stopped. `folder` holds the cluster's admin credentials."""

    def __init__(self, server: str, folder: Path, cluster_id: str, cloud_config: str):
        self._folder = folder
        self._write("cloud-config", cloud_config)
        user = {"client-certificate": str(folder / "client.crt"), "client-key": str(folder / "client.key")}
        where = {"server": server, "certificate-authority": str(folder / "ca.crt")}
        config = {"clusters": [{"cluster": where}], "users": [{"user": user}]}
        self._write("autoscaler.kubeconfig", json.dumps(config))
        self._argv = [
            *(sys.executable, "-B", str(PROGRAM)),
            "--cloud-provider=clusterapi",
            f"--cluster-name={cluster_id}",
            f"--kubeconfig={folder / 'autoscaler.kubeconfig'}",
            f"--cloud-config={folder / 'cloud-config'}",
            # Short enough for a class to wait for.
            "--scale-down-unneeded-time=1m",
            "--scale-down-delay-after-add=1m",
        ]
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            with (self._folder / "autoscaler.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(*self._argv, stdout=log, stderr=log)
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            await asyncio.sleep(PAUSE)

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(text)
