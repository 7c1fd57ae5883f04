"""Updates each image's requirements.txt from its requirements.in: `python -m zerojhub.practice.images.pin`.

For developers who want newer versions in the images. Packages that the hub and the user's server share go into their
common base image, so that a node stores them once. Run it with Python 3.11, like the images: pip evaluates environment
markers for the Python that it runs on. The hub of older charts is resolved as of their time, which takes pip 26.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zerojhub.practice.images.packages import TARGET

HERE = Path(__file__).parent
PIP = [sys.executable, "-m", "pip"]
NO_WHEEL = ("onetimepass",)
"""Packages without a wheel. pip needs wheels to resolve for another Python, so these are built first."""
OLDER = "k8s-hub-3.3.8", "2024-07-31T12:00Z"
"""The hub of older charts, and when that one was released."""
NEWER = "k8s-hub-5", "k8s-singleuser-sample-5"
"""The images with the next JupyterHub."""
LEFT_OUT = ("rfc3987-syntax", "lark")
"""Optional dependencies of jsonschema for checking IRIs, which nothing here does. Compiling their grammar on every
import takes 1.6 s of the four that a user waits for a server."""


def resolve(wanted: Sequence[str], fixed: dict[str, str], built: str, *options: str) -> dict[str, str]:
    """Name -> version of every package that the images `wanted` need, using the `fixed` versions and options of pip."""
    report = subprocess.run(
        [
            *(*PIP, "install", "--quiet", "--dry-run", "--ignore-installed", "--report=-"),
            *(*TARGET, "--only-binary=:all:", f"--find-links={built}", f"--target={built}", *options),
            *("--constraint=/dev/stdin", *(f"--requirement={HERE / name / 'requirements.in'}" for name in wanted)),
        ],
        input="\n".join(f"{name}=={version}" for name, version in fixed.items()),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )
    found = (item["metadata"] for item in json.loads(report.stdout)["install"])
    pins = {item["name"].lower().replace("_", "-"): item["version"] for item in found}
    return {name: version for name, version in pins.items() if name not in LEFT_OUT}


def above(name: str, base: dict[str, str], built: str) -> dict[str, str]:
    """What the image adds to the packages of the image that it builds on, or has in another version."""
    wanted = (HERE / name / "requirements.in").read_text()
    there = {package: version for package, version in base.items() if not re.search(rf"(?m)^{package}\b(?!-)", wanted)}
    return {
        package: version for package, version in resolve((name,), there, built).items() if base.get(package) != version
    }


def write(name: str, pins: dict[str, str]) -> None:
    lines = [f"{package}=={version}" for package, version in sorted(pins.items())]
    (HERE / name / "requirements.txt").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(lines)} packages")


def main() -> None:
    with tempfile.TemporaryDirectory() as built:
        subprocess.run([*PIP, "wheel", "--quiet", "--no-deps", f"--wheel-dir={built}", *NO_WHEEL], check=True)
        hub = resolve(("jupyterhub", "k8s-hub"), {}, built)
        user = resolve(("jupyterhub", "k8s-singleuser-sample"), hub, built)
        proxy = resolve(("configurable-http-proxy",), {}, built)
        newer = [(name, above(name, base, built)) for name, base in zip(NEWER, (hub, user), strict=True)]
        older, released = OLDER
        older_hub = resolve((older,), {}, built, f"--uploaded-prior-to={released}")
    write("jupyterhub", {name: version for name, version in hub.items() if name in user})
    write("k8s-hub", {name: version for name, version in hub.items() if name not in user})
    write("k8s-singleuser-sample", {name: version for name, version in user.items() if name not in hub})
    write("configurable-http-proxy", proxy)
    write(older, older_hub)
    for name, pins in newer:
        write(name, pins)


if __name__ == "__main__":
    main()
