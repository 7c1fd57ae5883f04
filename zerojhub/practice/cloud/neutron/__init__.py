"""Neutron v2.0: networks, routers, ports, security groups and floating IPs."""

TYPES = ("network",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/network"
"""The path of its root."""
