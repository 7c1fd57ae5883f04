"""Charts: where they come from, what they contain, and which of them supports a Kubernetes version."""

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
from zerojhub.yamlfile import load

REPOSITORY = "https://hub.jupyter.org/helm-chart"
"""The Zero to JupyterHub project's chart repository; its archives are named jupyterhub-VERSION.tgz."""

ChartValues = dict[str, Any]
"""Values of a chart. Any: only the chart's own schema knows what is in them."""

NEWEST = (
    ("4.4.0", (1, 28), None),
    ("3.3.8", (1, 23), None),
    ("2.0.0", (1, 20), (1, 27)),
    ("1.2.0", (1, 17), (1, 25)),
    ("0.11.1", (1, 14), (1, 22)),
    ("0.9.1", (1, 11), (1, 22)),
)
"""The project's newest chart for each minimum Kubernetes version (kubeVersion in its Chart.yaml), and the first Kubernetes
version without the APIs that such charts use: Ingress v1beta1 and, for their user scheduler, PodDisruptionBudget v1beta1
and CSIStorageCapacity v1beta1 (zero-to-jupyterhub-k8s issue 3128)."""


@dataclass(frozen=True)
class ChartArchive:
    """A packed chart. Its properties raise UserError if it is not a chart."""

    content: bytes
    source: str
    """Its path or URL, for messages."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the archive."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Chart.yaml."""
        found = self._yaml("Chart.yaml")
        if not isinstance(found, dict) or not {"name", "version"} <= found.keys():
            raise UserError("not a chart: its Chart.yaml has no name or version", where=self.source)
        return found

    @cached_property
    def defaults(self) -> ChartValues:
        """values.yaml."""
        return self._yaml("values.yaml") or {}

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """values.schema.json (JSON Schema), if the chart has one."""
        import json

        text = self._files.get("values.schema.json")
        found: dict[str, Any] | None = json.loads(text) if text else None
        return found

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        return str(self.metadata["version"])

    @property
    def least_kubernetes(self) -> tuple[int, int] | None:
        """The oldest Kubernetes version that the chart supports, as (major, minor)."""
        match = re.search(r">=\s*v?(\d+)\.(\d+)", self.metadata.get("kubeVersion") or "")
        return (int(match[1]), int(match[2])) if match else None

    def misfit(self, kubernetes: str | None) -> str | None:
        """Why the chart does not support that Kubernetes version (such as `v1.25.3`); None if it does, or the version is None."""
        least = self.least_kubernetes
        if not kubernetes or not least or minor(kubernetes) >= least:
            return None
        return f"chart {self.name} {self.version} needs Kubernetes {least[0]}.{least[1]} or later"

    @cached_property
    def _files(self) -> dict[str, bytes]:
        wanted = {"Chart.yaml", "values.yaml", "values.schema.json"}
        found: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(self.content), mode="r:gz") as tar:
                for member in tar:
                    folder, _, name = member.name.removeprefix("./").partition("/")
                    if folder and name in wanted and member.isfile() and (file := tar.extractfile(member)):
                        found[name] = file.read()
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(f"not a chart archive: {error}", where=self.source) from None
        if "Chart.yaml" not in found:
            raise UserError("not a chart: there is no Chart.yaml in it", where=self.source)
        return found

    def _yaml(self, name: str) -> Any:
        return load(self._files.get(name, b""), f"{self.source}: {name}")


def fitting(kubernetes: str | None) -> str:
    """The newest Zero to JupyterHub chart that supports that Kubernetes version (None: the newest of all). Raises UserError."""
    if not kubernetes:
        return NEWEST[0][0]
    for chart, least, _ in NEWEST:
        if minor(kubernetes) >= least:
            return chart
    raise UserError(f"no JupyterHub chart supports Kubernetes {kubernetes}")


def is_outgrown(chart: str, kubernetes: str) -> bool:
    """Is that Kubernetes version too new for the project's chart of this version (such as `1.2.0`)?"""
    for newest, _, end in reversed(NEWEST):
        if _number(chart) <= _number(newest):
            return end is not None and minor(kubernetes) >= end
    return False


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


async def find(ref: str, version: str | None, kubernetes: str | None, directory: Path) -> ChartArchive:
    """The chart of a deployment: `embedded`, `z2jh`, an http(s) URL, or a path relative to `directory`.

    Raises UserError if there is no such chart, or it has a version other than `version`; ZeroJHubError if it cannot be
    downloaded.
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
            f"the chart is version {chart.version}, not {version}",
            where=chart.source,
            hint="remove hub.version, or set hub.chart: z2jh to download that version",
        )
    return chart


def _read(path: Path) -> ChartArchive:
    try:
        content = _pack(path) if path.is_dir() else path.read_bytes()
    except OSError as error:
        raise UserError(f"the chart cannot be read: {error.strerror}", where=str(path)) from None
    return ChartArchive(content, str(path))


def _pack(folder: Path) -> bytes:
    """The folder as an archive whose bytes depend only on the files' names and contents."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("~")):
            info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
            data = path.read_bytes()
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def _download(url: str) -> ChartArchive:
    """The archive at the URL, downloaded once and then kept in the cache."""
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
            hint="download it on another machine and set hub.chart to its path",
        ) from None
    if answer.status_code == 404:
        raise UserError("there is no such chart (404)", where=url)
    if answer.is_error:
        raise ZeroJHubError(f"the chart cannot be downloaded: {answer.status_code} {answer.reason_phrase}", where=url)
    chart = ChartArchive(answer.content, url)
    _ = chart.metadata  # an error page must not be cached
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_bytes(answer.content)
    part.rename(kept)
    return chart
