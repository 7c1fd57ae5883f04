"""The object store: OpenStack Swift with its S3 API, in one process that starts when it is first needed."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from zerojhub.practice.ground import GroundError

HERE = Path(__file__).parent
SERVER = HERE / "server.py"
STORES = ("account", "container", "object")
SECONDS = 60
"""Longest time to start, on a busy machine."""


class ObjectStore:
    """Swift with its data in `folder`, run from `environment`, the virtual environment that it is installed in."""

    def __init__(self, folder: Path, environment: Path):
        self._folder, self._environment = folder, environment
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        """Where it was started last."""
        self._changing = asyncio.Lock()

    async def start(self, keystone: str, password: str) -> str:
        """Start it if it is not running; returns its URL.

        It accepts the tokens of the Keystone at this URL, where it logs in as user `swift`. Raises GroundError.
        """
        async with self._changing:
            if not self._process or self._process.poll() is not None:
                self.url = await self._start(keystone, password)
        return self.url

    async def stop(self) -> None:
        """Stop it, and delete its data."""
        async with self._changing:
            if self._process:
                self._process.kill()
                self._process.wait()
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _start(self, keystone: str, password: str) -> str:
        python = self._environment / "bin" / "python"
        if not python.exists():
            raise GroundError("object storage is not built: run zerojhub practice build --with object-store")
        (self._folder / "device").mkdir(parents=True, exist_ok=True, mode=0o700)
        _require_attributes(self._folder)
        settings = {"folder": self._folder, "keystone": keystone, "password": password}
        texts = {name: (HERE / "store.conf").read_text().format(**settings, name=name) for name in STORES}
        texts["proxy"] = (HERE / "proxy.conf").read_text().format(**settings)
        texts["swift"] = "[swift-hash]\nswift_hash_path_suffix = practice\n"
        for name, text in texts.items():
            path = self._folder / f"{name}.conf"
            path.touch(mode=0o600)
            path.write_text(text)
        log = self._folder / "swift.log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [python, SERVER, self._folder],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self._folder,
                start_new_session=True,
            )
        assert self._process.stdout
        with self._process.stdout as printed:
            try:
                port = await asyncio.wait_for(asyncio.to_thread(printed.readline), SECONDS)
            except TimeoutError:
                self._process.kill()
                port = ""
        if not port:
            raise GroundError(f"object storage failed to start (log: {log})")
        return f"http://127.0.0.1:{int(port)}"


def _require_attributes(folder: Path) -> None:
    """Swift keeps the metadata of objects in extended attributes of files. Raises GroundError if there are none."""
    try:
        os.setxattr(folder, "user.zerojhub", b"")
    except OSError as error:
        raise GroundError(
            f"object storage needs a file system with extended attributes, which {folder} is not on: {error.strerror}"
        ) from None
