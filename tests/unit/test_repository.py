"""The chart repository: which version is chosen, and what happens when its list or an archive cannot be had."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerojhub import deployment, stages
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.helm.program import Program
from zerojhub.hub import charts, download, repository
from zerojhub.hub.constraints import allows, in_words
from zerojhub.hub.release import InstalledRelease
from zerojhub.hub.repository import KNOWN, ChartVersion, Listing, matches
from zerojhub.run import Run, Silent
from zerojhub.stage import Found
from zerojhub.stages import Access, HelmProgram, Template, Values
from zerojhub.stages.values import Rendered

CHARTS = {
    "5.0.0": ">=1.32.0-0",
    "5.0.0-beta.1": ">=1.32.0-0",
    "5.1.0-0.dev.git.7000.h0123456": ">=1.32.0-0",
    "4.10.0": ">=1.28.0-0",
    "4.4.0": ">=1.28.0-0",
    "4.3.10": ">=1.28.0-0",
    "4.3.9": ">=1.28.0-0",
    "4.3.2": ">=1.28.0-0",
    "3.3.8": ">=1.23.0-0",
    "2.0.0": ">=1.20.0-0",
    "1.2.0": ">=1.17.0-0",
    "0.11.1": ">=1.14.0-0",
}
LISTING = Listing(tuple(ChartVersion(version, kube, None, "") for version, kube in CHARTS.items()))


def chosen(*words: str | None) -> str:
    return LISTING.choose(*words).version


@pytest.mark.parametrize(
    ("wanted", "kubernetes", "version"),
    [
        (None, None, "5.0.0"),
        (None, "v1.34.4", "5.0.0"),
        (None, "v1.32.0", "5.0.0"),
        (None, "v1.31.14", "4.10.0"),
        (None, "v1.30.5-rancher1", "4.10.0"),
        (None, "v1.30.5+k3s1", "4.10.0"),
        (None, "1.28", "4.10.0"),
        (None, "v1.27.16", "3.3.8"),
        (None, "v1.18.2", "1.2.0"),
        (None, "v1.15.7", "0.11.1"),
        ("4.3", "v1.34.4", "4.3.10"),
        ("4.3", None, "4.3.10"),
        ("4.1", None, "there is no chart version 4.1 (the newest is 5.0.0)"),
        ("4.10", None, "4.10.0"),
        ("4", "v1.34.4", "4.10.0"),
        ("v4", "v1.34.4", "4.10.0"),
        ("5", None, "5.0.0"),
        ("5", "v1.31.0", "no chart version 5 supports Kubernetes v1.31.0 (version 4.10.0 does)"),
        ("2", "v1.30.0", "no chart version 2 supports Kubernetes v1.30.0 (version 4.10.0 does)"),
        ("4.3.2", "v1.34.4", "4.3.2"),
        ("5.0.0-beta.1", None, "5.0.0-beta.1"),
        ("5.1", None, "there is no chart version 5.1 (the newest is 5.0.0)"),
        ("4.3.99", None, "there is no chart version 4.3.99 (the newest is 5.0.0)"),
        (None, "v1.9.0", "no JupyterHub chart supports Kubernetes v1.9.0"),
    ],
)
def test_the_newest_release_that_fits(wanted, kubernetes, version):
    if version[0].isdigit():
        assert chosen(wanted, kubernetes) == version
    else:
        with pytest.raises(UserError) as caught:
            chosen(wanted, kubernetes)
        assert str(caught.value) == version


@pytest.mark.parametrize(
    ("wanted", "kubernetes", "installed", "version"),
    [
        (None, "v1.34.4", "4.3.2", "4.3.2"),
        ("4", "v1.34.4", "4.3.2", "4.3.2"),
        ("4.3", "v1.34.4", "4.3.2", "4.3.2"),
        ("4.4", "v1.34.4", "4.3.2", "4.4.0"),
        ("4.3.9", "v1.34.4", "4.3.2", "4.3.9"),
        ("4.3.2", "v1.34.4", "4.4.0", "4.3.2"),
        ("5", "v1.34.4", "4.3.2", "5.0.0"),
        (None, "v1.34.4", "5.0.0-beta.1", "5.0.0-beta.1"),
        (None, "v1.34.4", "4.3.77", "4.3.77"),
        (None, "v1.30.0", "2.0.0", "4.10.0"),
        (None, "v1.31.0", "5.0.0", "4.10.0"),
    ],
)
def test_an_installed_hub_keeps_its_version(wanted, kubernetes, installed, version):
    assert chosen(wanted, kubernetes, installed) == version


@pytest.mark.parametrize(
    ("version", "newer"),
    [("4.3.2", "4.3.10"), ("4.3.10", None), ("4.4.0", None), ("5.0.0-beta.1", "5.0.0"), ("6.0.0", None)],
)
def test_newer_patch_releases_only(version, newer):
    assert LISTING.newer_patch(version) == newer


NUMBERS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))


@given(st.lists(st.tuples(NUMBERS, st.booleans(), st.integers(20, 40)), min_size=1), st.integers(20, 40), NUMBERS)
def test_whatever_is_listed_the_choice_is_a_release_that_fits_and_none_is_newer(listed, minor, wanted):
    def text(numbers, pre):
        return ".".join(map(str, numbers)) + "-beta.1" * pre

    listing = Listing(tuple(ChartVersion(text(n, pre), f">=1.{least}.0-0", None, "") for n, pre, least in listed))
    for prefix in (None, f"{wanted[0]}", f"{wanted[0]}.{wanted[1]}"):
        good = [
            numbers
            for numbers, pre, least in listed
            if not pre and least <= minor and matches(text(numbers, False), prefix) and numbers > (2, 0, 0)
        ]
        try:
            found = listing.choose(prefix, f"v1.{minor}.3").version
        except (UserError, ValueError):
            assert not good
        else:
            assert not good or found == text(max(good), False)
            assert "-" not in found and matches(found, prefix)


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        (">=1.28.0-0", ["v1.28.0", "v1.30.5-rancher1", "1.28", "v2.0.0"], ["v1.27.16", "v0.40.0"]),
        (">=1.28.0-0 <1.36.0-0", ["v1.35.9"], ["v1.36.0", "v1.27.0"]),
        (">= 1.28, < 1.36", ["v1.28.1"], ["v1.36.0"]),
        ("^1.20", ["v1.34.4"], ["v2.0.0", "v1.19.9"]),
        ("~1.30.2", ["v1.30.9"], ["v1.30.1", "v1.31.0"]),
        ("1.28.x || 1.30.*", ["v1.28.7", "v1.30.0"], ["v1.29.0"]),
        ("1.28 - 1.30", ["v1.30.9"], ["v1.31.0"]),
        ("!=1.29 >1.27", ["v1.28.0", "v1.30.0"], ["v1.29.4", "v1.27.3"]),
        ("*", ["v1.0.0"], []),
        ("", ["v1.0.0"], []),
        (None, ["v1.0.0"], []),
        ("newer than last year", [], ["v1.34.4"]),
        (">=1.28.0-0 and so on", [], ["v1.34.4"]),
    ],
)
def test_the_kubernetes_versions_that_a_chart_supports(constraint, inside, outside):
    assert all(allows(constraint, version) for version in inside)
    assert not any(allows(constraint, version) for version in outside)


def test_constraints_in_words():
    assert [in_words(text) for text in (">=1.28.0-0", ">=1.28", "^1.20")] == ["1.28 or later", "1.28 or later", "^1.20"]


@pytest.mark.parametrize("kubernetes", ["latest", "", "v1"])
def test_what_is_no_kubernetes_version(kubernetes):
    with pytest.raises(UserError, match="is not a Kubernetes version"):
        allows(">=1.28.0-0", kubernetes)


@pytest.mark.parametrize(
    ("chart", "last", "first"),
    [
        ("0.8.2", "v1.21.14", "v1.22.0"),
        ("0.11.1", "v1.21.14", "v1.22.0"),
        ("1.1.3", "v1.24.17", "v1.25.0"),
        ("2.0.0", "v1.26.15", "v1.27.2"),
    ],
)
def test_a_chart_that_newer_kubernetes_has_no_apis_for(chart, last, first):
    assert not repository.is_outgrown(chart, last)
    assert repository.is_outgrown(chart, first)


@pytest.mark.parametrize("chart", ["3.0.0-beta.1", "3.3.8", "4.4.0_zerojhub.1", "5.0.0"])
def test_a_chart_that_no_kubernetes_is_too_new_for(chart):
    assert not repository.is_outgrown(chart, "v1.40.0")


@pytest.mark.parametrize(
    ("chart", "version"),
    [
        ("jupyterhub-4.3.2", "4.3.2"),
        ("jupyterhub-5.0.0-beta.1", "5.0.0-beta.1"),
        ("jupyterhub-4.4.0+zerojhub.1", None),
        ("daskhub-4.4.0", None),
    ],
)
def test_the_version_that_is_installed(chart, version):
    assert InstalledRelease(1, "deployed", chart, "", {}).version_of("jupyterhub") == version


def archive(version: str) -> bytes:
    """A chart of that version."""
    buffer, text = io.BytesIO(), f"name: jupyterhub\nversion: {version}\n".encode()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        info = tarfile.TarInfo("jupyterhub/Chart.yaml")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


def entry(version: str, **more: Any) -> str:
    about = {"version": version, "kubeVersion": CHARTS.get(version, ">=1.28.0-0"), "name": "jupyterhub"}
    about |= {"digest": hashlib.sha256(archive(version)).hexdigest(), "urls": f"[jupyterhub-{version}.tgz]"} | more
    return "  - " + "\n    ".join(
        f"{key}: {value!r}" if key == "kubeVersion" else f"{key}: {value}" for key, value in about.items()
    )


def index(*entries: str) -> bytes:
    lines = "\n".join(entries or [entry(version) for version in CHARTS])
    return f"apiVersion: v1\nentries:\n  jupyterhub:\n{lines}\ngenerated: 2026-11-28T10:00:00Z\n".encode()


@dataclass
class Repository:
    """A chart repository at `url` with these files, and the paths that were requested."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    cut: int = 0
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A chart repository with all of CHARTS, and an empty cache."""
    ours = Repository(files={"index.yaml": index()} | {f"jupyterhub-{each}.tgz": archive(each) for each in CHARTS})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/helm-chart/")
            ours.requests.append(name)
            content = ours.files.get(name)
            self.send_response(ours.status if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: -ours.cut or None])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    ours.url = f"http://127.0.0.1:{server.server_address[1]}/helm-chart"
    monkeypatch.setenv(repository.MIRROR, ours.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield ours
    server.shutdown()
    server.server_close()


def choose(*words: str | None) -> repository.Choice:
    return anyio.run(lambda: repository.choose(*(words or (None, None))))


def cached(folder: Path) -> Path:
    (path,) = (folder / "zerojhub" / "charts").glob("versions-*.json")
    return path


def test_the_list_is_asked_for_once_a_day(served, tmp_path):
    assert [choose().version.version, choose("4.3", "v1.30.1").version.version] == ["5.0.0", "4.3.10"]
    assert served.requests == ["index.yaml"]
    for age in (-3600, 25 * 3600):  # the clock may have been wrong
        os.utime(cached(tmp_path), (time.time() - age,) * 2)
        served.requests.clear()
        choose()
        assert served.requests == ["index.yaml"]
    assert [path.name for path in cached(tmp_path).parent.iterdir()] == [cached(tmp_path).name]


def test_a_version_of_today_is_looked_up_again(served):
    choose()
    served.files["index.yaml"] = index(entry("4.4.1"))
    assert choose("4.4.1", None).version.version == "4.4.1"
    with pytest.raises(UserError, match=r"there is no chart version 4.4.2 \(the newest is 4.4.1\)"):
        choose("4.4.2", None)


BROKEN = {
    "nothing": b"",
    "a page": b"<html><body>502 Bad Gateway</body></html>",
    "cut between lines": index()[: index().index(b"- version: 4.3.2")],
    "cut in a digest": index()[:-100],
    "without the chart": b"apiVersion: v1\nentries: {other: []}\ngenerated: 2026-11-28\n",
    "no mapping": b"- a\n",
    "not YAML": b"entries: {a: [\n",
    "not text": b"\x00\xff\xfe",
    "all entries incomplete": index("  - version: 4.4.0\n    urls: []", "  - name: a"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_damaged_list_is_not_used(served, content):
    served.files["index.yaml"] = content
    choice = choose(None, "v1.34.4")
    assert choice.version == KNOWN[0]
    assert choice.remark == (
        "the chart repository failed (its index.yaml is damaged); using the versions known to this release"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": 503}, "503 Service Unavailable"),
        ({"status": 403}, "403 Forbidden"),
        ({"files": {}}, "404"),
        ({"cut": 9}, ""),
    ],
)
def test_a_repository_in_trouble_leaves_the_known_versions(served, change, why):
    for name, value in change.items():
        setattr(served, name, value)
    choice = choose(None, "v1.25.3")
    assert (choice.version.version, "\n" in str(choice.remark)) == ("3.3.8", False)
    assert why in str(choice.remark) and "known to this release" in str(choice.remark)


def test_the_last_list_is_better_than_the_built_in_one(served, tmp_path):
    choose()
    served.status, day = 503, time.time() - 3 * 24 * 3600
    os.utime(cached(tmp_path), (day, day))
    choice = choose()
    assert choice.version.version == "5.0.0"
    assert f"using the versions of {time.strftime('%Y-%m-%d', time.localtime(day))}" in str(choice.remark)
    cached(tmp_path).write_bytes(cached(tmp_path).read_bytes()[:-7])
    assert choose().version == KNOWN[0]


def test_without_a_repository(monkeypatch, tmp_path, served):
    monkeypatch.setenv(repository.MIRROR, "http://127.0.0.1:9")
    choice = choose("4.3", None)
    assert (choice.version.version, "connection" in str(choice.remark).lower()) == ("4.3.5", True)
    with pytest.raises(UserError, match=r"there is no chart version 6 .*known to this release, up to 4.4.0"):
        choose("6", None)
    with pytest.raises(ZeroJHubError, match=r"cannot be downloaded: .*set hub.chart: embedded"):
        anyio.run(charts.fetch, choose("4.9.9", None).version)


def test_an_installed_hub_does_not_wait_for_the_list(served, monkeypatch):
    monkeypatch.setattr(repository, "GLANCE", 0.05)
    monkeypatch.setattr(download, "get", lambda *words, **more: anyio.sleep(30))
    started = time.monotonic()
    assert choose(None, "v1.34.4", "4.3.2") == repository.Choice(repository.unlisted("4.3.2"), "4.3.5 is available")
    assert time.monotonic() - started < 5


def test_an_installed_hub_hears_of_a_newer_patch_release(served):
    assert choose(None, "v1.34.4", "4.3.2").remark == "4.3.10 is available"
    assert choose(None, "v1.34.4", "4.4.0").remark is None


def test_an_unwritable_cache_is_no_failure(served, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    choice = choose()
    assert anyio.run(charts.fetch, choice.version).version == "5.0.0"


def test_an_archive_is_downloaded_once_and_must_have_its_digest(served, tmp_path):
    version = choose("4.3", None).version
    assert anyio.run(charts.fetch, version).version == anyio.run(charts.fetch, version).version == "4.3.10"
    assert served.requests.count("jupyterhub-4.3.10.tgz") == 1
    (kept,) = (tmp_path / "zerojhub" / "charts").glob("*.tgz")
    kept.write_bytes(b"damaged on the disk")
    assert anyio.run(charts.fetch, version).version == "4.3.10"
    served.files["jupyterhub-4.4.0.tgz"] = archive("4.4.0-replaced")
    with pytest.raises(ZeroJHubError, match=r"jupyterhub-4.4.0.tgz: the chart's SHA-256 is \w+, not \w+ \("):
        anyio.run(charts.fetch, choose("4.4", None).version)
    assert len(list((tmp_path / "zerojhub" / "charts").glob("*.tgz"))) == 1


def test_the_built_in_digests_hold_whatever_the_list_says(served):
    served.files["index.yaml"] = index(entry("3.3.8"))
    with pytest.raises(ZeroJHubError, match="not ac4dd85c814a322353d68e1a322ba1a5ea0ada6cd8945affcebc46f6ccb2b645"):
        anyio.run(charts.fetch, choose("3.3.8", None).version)


def test_entries_as_old_charts_have_them(served):
    served.files["index.yaml"] = index(
        entry("v0.6", kubeVersion="", urls="['https://example.org/jupyterhub-v0.6.tgz']"),
        entry("0.5.0", digest="unknown"),
        entry("0.5.1", urls="['ftp://example.org/a.tgz']"),
        entry("not-a-version"),
        entry("4.4.0"),
    )
    listed = anyio.run(repository.listing).versions
    assert [(each.version, each.address) for each in listed] == [
        ("0.6.0", "https://example.org/jupyterhub-v0.6.tgz"),
        ("4.4.0", f"{served.url}/jupyterhub-4.4.0.tgz"),
    ]


def test_the_known_versions_are_in_order_and_pinned():
    numbers = [each.number for each in KNOWN]
    assert numbers == sorted(numbers, reverse=True)
    assert all(len(each.digest) == 64 for each in KNOWN if each.number.major < 4 and each.digest is not None)
    for version, kubernetes in product(KNOWN, ["v1.34.4", "v1.24.1"]):
        assert version.is_for(kubernetes) == (
            Listing((version,)).choose(version.version, kubernetes).is_for(kubernetes)
        )


@pytest.fixture
def look(served, tmp_path, monkeypatch):
    """Looks at the stage `values` of a deployment whose template has Kubernetes v1.30.1."""

    def look(hub: str = "", cluster: str | None = None, installed: str | None = None) -> Found[Rendered]:
        """`hub`: keys of that section; `cluster`: its Kubernetes version, if it exists; `installed`: the release's chart."""
        path = tmp_path / "hub.yaml"
        path.write_text(f"name: a\ncluster: {{template: t}}\nhub:\n  open_to_anyone: true\n{hub}")
        run: Any = Run(deployment.load(path), Silent())
        run[Template] = {"labels": {"kube_tag": "v1.30.1"}}
        if cluster:
            run[Access], run[HelmProgram] = SimpleNamespace(version=cluster), Program("helm", "v3.18.4")
        release = InstalledRelease(1, "deployed", installed, "", {}) if installed else None
        monkeypatch.setattr(stages.values, "hub_release", lambda run: returned(release))
        # With whatever Helm this machine has, or without.
        monkeypatch.setattr(stages.values, "_refusals", lambda *rendered: returned([]))
        found = anyio.run(Values().look, run)
        assert isinstance(found, Found)
        return found

    return look


async def returned(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("hub", "cluster", "installed", "detail"),
    [
        ("", None, None, "4.10.0 with its default values"),
        ("", "v1.34.4", None, "5.0.0 with its default values"),
        ("", "v1.34.4", "jupyterhub-4.3.2", "4.3.2 with its default values (4.3.10 is available)"),
        ("  version: 4.4\n", "v1.34.4", "jupyterhub-4.3.2", "4.4.0 with its default values"),
        ("  version: 4.3.2\n", None, None, "4.3.2 with its default values (4.3.10 is available)"),
        ("", "v1.34.4", "jupyterhub-4.4.0+zerojhub.1", "5.0.0 with its default values"),
    ],
)
def test_the_stage_reports_the_version_that_it_chose(look, hub, cluster, installed, detail):
    assert look(hub, cluster, installed).detail == f"chart jupyterhub {detail}"


def test_the_stage_reports_that_the_list_may_be_old(look, served):
    served.files["index.yaml"] = b"<html>"
    served.files["jupyterhub-4.4.0.tgz"] = archive("4.4.0")
    assert look().detail.endswith(
        "(the chart repository failed (its index.yaml is damaged); using the versions known to this release)"
    )


def test_an_impossible_version_is_reported_at_its_line(look):
    with pytest.raises(
        UserError, match=r"hub.yaml:5: no chart version 5 supports Kubernetes v1.30.1 \(version 4.10.0 does"
    ):
        look("  version: 5\n")


@pytest.mark.parametrize(
    ("hub", "status", "checked"),
    [
        ("", None, True),
        ("", "CREATE_IN_PROGRESS", True),
        ("", "CREATE_COMPLETE", False),
        ("  version: 4.3\n", "UPDATE_IN_PROGRESS", False),
        ("  version: 4.3.2\n", "CREATE_COMPLETE", True),
        ("  chart: embedded\n", "CREATE_COMPLETE", True),
    ],
)
def test_a_hub_that_may_keep_its_version_is_not_checked_against_another(tmp_path, monkeypatch, hub, status, checked):
    """A new version of the chart must not make the values of an installed one invalid."""
    path, seen = tmp_path / "hub.yaml", list[bool]()
    path.write_text(f"name: a\ncluster: {{template: t}}\nhub:\n  open_to_anyone: true\n{hub}")
    monkeypatch.setattr(stages.cluster, "find", lambda run: returned(status and {"status": status}))
    monkeypatch.setattr(stages.template, "find", lambda run: returned(None))

    async def render(*words: Any) -> Any:
        seen.append(True)
        return SimpleNamespace(warnings=())

    monkeypatch.setattr(stages.values, "render", render)
    run: Any = Run(deployment.load(path), Silent())
    assert anyio.run(Values().check, run) == []
    assert seen == [True] * checked
