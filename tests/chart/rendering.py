"""Render our chart with Helm."""

import base64
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "jupyterhub"
HELM = shutil.which("helm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])) or "helm"


def helm(*words, values=None):
    """Run Helm on the chart, with the values on standard input."""
    return subprocess.run(
        [HELM, *words, "--values=-"], input=yaml.safe_dump(values or {}), capture_output=True, text=True, timeout=60
    )


def render(values=None, *words):
    """(kind, name) -> rendered resource."""
    done = helm("template", "workshop", CHART, "--namespace=classes", "--kube-version=1.34.4", *words, values=values)
    assert done.returncode == 0, done.stderr
    found = [resource for resource in yaml.safe_load_all(done.stdout) if resource]
    assert all(resource["metadata"].get("namespace") is None for resource in found)
    return {(resource["kind"], resource["metadata"]["name"]): resource for resource in found}


@cache
def schema():
    return json.loads((CHART / "values.schema.json").read_text())


def container(resource):
    return resource["spec"]["template"]["spec"]["containers"][0]


def secret(resources, name="hub"):
    return {key: base64.b64decode(text).decode() for key, text in resources["Secret", name]["data"].items()}


@cache
def plain():
    return render()
