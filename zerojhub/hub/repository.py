"""Zero to JupyterHub's chart repository: which versions of the chart there are, and which of them to install."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import anyio
import anyio.to_thread
from semver import Version

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import download
from zerojhub.hub.constraints import allows
from zerojhub.kube import number

URL = "https://hub.jupyter.org/helm-chart"
MIRROR = "ZEROJHUB_CHART_REPOSITORY"
"""The environment variable with the URL of a mirror."""
CHART = "jupyterhub"
MAX_AGE = 24 * 3600
"""Seconds for which a downloaded list of versions is used."""
PATIENCE = 15.0
"""Seconds to wait for the list: without it, there is a chart to install all the same."""
GLANCE = 1.0
"""Seconds to wait for it if nothing but a remark depends on it."""

OUTGROWN = (((2, 0, 0), (1, 27, 0)), ((1, 2, 0), (1, 25, 0)), ((0, 11, 1), (1, 22, 0)))
"""Charts up to these do not work from these Kubernetes versions on, in which APIs were removed that they use: Ingress v1beta1
and, for their user scheduler, PodDisruptionBudget v1beta1 and CSIStorageCapacity v1beta1 (zero-to-jupyterhub-k8s issue
3128)."""


@dataclass(frozen=True)
class ChartVersion:
    """A version of the chart in the repository."""

    version: str
    """Semantic, without a leading v."""
    kubernetes: str | None
    """Its kubeVersion."""
    digest: str | None
    """SHA-256 of the archive."""
    url: str
    """Of the archive; relative to the repository's, or absolute."""

    @property
    def address(self) -> str:
        """The whole URL of the archive."""
        return urljoin(f"{_url()}/", self.url)

    @property
    def pins(self) -> set[str]:
        """The digests that its archive must have: the listed one, and that of the built-in list."""
        known = next((each.digest for each in KNOWN if each.version == self.version), None)
        return {digest for digest in (self.digest, known) if digest}

    @property
    def number(self) -> Version:
        return Version.parse(self.version)

    def is_for(self, kubernetes: str | None) -> bool:
        """Does it work with that Kubernetes version? None is any."""
        return not kubernetes or (allows(self.kubernetes, kubernetes) and not is_outgrown(self.version, kubernetes))


def _known(version: str, kubernetes: str, digest: str | None = None) -> ChartVersion:
    return ChartVersion(version, f">={kubernetes}.0-0", digest, f"{CHART}-{version}.tgz")


KNOWN = (
    _known("4.4.0", "1.28"),
    _known("4.3.5", "1.28"),
    _known("4.2.0", "1.28"),
    _known("4.1.0", "1.28"),
    _known("4.0.0", "1.28"),
    _known("3.3.8", "1.23", "ac4dd85c814a322353d68e1a322ba1a5ea0ada6cd8945affcebc46f6ccb2b645"),
    _known("3.2.1", "1.23", "de1d557fe87be41fae2ff4f2c97114eeee32090b5933df531e6291e3381a46de"),
    _known("3.1.0", "1.23", "161099adb01008761ad242c6a0938a813108ed2f57ba4e0de7bb091ffddcc6a7"),
    _known("3.0.3", "1.23", "4bcb630eca53e4f580da84011dfb17728681980bf2c7ed1b4b10e8d393dca3c8"),
    _known("2.0.0", "1.20", "a96fd0a77816c3f78dde8f7863771216f2760fddadc8ff9b20039be6fa2c5af7"),
    _known("1.2.0", "1.17", "507f71b7a9e88bd3d4f3f3b6dc1700e03c00ce1c9307106a1c58066b25255b89"),
    _known("1.1.4", "1.17", "4c3f3169d60386979920499a2d1af3ddb5fda6e924e900f05e9334b5a7ee2198"),
    _known("1.0.1", "1.17", "a3ba43835c2ec5d9543886b444b7a0209225abb9a15e684aed47fe83b293b27b"),
    _known("0.11.1", "1.14", "9a0ae5b48d5f74556230a6a3e064db5678ce6d830300f1913b04b437bd1487d7"),
    _known("0.10.6", "1.14", "eb9dcd4627b42133a66a5816ed9036e92a2835d339f81ad7607cc26c10f39197"),
    _known("0.9.1", "1.11", "a0e4cb3255fd5ad1af2db549dd185885569344d33f3332e97773cac1881f29be"),
)
"""The last release of each minor version, for when the repository cannot be asked. Digests: as the repository lists them."""


@dataclass(frozen=True)
class Listing:
    """The versions of the chart."""

    versions: tuple[ChartVersion, ...]
    problem: str | None = None
    """Why these are not the repository's current ones."""

    def choose(self, wanted: str | None, kubernetes: str | None, installed: str | None = None) -> ChartVersion:
        """The version to install on that Kubernetes version (None: unknown).

        `wanted`: a version, or the first one or two numbers of it; a pre-release must be given in full. `installed`: the
        version that the hub has; it stays if it is one of those wanted and supports the Kubernetes version. Otherwise it is
        the newest that does. Raises UserError if there is none.
        """
        if wanted and is_exact(wanted):
            exact = self._named(wanted.removeprefix("v"))
            if exact not in self.versions and not self.problem:  # with a problem, the list may lack it
                raise self._unknown(wanted)
            return exact
        if installed and matches(installed, wanted) and (kept := self._named(installed)).is_for(kubernetes):
            return kept
        candidates = [each for each in self._releases() if matches(each.version, wanted)]
        if fitting := [each for each in candidates if each.is_for(kubernetes)]:
            return max(fitting, key=lambda each: each.number)
        if not candidates:
            raise self._unknown(wanted)
        if not wanted:
            raise UserError(f"no JupyterHub chart supports Kubernetes {kubernetes}")
        other = self.choose(None, kubernetes)
        raise UserError(
            f"no chart version {wanted} supports Kubernetes {kubernetes}", hint=f"version {other.version} does"
        )

    def newer_patch(self, version: str) -> str | None:
        """The newest release with the same first two numbers, if it is newer than the version."""
        now = Version.parse(version)
        line = [each.number for each in self._releases() if each.number[:2] == now[:2]]
        newest = max(line, default=now)
        return str(newest) if newest > now else None

    def _releases(self) -> list[ChartVersion]:
        return [each for each in self.versions if not each.number.prerelease]

    def _named(self, version: str) -> ChartVersion:
        return next((each for each in self.versions if each.version == version), unlisted(version))

    def _unknown(self, wanted: str | None) -> UserError:
        newest = max((each.version for each in self._releases()), key=Version.parse, default="a pre-release")
        hint = f"{self.problem}, up to {newest}" if self.problem else f"the newest is {newest}"
        return UserError(f"there is no chart version {wanted}", hint=hint)


def is_exact(version: str) -> bool:
    """Is it a whole version, such as `4.3.5`, not only the first numbers of one?"""
    return version.count(".") >= 2


def matches(version: str, wanted: str | None) -> bool:
    """Is it the wanted version, or one that starts with the wanted numbers? `wanted` may leave out the build (`+...`)."""
    if not wanted:
        return True
    wanted = wanted.removeprefix("v")
    return version in (wanted, f"{wanted}+{version.partition('+')[2]}") or (
        not is_exact(wanted) and version.startswith(f"{wanted}.")
    )


def numbers(version: str) -> tuple[int, int, int]:
    """A chart's version as numbers: `4.4.0-beta.1` as (4, 4, 0), `0.9` as (0, 9, 0)."""
    major, minor, patch, *_ = *map(int, re.findall(r"\d+", version)[:3]), 0, 0, 0
    return major, minor, patch


def is_outgrown(chart: str, kubernetes: str) -> bool:
    """Is that Kubernetes version too new for the project's chart of this version (such as `1.2.0`)?"""
    return any(numbers(chart) <= last and number(kubernetes) >= first for last, first in OUTGROWN)


def fitting(kubernetes: str) -> str:
    """The newest known version that supports that Kubernetes version, for messages. Raises UserError if there is none."""
    return Listing(KNOWN).choose(None, kubernetes).version


def unlisted(version: str) -> ChartVersion:
    """A version that is in no list, at the URL where it would be."""
    return ChartVersion(version, None, None, f"{CHART}-{version}.tgz")


@dataclass(frozen=True)
class Choice:
    """A version to install. `remark`: that a newer patch release exists, or why this may not be the newest version."""

    version: ChartVersion
    remark: str | None = None


async def choose(wanted: str | None, kubernetes: str | None, installed: str | None = None) -> Choice:
    """The version to install, as `Listing.choose` describes it. Raises UserError if there is none."""
    stays = installed is not None and matches(installed, wanted)
    listed = await listing(GLANCE if stays else PATIENCE)
    try:
        chosen = listed.choose(wanted, kubernetes, installed)
    except UserError:
        if listed.problem:
            raise
        listed = await listing(fresh=True)  # it may have been released today
        chosen = listed.choose(wanted, kubernetes, installed)
    if newer := listed.newer_patch(chosen.version):
        return Choice(chosen, f"{newer} is available")
    return Choice(chosen, None if chosen.version == installed else listed.problem)


async def listing(patience: float = PATIENCE, *, fresh: bool = False) -> Listing:
    """The versions in the repository, asked for once a day; otherwise the last ones, or the built-in ones.

    Waits `patience` seconds at most. `fresh`: asks even if it did so within a day.
    """
    path = download.cached(f"versions-{hashlib.sha256(_url().encode()).hexdigest()[:12]}.json")
    kept, age = _kept(path)
    if kept and not fresh and 0 <= age < MAX_AGE:
        return Listing(kept)
    try:
        with anyio.fail_after(patience):
            content = await download.get(
                f"{_url()}/index.yaml", "the list of charts", limit=2 if patience > GLANCE else 1
            )
        versions = await anyio.to_thread.run_sync(_parsed, content)
    except (ZeroJHubError, TimeoutError) as error:
        why = error.message.rpartition(": ")[2] if isinstance(error, ZeroJHubError) else "no response in time"
        since = (
            f"of {time.strftime('%Y-%m-%d', time.localtime(time.time() - age))}" if kept else "known to this release"
        )
        return Listing(kept or KNOWN, f"the chart repository failed ({why}); using the versions {since}")
    download.keep(path, json.dumps([astuple(each) for each in versions]).encode())
    return Listing(versions)


def _url() -> str:
    return (os.environ.get(MIRROR) or URL).rstrip("/")


def _kept(path: Path) -> tuple[tuple[ChartVersion, ...] | None, float]:
    """The versions in the cache, if there are any, and their age in seconds."""
    try:
        age = time.time() - path.stat().st_mtime
        return tuple(ChartVersion(*row) for row in json.loads(path.read_bytes())), age
    except (OSError, ValueError, TypeError):
        return None, 0.0


def _parsed(content: bytes) -> tuple[ChartVersion, ...]:
    """The versions in an index.yaml. ZeroJHubError if it is not one, or cut short: its last key is `generated`."""
    import yaml

    try:
        # Everything is text to this loader, which is what a version must be.
        index = yaml.load(content, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        if not index["generated"]:
            raise ValueError
        versions = tuple(_listed(index["entries"][CHART]))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, LookupError, RecursionError):
        versions = ()
    if not versions:
        raise ZeroJHubError("its index.yaml is damaged")
    return versions


def _listed(entries: list[dict[str, Any]]) -> Iterator[ChartVersion]:
    """The entries that are complete, as Helm ignores others, too."""
    for entry in entries:
        try:
            version = Version.parse(entry["version"].removeprefix("v"), optional_minor_and_patch=True)
            url = str(entry["urls"][0])
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
        digest = str(entry.get("digest") or "").removeprefix("sha256:").lower()
        if re.match("https?:|[^:]*$", url) and re.fullmatch("([0-9a-f]{64})?", digest):
            yield ChartVersion(str(version), entry.get("kubeVersion") or None, digest or None, url)
