"""The Helm program on the machine where it runs: the master, or this one."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import MachineError, UserError, ZeroJHubError
from zerojhub.machine import Machine
from zerojhub.machine.local import LocalMachine
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access

if TYPE_CHECKING:
    from zerojhub.hub.release import InstalledRelease

VERSION = "3.18.4"
"""The Helm version that is downloaded when the deployment names none."""
LEAST = (3, 8)
"""The oldest Helm that has every option used here."""
URL = "https://get.helm.sh/helm-v{version}-linux-{arch}.tar.gz"
CHECKSUMS = {
    ("3.16.4", "amd64"): "fc307327959aa38ed8f9f7e66d45492bb022a66c3e5da6063958254b9767d179",
    ("3.16.4", "arm64"): "d3f8f15b3d9ec8c8678fbf3280c3e5902efabe5912e2f9fcf29107efbc8ead69",
    ("3.17.3", "amd64"): "ee88b3c851ae6466a3de507f7be73fe94d54cbf2987cbaa3d1a3832ea331f2cd",
    ("3.17.3", "arm64"): "7944e3defd386c76fd92d9e6fec5c2d65a323f6fadc19bfb5e704e3eee10348e",
    ("3.18.4", "amd64"): "f8180838c23d7c7d797b208861fecb591d9ce1690d8704ed1e4cb8e2add966c1",
    ("3.18.4", "arm64"): "c0a45e67eef0c7416a8a8c9e9d5d2d30d70e4f4d3f7bea5de28241fffa8f3b89",
}
"""SHA-256 of the archives at get.helm.sh, as published next to them."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SHARED = ["/usr/local/bin/helm", "/opt/bin/helm"]
"""Folders for programs of all users; on some images the first is read-only, so the second, or the user's own, is used."""

FIND = """
for helm in "$@" "$HOME/.local/bin/helm" "$(command -v helm)"; do
  [ -x "$helm" ] && version=$("$helm" version --template '{{.Version}}' 2>/dev/null) && echo "$version $helm"
done; true
"""
FETCH = """
set -e
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
curl -fsSL --connect-timeout 5 --max-time 240 -o "$work/archive" "$1"
echo "$2  $work/archive" | sha256sum --check --status || { echo "its SHA-256 is not $2" >&2; exit 3; }
tar -xzf "$work/archive" -C "$work" --strip-components=1 --no-same-owner
install -D --mode=755 "$work/helm" "$3"
"""


class HelmProgram(Stage[str]):
    """Helm for the cluster, at a pinned version with a verified checksum.

    Downloads it to the machine where it runs: the master, or this one. A master without internet access gets a copy over
    SFTP. `down` deletes the copy on the master; one on this machine is kept for the next time.
    """

    name = "helm"
    needs = (Access,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        wanted = run.deployment.helm
        if not wanted.version or wanted.sha256 or (wanted.version, "amd64") in CHECKSUMS:
            return []
        known = ", ".join(sorted({version for version, _ in CHECKSUMS}))
        hint = f"set helm.sha256 (published next to the archive at get.helm.sh), or use one of {known}"
        where = str(run.deployment.path)
        return [UserError(f"no checksum is known for Helm {wanted.version}", where=where, hint=hint)]

    async def look(self, run: Run) -> Found[str] | Missing[str]:
        machine, wanted = run[Access].machine, run.deployment.helm.version
        places = [*await _places(machine, wanted), _beside_python()] if _is_local(machine) else SHARED
        answer = await machine.run(["sh", "-c", FIND, "find-helm", *places], timeout=30)
        found = [line.split(" ", 1) for line in answer.stdout.decode().splitlines()]
        for version, path in found:
            if _fits(version, wanted):
                return Found(f"{version} on {machine.name}", path)
        need = wanted or f"{LEAST[0]}.{LEAST[1]} or a later 3"
        others = ", ".join(version for version, _ in found)
        return Missing(f"{machine.name} has {f'Helm {others}' if others else 'no Helm'}, but {need} is needed")

    async def do(self, run: Run, state: Missing[str] | Wrong[str]) -> None:
        machine, wanted = run[Access].machine, run.deployment.helm
        arch = ARCHITECTURES.get((await machine.run(["uname", "-m"])).stdout.decode().strip())
        if not arch:
            raise ZeroJHubError(f"there is no Helm for the processor architecture of {machine.name}")
        version = wanted.version or VERSION
        checksum = wanted.sha256 or CHECKSUMS.get((version, arch))
        if not checksum:
            raise UserError(f"no checksum is known for Helm {version} on {arch}", hint="set helm.sha256")
        url = URL.format(version=version, arch=arch)
        for path in await _places(machine, wanted.version):
            if not await _is_free(machine, path):
                continue
            await self._bring(run, machine, path, url, checksum, arch)
            # By this `down` knows that the program is this deployment's, and whether somebody replaced it.
            mark = f"{await _digest(machine, path)} {run.deployment.name}\n"
            await machine.write(f"{path}.zerojhub", mark.encode(), sudo=_is_shared(path))
            return
        raise MachineError("no folder for programs is writable", where=machine.name)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        machine = run[Access].machine
        if _is_local(machine):
            return  # stays in the user's cache, for the next time and for other deployments
        for path in await _places(machine, None):
            mark = await machine.run(["cat", "--", f"{path}.zerojhub"], check=False)
            if mark.code == 0 and mark.stdout.split()[1].decode() == run.deployment.name:
                ours = [path] if await _digest(machine, path) == mark.stdout.split()[0].decode() else []
                await machine.run(["rm", "-f", "--", f"{path}.zerojhub", *ours], sudo=_is_shared(path))

    async def _bring(self, run: Run, machine: Machine, path: str, url: str, checksum: str, arch: str) -> None:
        """Install Helm the first way that works: the machine downloads it, this one downloads it, or this one has a copy."""
        run.say(f"{machine.name} downloads {url}")
        fetch = ["sh", "-c", FETCH, "fetch-helm", url, checksum, path]
        answer = await machine.run(fetch, sudo=_is_shared(path), timeout=300, check=False)
        if answer.code == 0:
            return
        if answer.code == 3:
            raise MachineError(f"{url}: {answer.stderr.decode().strip()}", where=machine.name)
        run.say(f"{machine.name} has no internet access; downloading to this machine")
        try:
            program: Path | None = await _download(url, checksum)
        except _NoInternet as error:
            program = await _own(run.deployment.helm.version, arch)
            if not program:
                wanted = run.deployment.helm.version or "3"
                raise ZeroJHubError(
                    f"neither {machine.name} nor this machine can download Helm: {error}",
                    hint=f"install Helm {wanted} on this machine, in PATH: it will be copied",
                ) from None
        run.say(f"copying {program} to {machine.name}")
        assert program is not None
        await machine.put(program, path, mode=0o755, sudo=_is_shared(path))


async def hub_release(run: Run) -> InstalledRelease | None:
    """The hub's release as it is installed; None if there is none. Use it with `run.once`. Raises HelmError."""
    from zerojhub.helm import Helm
    from zerojhub.hub.release import installed_release

    helm = Helm(run[Access], run[HelmProgram])
    return await installed_release(helm, run.deployment.release, run.deployment.namespace)


class _NoInternet(Exception):
    """This machine cannot download."""


def _is_local(machine: Machine) -> bool:
    return isinstance(machine, LocalMachine)


async def _places(machine: Machine, version: str | None) -> list[str]:
    """Where Helm may be installed, best place first."""
    if _is_local(machine):
        return [str(_cache() / f"helm-v{version or VERSION}")]
    home = (await machine.run(["printenv", "HOME"])).stdout.decode().strip()
    return [*SHARED, f"{home}/.local/bin/helm"]


async def _digest(machine: Machine, path: str) -> str | None:
    """The file's SHA-256; None when it does not exist."""
    answer = await machine.run(["sha256sum", "--", path], check=False)
    return answer.stdout.split()[0].decode() if answer.code == 0 else None


def _is_shared(path: str) -> bool:
    return path in SHARED


async def _is_free(machine: Machine, path: str) -> bool:
    """Whether Helm can be installed there: the folder is writable, and no Helm of somebody else is there."""
    sudo, folder = _is_shared(path), path.rsplit("/", 1)[0]
    await machine.run(["mkdir", "-p", folder], sudo=sudo, check=False)
    writable = await machine.run(["test", "-w", folder], sudo=sudo, check=False)
    there = await machine.run(["test", "-e", path], check=False)
    ours = await machine.run(["test", "-e", f"{path}.zerojhub"], check=False)
    return writable.code == 0 and (there.code != 0 or ours.code == 0)


def _beside_python() -> str:
    return str(Path(sys.executable).parent / "helm")


def _fits(version: str, wanted: str | None) -> bool:
    match = re.fullmatch(r"v(\d+)\.(\d+)(\.\d+)?(\+\S*)?", version)
    if not match:
        return False
    if wanted:
        return version.partition("+")[0] == f"v{wanted}"
    return int(match[1]) == LEAST[0] and int(match[2]) >= LEAST[1]


def _cache() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("zerojhub") / "helm"


async def _download(url: str, checksum: str) -> Path:
    """Download the archive and extract Helm; kept in the cache under the archive's checksum."""
    import httpx

    program = _cache() / f"helm-{checksum[:12]}"
    if program.exists():
        return program
    try:
        timeout = httpx.Timeout(60, connect=5)
        async with httpx.AsyncClient(follow_redirects=True, timeout=timeout) as client:
            answer = await client.get(url)
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise _NoInternet(str(error) or type(error).__name__) from None
    if hashlib.sha256(answer.content).hexdigest() != checksum:
        raise ZeroJHubError(f"{url}: the SHA-256 is not {checksum}")
    await anyio.to_thread.run_sync(_unpack, answer.content, program)
    return program


def _unpack(archive: bytes, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = next(each for each in tar if each.name.endswith("/helm"))
        part = program.with_suffix(".part")
        content = tar.extractfile(member)
        assert content, member.name  # a regular file
        part.write_bytes(content.read())
    part.chmod(0o755)
    part.rename(program)


async def _own(wanted: str | None, arch: str) -> Path | None:
    """A suitable Helm of this machine: next to the running Python, or in PATH."""
    here = LocalMachine()
    if ARCHITECTURES.get((await here.run(["uname", "-m"])).stdout.decode().strip()) != arch:
        return None
    for candidate in (_beside_python(), shutil.which("helm")):
        if candidate and Path(candidate).is_file():
            answer = await here.run([candidate, "version", "--template", "{{.Version}}"], check=False)
            if _fits(answer.stdout.decode(), wanted):
                return Path(candidate).resolve()
    return None
