"""The Helm program: which versions are used, where they come from, and the copy on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from zerojhub import files, retry
from zerojhub.deployment import HelmSpec
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.machine import Machine
from zerojhub.machine.local import LocalMachine
from zerojhub.text import Say
from zerojhub.tls import trusted

VERSION = "3.18.4"
"""The Helm version that is downloaded when the deployment names none."""
LEAST = {3: 8, 4: 0}
"""Major version of Helm -> the oldest minor version that has every option used here."""
SERVICE = "get.helm.sh"
"""As progress calls it."""
URL = "https://get.helm.sh/helm-v{version}-{platform}.tar.gz"
CHECKSUMS = {
    ("3.16.4", "linux-amd64"): "fc307327959aa38ed8f9f7e66d45492bb022a66c3e5da6063958254b9767d179",
    ("3.16.4", "linux-arm64"): "d3f8f15b3d9ec8c8678fbf3280c3e5902efabe5912e2f9fcf29107efbc8ead69",
    ("3.17.3", "linux-amd64"): "ee88b3c851ae6466a3de507f7be73fe94d54cbf2987cbaa3d1a3832ea331f2cd",
    ("3.17.3", "linux-arm64"): "7944e3defd386c76fd92d9e6fec5c2d65a323f6fadc19bfb5e704e3eee10348e",
    ("3.18.4", "linux-amd64"): "f8180838c23d7c7d797b208861fecb591d9ce1690d8704ed1e4cb8e2add966c1",
    ("3.18.4", "linux-arm64"): "c0a45e67eef0c7416a8a8c9e9d5d2d30d70e4f4d3f7bea5de28241fffa8f3b89",
}
"""SHA-256 of the archives at get.helm.sh, as published next to them."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

FIND = """
for helm in "$@" "$HOME/.local/bin/helm" "$(command -v helm)"; do
  [ -x "$helm" ] && version=$("$helm" version --template '{{.Version}}' 2>/dev/null) && echo "$version $helm"
done; true
"""


class Offline(ZeroJHubError):
    """This machine cannot download Helm."""


@dataclass(frozen=True)
class Program:
    """An installed Helm. `version` is what it calls itself, such as `v3.18.4`."""

    path: str
    version: str

    @property
    def major(self) -> int:
        return int(self.version[1:].partition(".")[0])


@dataclass(frozen=True)
class Archive:
    """An archive at get.helm.sh."""

    url: str
    sha256: str

    @property
    def program(self) -> Path:
        """Where this machine keeps the program that is in it, for all deployments."""
        import platformdirs

        return platformdirs.user_cache_path("zerojhub") / "helm" / f"helm-{self.sha256[:12]}"

    @property
    def is_kept(self) -> bool:
        """Whether the program is there, and nobody else can have put it there."""
        return self.program.exists() and files.is_own(self.program)


async def platform_of(machine: Machine) -> str:
    """`linux-amd64`, as get.helm.sh calls it."""
    system, architecture = (await machine.run(["uname", "-sm"], repeatable=True)).stdout.decode().lower().split()
    return f"{system}-{ARCHITECTURES.get(architecture, architecture)}"


def archive(wanted: HelmSpec, platform: str) -> Archive:
    """The archive that a deployment wants. UserError if its checksum is not known."""
    version = wanted.version or VERSION
    checksum = wanted.sha256 or CHECKSUMS.get((version, platform))
    if not checksum:
        raise UserError(f"no checksum is known for Helm {version} on {platform}", hint="set helm.sha256")
    return Archive(URL.format(version=version, platform=platform), checksum)


async def installed(machine: Machine, places: Sequence[str]) -> list[Program]:
    """Every Helm at these places, and those in PATH and ~/.local/bin."""
    answer = await machine.run(["sh", "-c", FIND, "find-helm", *places], timeout=30, repeatable=True)
    lines = (line.partition(" ") for line in answer.stdout.decode().splitlines())
    return [Program(path, version) for version, _, path in lines]


def fits(version: str, wanted: str | None) -> bool:
    """Whether a Helm that calls itself `version` can be used."""
    match = re.fullmatch(r"v(\d+)\.(\d+)(\.\d+)?(\+\S*)?", version)
    if not match:
        return False
    if wanted:
        return version.partition("+")[0] == f"v{wanted}"
    return int(match[2]) >= LEAST.get(int(match[1]), sys.maxsize)


async def installed_here(wanted: HelmSpec) -> list[Program]:
    """As `installed`, on this machine: also those downloaded before, and the one next to the running Python."""
    machine = LocalMachine()
    places = [str(Path(sys.executable).parent / "helm")]
    with contextlib.suppress(UserError):
        ours = archive(wanted, await platform_of(machine))
        places[:0] = [str(ours.program)] if ours.is_kept else []
    return await installed(machine, places)


async def fitting_here(wanted: HelmSpec) -> str | None:
    """The path of a Helm that fits on this machine; None if there is none."""
    return next((each.path for each in await installed_here(wanted) if fits(each.version, wanted.version)), None)


async def here(wanted: HelmSpec, say: Say) -> str:
    """The path of a Helm that fits on this machine, downloaded if there is none. ZeroJHubError if that is impossible."""
    if path := await fitting_here(wanted):
        return path
    # Its callers can do without: they do not wait long for a machine that is offline.
    return str(await download(archive(wanted, await platform_of(LocalMachine())), say, attempts=2))


async def download(archive: Archive, say: Say, *, attempts: int = retry.ATTEMPTS) -> Path:
    """The program in the archive, downloaded to the user's cache once.

    Offline after that many attempts, or ZeroJHubError for a wrong checksum.
    """
    import httpx

    if archive.is_kept:
        return archive.program
    say(f"downloading {archive.url}")

    async def attempt() -> httpx.Response:
        try:
            timeout = httpx.Timeout(60, connect=5)
            async with httpx.AsyncClient(follow_redirects=True, timeout=timeout, verify=trusted()) as client:
                answer = await client.get(archive.url)
                answer.raise_for_status()
                return answer
        except httpx.HTTPStatusError as error:
            fault = retry.of_status(SERVICE, error.response.status_code, error.response.headers)
            failure = _offline(archive, f"{error.response.status_code} {error.response.reason_phrase}")
        except httpx.RequestError as error:
            fault = retry.of_exception(SERVICE, error)
            failure = _offline(archive, fault.answer if fault else str(error) or type(error).__name__)
        raise retry.Transient(fault, failure) if fault else failure

    answer = await retry.attempts(attempt, repeatable=True, limit=attempts)
    if hashlib.sha256(answer.content).hexdigest() != archive.sha256:
        raise ZeroJHubError(f"the SHA-256 is not {archive.sha256}", where=archive.url)
    await anyio.to_thread.run_sync(_unpack, answer.content, archive.program)
    return archive.program


def _offline(archive: Archive, why: str) -> Offline:
    return Offline(f"cannot be downloaded: {why}", where=archive.url, hint="install Helm on this machine, in PATH")


def _unpack(content: bytes, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        member = next(each for each in tar if each.name.endswith("/helm"))
        file = tar.extractfile(member)
        assert file, member.name  # a regular file
        files.write(program, file.read(), mode=0o755)
