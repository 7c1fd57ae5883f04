"""The Helm program on the machine where it runs: the master, or this one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub import retry
from zerojhub.errors import MachineError, UserError, ZeroJHubError
from zerojhub.helm import program
from zerojhub.helm.program import CHECKSUMS, LEAST, Archive, Program
from zerojhub.machine import Machine
from zerojhub.machine.local import LocalMachine
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access

if TYPE_CHECKING:
    from zerojhub.hub.release import InstalledRelease

SHARED = ["/usr/local/bin/helm", "/opt/bin/helm"]
"""Folders for programs of all users; on some images the first is read-only, so the second, or the user's own, is used."""

FETCH = """
set -e
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
curl -fsSL --connect-timeout 5 --max-time 240 -o "$work/archive" "$1"
echo "$2  $work/archive" | sha256sum --check --status || { echo "its SHA-256 is not $2" >&2; exit 3; }
tar -xzf "$work/archive" -C "$work" --strip-components=1 --no-same-owner
install -D --mode=755 "$work/helm" "$3"
"""


class HelmProgram(Stage[Program]):
    """Helm for the cluster, at a pinned version with a verified checksum.

    Downloads it to the machine where it runs: the master, or this one. A master without internet access gets a copy over
    SFTP. `down` deletes the copy on the master; one on this machine is kept for the next time.
    """

    name = "helm"
    needs = (Access,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        wanted = run.deployment.helm
        if not wanted.version or wanted.sha256 or (wanted.version, "linux-amd64") in CHECKSUMS:
            return []
        known = ", ".join(sorted({version for version, _ in CHECKSUMS}))
        hint = f"set helm.sha256 (published next to the archive at get.helm.sh), or use one of {known}"
        where = str(run.deployment.path)
        return [UserError(f"no checksum is known for Helm {wanted.version}", where=where, hint=hint)]

    async def look(self, run: Run) -> Found[Program] | Missing[Program]:
        machine, wanted = run[Access].machine, run.deployment.helm
        local = isinstance(machine, LocalMachine)
        found = await (program.installed_here(wanted) if local else program.installed(machine, SHARED))
        for each in found:
            if program.fits(each.version, wanted.version):
                return Found(f"{each.version} on {machine.name}", each)
        need = wanted.version or f"3.{LEAST[3]} or later"
        others = ", ".join(each.version for each in found)
        return Missing(f"{machine.name} has {f'Helm {others}' if others else 'no Helm'}, but {need} is needed")

    async def do(self, run: Run, state: Missing[Program] | Wrong[Program]) -> None:
        machine = run[Access].machine
        archive = program.archive(run.deployment.helm, platform := await program.platform_of(machine))
        if isinstance(machine, LocalMachine):
            await program.download(archive, run.say)
            return
        for path in await _places(machine):
            if not await _is_free(machine, path):
                continue
            await self._bring(run, machine, path, archive, platform)
            # By this `down` knows that the program is this deployment's, and whether somebody replaced it.
            mark = f"{await _digest(machine, path)} {run.deployment.name}\n"
            await machine.write(f"{path}.zerojhub", mark.encode(), sudo=_is_shared(path))
            return
        raise MachineError("no folder for programs is writable", where=machine.name)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        machine = run[Access].machine
        if isinstance(machine, LocalMachine):
            return  # stays in the user's cache, for the next time and for other deployments
        for path in await _places(machine):
            mark = await machine.run(["cat", "--", f"{path}.zerojhub"], check=False, repeatable=True)
            if mark.code == 0 and mark.stdout.split()[1].decode() == run.deployment.name:
                ours = [path] if await _digest(machine, path) == mark.stdout.split()[0].decode() else []
                await machine.run(["rm", "-f", "--", f"{path}.zerojhub", *ours], sudo=_is_shared(path), repeatable=True)

    async def _bring(self, run: Run, machine: Machine, path: str, archive: Archive, platform: str) -> None:
        """Install Helm the first way that works: the machine downloads it, this one downloads it, or this one has a copy."""
        run.say(f"{machine.name} downloads {archive.url}")
        fetch = ["sh", "-c", FETCH, "fetch-helm", archive.url, archive.sha256, path]
        answer = await machine.run(fetch, sudo=_is_shared(path), timeout=300, check=False, repeatable=True)
        if answer.code == 0:
            return
        if answer.code == 3:
            raise MachineError(f"{archive.url}: {answer.stderr.decode().strip()}", where=machine.name)
        run.say(f"{machine.name} has no internet access; downloading to this machine")
        own = await _own(run, platform)
        try:
            copy = await program.download(archive, run.say, attempts=1 if own else retry.ATTEMPTS)
        except program.Offline as error:
            if not own:
                wanted = run.deployment.helm.version or program.VERSION
                raise ZeroJHubError(
                    f"neither {machine.name} nor this machine can download Helm: {error.where} {error.message}",
                    hint=f"install Helm {wanted} on this machine, in PATH: it will be copied",
                ) from None
            copy = own
        run.say(f"copying {copy} to {machine.name}")
        await machine.put(copy, path, mode=0o755, sudo=_is_shared(path))


async def hub_release(run: Run) -> InstalledRelease | None:
    """The hub's release as it is installed; None if there is none. Use it with `run.once`. Raises HelmError."""
    from zerojhub.helm.client import Helm
    from zerojhub.hub.release import installed_release

    helm = Helm(run[Access], run[HelmProgram])
    return await installed_release(helm, run.deployment.release, run.deployment.namespace)


async def _places(machine: Machine) -> list[str]:
    """Where Helm may be installed on a master, best place first."""
    home = (await machine.run(["printenv", "HOME"], repeatable=True)).stdout.decode().strip()
    return [*SHARED, f"{home}/.local/bin/helm"]


async def _digest(machine: Machine, path: str) -> str | None:
    """The file's SHA-256; None when it does not exist."""
    answer = await machine.run(["sha256sum", "--", path], check=False, repeatable=True)
    return answer.stdout.split()[0].decode() if answer.code == 0 else None


def _is_shared(path: str) -> bool:
    return path in SHARED


async def _is_free(machine: Machine, path: str) -> bool:
    """Whether Helm can be installed there: the folder is writable, and no Helm of somebody else is there."""
    sudo, folder = _is_shared(path), path.rsplit("/", 1)[0]
    await machine.run(["mkdir", "-p", folder], sudo=sudo, check=False, repeatable=True)
    writable = await machine.run(["test", "-w", folder], sudo=sudo, check=False, repeatable=True)
    there = await machine.run(["test", "-e", path], check=False, repeatable=True)
    ours = await machine.run(["test", "-e", f"{path}.zerojhub"], check=False, repeatable=True)
    return writable.code == 0 and (there.code != 0 or ours.code == 0)


async def _own(run: Run, platform: str) -> Path | None:
    """A suitable Helm of this machine, for a machine of that platform."""
    if await program.platform_of(LocalMachine()) != platform:
        return None
    path = await program.fitting_here(run.deployment.helm)
    return Path(path).resolve() if path else None
