"""A Linux machine built from namespaces, with its own root, network, processes, host name, control groups and sshd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from zerojhub.practice.ground import GroundError, MachineSpec
from zerojhub.practice.images import layers
from zerojhub.practice.machines import hostkeys, root
from zerojhub.practice.machines.cgroups import CGroup
from zerojhub.practice.machines.command import run
from zerojhub.practice.machines.disks import Disk
from zerojhub.practice.machines.network import Network

SCRIPTS = Path(__file__).parent
BOOT_TIMEOUT = 60


@dataclass(frozen=True)
class Site:
    """Where machines get their files and keep their state."""

    state: Path
    base: Path
    """The root file system that all machines share, read-only."""
    layers: Path
    """The unpacked layers of images that all machines share, read-only."""
    programs: dict[str, Path]
    """Kubernetes version -> folder with its programs."""
    registry: str
    """URL of the image registry, as seen from the machines."""


@dataclass(frozen=True)
class KeptMachine:
    """A machine that outlives the process that has booted it; `on`: it was running."""

    spec: MachineSpec
    addresses: frozenset[str]
    volumes: dict[str, tuple[Path, str]]
    on: bool


class Machine:
    """One machine. Its methods raise GroundError."""

    def __init__(self, spec: MachineSpec, site: Site, network: Network):
        self.spec, self.site, self.network = spec, site, network
        self.folder = site.state / "machines" / spec.id
        self.console = self.folder / "console.log"
        self.cgroup = CGroup(spec.id)
        self.pid = 0
        """The PID of its first process on the host."""
        self._process: asyncio.subprocess.Process | None = None
        self._addresses = {spec.address}
        self.volumes: dict[str, tuple[Path, str]] = {}
        """Attached volumes, whether the machine is running or not: id -> file and device."""
        self._disks: dict[str, tuple[Disk, Path]] = {}
        """Volume -> disk, and the link that names it by serial number."""

    @classmethod
    def of(cls, kept: KeptMachine, site: Site, network: Network) -> Machine:
        """A machine of an earlier process, which is off now."""
        made = cls(kept.spec, site, network)
        made._addresses, made.volumes = set(kept.addresses), dict(kept.volumes)
        return made

    def kept(self) -> KeptMachine:
        return KeptMachine(self.spec, frozenset(self._addresses), dict(self.volumes), self.alive)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def boot(self) -> None:
        """Start it for the first time. Returns once sshd responds."""
        for part in ("upper", "work", "root", "data"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        keys = hostkeys.generate()
        root.write(self.folder / "upper", self.site.base, self.spec, keys, self.site.registry)
        layers.lend(self.site.layers, self.folder / "data/containerd")
        self._write_service(self.folder / "upper", "sshd", ["/usr/sbin/sshd", "-D", "-e"])
        self._write_service(self.folder / "upper", "containerd", ["containerd"], {"GOGC": "50"})
        (self.folder / "machine.json").write_text(
            json.dumps({"id": self.spec.id, "name": self.spec.name, "address": self.spec.address})
        )
        await self.start(hostkeys.console(self.spec.name, keys) + "\n")

    async def start(self, message: str = "") -> None:
        """Start it from its disk. Returns once sshd responds. `message` goes to the console log."""
        self.cgroup.make()
        with self.console.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("sh", str(SCRIPTS / "boot.sh"), *map(str, self.cgroup.paths)),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )
        self.pid = await self._first_process()
        self.cgroup.hand_down()
        await self.network.plug(self.pid, self.spec.id, self.spec.address)
        for address in self._addresses - {self.spec.address}:
            await self.network.add_address(self.pid, address)
        assert self._process.stdin
        self._process.stdin.write(b"plugged\n")
        self._process.stdin.close()
        await self._wait_for_ssh()
        for volume, (file, device) in self.volumes.items():
            self._lend(volume, file, device)
        if self.spec.address not in self._addresses:
            await self.network.remove_address(self.pid, self.spec.address)
        with self.console.open("a") as log:
            log.write(f"{message}{self.spec.name} login: \n")

    async def stop(self) -> None:
        """Kill its processes. Its disk is kept."""
        if self._process and self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid or self._process.pid, 9)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 10)
        await asyncio.to_thread(self.cgroup.remove)
        await self.network.unplug(self.spec.id)
        # Only now: pending writes are flushed when the last process that had the disk mounted ends.
        for volume in list(self._disks):
            self._pull(volume)

    async def halt(self) -> None:
        """Stop it and delete its state."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def plug(self, address: str) -> None:
        """Add an address."""
        self._addresses.add(address)
        if self.alive:
            await self.network.add_address(self.pid, address)

    async def unplug(self, address: str) -> None:
        self._addresses.discard(address)
        if self.alive:
            await self.network.remove_address(self.pid, address)

    async def run(self, *argv: str, input: str | None = None, timeout: float = 30, check: bool = True) -> str:
        """Run a command in the machine as root, and return its output."""
        return await run("nsenter", f"--target={self.pid}", "--all", *argv, input=input, timeout=timeout, check=check)

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """Write a file as root, atomically."""
        file = self.at(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.touch(mode=mode)
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        new.chmod(mode)
        new.rename(file)

    def read(self, path: str) -> bytes:
        return self.at(path).read_bytes()

    def link(self, path: str, target: str) -> None:
        file = self.at(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    async def serve(self, services: dict[str, tuple[list[str], dict[str, str]]]) -> None:
        """Start these services (name -> argv, environment) and keep them running; restart those that already run."""
        running = [name for name in services if self.at(f"/etc/service/{name}").exists()]
        for name, (argv, environment) in services.items():
            self._write_service(self.at("/"), name, argv, environment)
        await self.run("s6-svscanctl", "-a", "/etc/service")
        for name in running:
            await self.run("s6-svc", "-r", f"/etc/service/{name}")

    async def end(self, *names: str) -> None:
        """Stop services and keep them stopped."""
        for name in names:
            if self.at(f"/etc/service/{name}").exists():
                await self.run("s6-svc", "-wd", "-T5000", "-d", f"/etc/service/{name}", check=False)
                shutil.rmtree(self.at(f"/etc/service/{name}"), ignore_errors=True)
        await self.run("s6-svscanctl", "-an", "/etc/service", check=False)

    def attach(self, volume: str, file: Path, device: str) -> None:
        """Attach the file as the disk `device` (such as /dev/vdb), now and after every start."""
        if self.alive:
            self._lend(volume, file, device)
        self.volumes[volume] = file, device

    def detach(self, volume: str) -> None:
        self.volumes.pop(volume, None)
        self._pull(volume)

    def grow(self, volume: str) -> None:
        """Adopt the volume's new size, if it is attached here."""
        if volume in self._disks:
            self._disks[volume][0].grow()

    def _lend(self, volume: str, file: Path, device: str) -> None:
        # Where udev links virtio disks by serial number.
        link = self.at(f"/dev/disk/by-id/virtio-{volume[:20]}")
        try:
            self._disks[volume] = Disk(file, self.at(device)), link
            link.symlink_to(f"../../{Path(device).name}")
        except OSError as error:
            raise GroundError(f"cannot attach volume {volume} to {self.spec.name} as {device}: {error}") from None

    def _pull(self, volume: str) -> None:
        if volume in self._disks:
            disk, link = self._disks.pop(volume)
            if self.alive:  # otherwise its /dev is gone
                link.unlink(missing_ok=True)
                disk.node.unlink(missing_ok=True)
            disk.pull()

    def at(self, path: str) -> Path:
        """The file's path on the host."""
        if not self.alive:
            raise GroundError(f"{self.spec.name} is not running")
        return Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    @staticmethod
    def _write_service(top: Path, name: str, argv: list[str], environment: dict[str, str] | None = None) -> None:
        folder = top / "etc/service" / name
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / "run"
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in (environment or {}).items())
        script.write_text(f"#!/bin/sh\n{exports}exec {shlex.join(argv)} >>/var/log/{name}.log 2>&1\n")
        script.chmod(0o755)

    def _environment(self) -> dict[str, str]:
        first = [] if self.cgroup.unified else self.cgroup.trees
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SCRIPTS": str(SCRIPTS),
            "NAME": self.spec.name,
            "UUID": self.spec.id,
            "DIR": str(self.folder),
            "BASE": str(self.site.base),
            "LAYERS": str(self.site.layers / "snapshots"),
            "PROGRAMS": " ".join(f"{version}={folder}" for version, folder in self.site.programs.items()),
            "CGROUPS": " ".join(f"{tree.path.name}={tree.options}" for tree in first),
        }

    async def _first_process(self) -> int:
        assert self._process
        deadline = time.monotonic() + BOOT_TIMEOUT
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while self.alive and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                for child in children.read_text().split():
                    # Until it runs the shell of init.sh, it may still be outside its namespaces.
                    if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0] == b"sh":
                        return int(child)
            await asyncio.sleep(0.01)
        raise GroundError(f"{self.spec.name} did not boot: {self._last_words()}")

    async def _wait_for_ssh(self) -> None:
        deadline = time.monotonic() + BOOT_TIMEOUT
        while self.alive and time.monotonic() < deadline:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    reader, writer = await asyncio.open_connection(self.spec.address, 22)
                    try:
                        if (await reader.readline()).startswith(b"SSH-"):
                            return
                    finally:
                        writer.close()
            await asyncio.sleep(0.1)
        raise GroundError(f"{self.spec.name} booted, but its sshd does not respond: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.console.read_text(errors="replace").split("\n") if self.console.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "nothing in its console log")
