"""Command line flags: supported flags of the autoscaler are parsed, its other flags are ignored."""

from __future__ import annotations

import argparse
import re

IGNORED = (
    *("alsologtostderr", "logtostderr", "stderrthreshold", "v", "expander", "namespace", "leader-elect"),
    *("balance-similar-node-groups", "skip-nodes-with-local-storage", "skip-nodes-with-system-pods"),
    *("scale-down-unready-time", "max-node-provision-time", "clusterapi-cloud-config-authoritative"),
)
UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}


def seconds(text: str) -> float:
    """Parse a Go duration: `10m0s`, `90s`, `1h30m`."""
    parts = re.findall(r"([\d.]+)(h|ms|m|s)", text)
    if "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"parse error: time: invalid duration {text!r}")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def flags(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cluster-autoscaler", description=__doc__, allow_abbrev=False)
    parser.add_argument("--cloud-provider", choices=("magnum", "clusterapi"), default="magnum")
    parser.add_argument("--cloud-config", required=True)
    parser.add_argument("--cluster-name", required=True)
    parser.add_argument("--kubeconfig")
    parser.add_argument("--nodes", action="append", default=[])
    parser.add_argument("--node-group-auto-discovery", action="append", default=[])
    parser.add_argument("--scan-interval", type=seconds, default=10.0)
    for name, default in (("unneeded-time", 600.0), ("delay-after-add", 600.0), ("delay-after-failure", 180.0)):
        parser.add_argument(f"--scale-down-{name}", type=seconds, default=default)
    parser.add_argument("--scale-down-utilization-threshold", type=float, default=0.5)
    parser.add_argument("--scale-down-enabled", type=lambda text: text != "false", default=True)
    parser.add_argument("--status-config-map-name", default="cluster-autoscaler-status")
    for name in IGNORED:
        parser.add_argument(f"--{name}", nargs="?", help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.cloud_provider == "magnum" and bool(asked.nodes) == bool(asked.node_group_auto_discovery):
        parser.error("give --nodes, or --node-group-auto-discovery, and not both")
    return asked
