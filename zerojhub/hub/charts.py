"""Charts: where they come from, what is in them, and which of them fits a Kubernetes."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import minor
from zerojhub.shipped import shipped

REPOSITORY = "https://hub.jupyter.org/helm-chart"
"""The Zero to JupyterHub project's chart repository; its archives are named jupyterhub-VERSION.tgz."""

NEWEST = (
    ("4.4.0", (1, 28), None),
    ("3.3.8", (1, 23), None),
    ("2.0.0", (1, 20), (1, 27)),
    ("1.2.0", (1, 17), (1, 25)),
    ("0.11.1", (1, 14), (1, 22)),
    ("0.9.1", (1, 11), (1, 22)),
)
"""For each least Kubernetes that the project's charts ask for, the newest chart (its Chart.yaml's kubeVersion); and the
first Kubernetes that has no more what such charts use: Ingress v1beta1 and, by the scheduler that they bring along,
PodDisruptionBudget v1beta1 and CSIStorageCapacity v1beta1 (zero-to-jupyterhub-k8s issue 3128)."""


@dataclass(frozen=True)
class ChartArchive:
    """A chart, packed as Helm takes it."""

    content: bytes
    source: str
    """What it was asked for as, for messages."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the archive."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Chart.yaml."""
        return self._yaml("Chart.yaml")

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """values.yaml."""
        return self._yaml("values.yaml") or {}

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """values.schema.json, if the chart has one."""
        import json

        text = self._files.get("values.schema.json")
        return json.loads(text) if text else None

    @property
    def name(self) -> str:
        return self.metadata["name"]

    @property
    def version(self) -> str:
        return str(self.metadata["version"])

    @property
    def least_kubernetes(self) -> tuple[int, int] | None:
        """The oldest Kubernetes that the chart says it works with, as (major, minor)."""
        match = re.search(r">=\s*v?(\d+)\.(\d+)", self.metadata.get("kubeVersion") or "")
        return (int(match[1]), int(match[2])) if match else None

    def misfit(self, kubernetes: str | None) -> str | None:
        """Why the chart does not fit that Kubernetes (such as `v1.25.3`); None when it does, or that is not known."""
        least = self.least_kubernetes
        if not kubernetes or not least or minor(kubernetes) >= least:
            return None
        return f"chart {self.name} {self.version} needs Kubernetes {least[0]}.{least[1]} or later"

    @cached_property
    def _files(self) -> dict[str, bytes]:
        wanted, found = {"Chart.yaml", "values.yaml", "values.schema.json"}, {}
        try:
            with tarfile.open(fileobj=io.BytesIO(self.content), mode="r:gz") as tar:
                for member in tar:
                    folder, _, name = member.name.removeprefix("./").partition("/")
                    if folder and name in wanted and member.isfile():
                        found[name] = tar.extractfile(member).read()
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(f"no chart archive: {error}", where=self.source) from None
        if "Chart.yaml" not in found:
            raise UserError("there is no chart in it (no Chart.yaml)", where=self.source)
        return found

    def _yaml(self, name: str) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return YAML(typ="safe").load(self._files.get(name, b""))
        except YAMLError as error:
            raise UserError(f"{name} of the chart is not valid YAML: {error}", where=self.source) from None


def fitting(kubernetes: str | None) -> str:
    """The newest Zero to JupyterHub chart for that Kubernetes, or the newest of all when it is not known."""
    if not kubernetes:
        return NEWEST[0][0]
    for chart, least, _ in NEWEST:
        if minor(kubernetes) >= least:
            return chart
    raise UserError(f"there is no JupyterHub chart for Kubernetes {kubernetes}")


def is_outgrown(chart: str, kubernetes: str) -> bool:
    """Is that Kubernetes too new for the project's chart of this version (such as `1.2.0`)?"""
    for newest, _, end in reversed(NEWEST):
        if _number(chart) <= _number(newest):
            return end is not None and minor(kubernetes) >= end
    return False


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


async def find(ref: str, version: str | None, kubernetes: str | None, directory: Path) -> ChartArchive:
    """The chart that a deployment asks for: `embedded`, `z2jh`, an http(s) address, or a path from `directory`.

    UserError: no such file, no chart in it, or another version than asked for. ZeroJHubError: the download failed.
    """
    if ref == "z2jh":
        chosen = version or fitting(kubernetes)
        chart = await _download(f"{REPOSITORY}/jupyterhub-{chosen}.tgz")
    elif ref.startswith(("http://", "https://")):
        chart = await _download(ref)
    else:
        path = shipped("charts", "jupyterhub") if ref == "embedded" else directory / Path(ref).expanduser()
        chart = await anyio.to_thread.run_sync(_read, path)
    if version and chart.version != version:
        raise UserError(
            f"the chart has version {chart.version}, not {version}",
            where=chart.source,
            hint="leave hub.version out, or set hub.chart: z2jh to have that version fetched",
        )
    return chart


def _read(path: Path) -> ChartArchive:
    try:
        content = _pack(path) if path.is_dir() else path.read_bytes()
    except OSError as error:
        raise UserError(f"the chart cannot be read: {error.strerror}", where=str(path)) from None
    return ChartArchive(content, str(path))


def _pack(folder: Path) -> bytes:
    """The folder as an archive that is the same, byte for byte, as long as the files are."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("~")):
            info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
            data = path.read_bytes()
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def _download(url: str) -> ChartArchive:
    """The archive at the address; a versioned address is fetched once and kept in the cache."""
    import httpx
    import platformdirs

    kept = platformdirs.user_cache_path("zerojhub") / "charts" / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}.tgz"
    if kept.exists():
        return ChartArchive(kept.read_bytes(), url)
    try:
        timeout = httpx.Timeout(30, connect=5)
        async with httpx.AsyncClient(follow_redirects=True, timeout=timeout) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        raise ZeroJHubError(
            f"the chart cannot be downloaded: {error or type(error).__name__}",
            where=url,
            hint="get it on another machine and give its path as hub.chart",
        ) from None
    if answer.status_code == 404:
        raise UserError("there is no such chart", where=url)
    if answer.is_error:
        raise ZeroJHubError(f"the chart cannot be downloaded: {answer.status_code}", where=url)
    chart = ChartArchive(answer.content, url)
    _ = chart.metadata  # an error page must not be kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_bytes(answer.content)
    part.rename(kept)
    return chart
